/** A packet on its way, as `explain` follows it; where a match is not modelled there are several of it. */

import type { DecidingRule, Packet, PathStep, Verdict } from '../model.js';
import type { CompiledRuleset } from '../program/compiled-ruleset.js';
import type { Field } from '../program/fields.js';
import type { Stage } from '../program/pipeline.js';

export type TableStage = Extract<Stage, { kind: 'table' }>;

/** A packet at some point of its way. */
export interface PacketState {
  readonly values: ReadonlyMap<Field, bigint>;
  /** Absent: nobody knows it. */
  readonly mark: number | undefined;
  /** Unmodelled matches that the packet alone decides, and how they are taken to turn out. */
  readonly assumed: ReadonlyMap<string, boolean>;
  /** Every unmodelled match that was passed, in words. */
  readonly unmodelled: readonly string[];
  readonly path: readonly PathStep[];
  /** What the filter table said. */
  readonly by: DecidingRule | null;
}

export interface Ending {
  readonly verdict: Exclude<Verdict, 'unknown'>;
  readonly by: DecidingRule | null;
  readonly state: PacketState;
}

/** Ways that are followed before the answer is "unknown". */
export const MOST_BRANCHES = 512;

export interface Trace {
  readonly ruleset: CompiledRuleset;
  readonly packet: Packet;
  readonly endings: Ending[];
  branches: number;
}

export const withPathStep = (traveller: PacketState, rule: DecidingRule, effect: string): PacketState => ({
  ...traveller,
  path: [...traveller.path, { rule, effect }],
});

/** Travellers who differ in their path alone are one. */
export function distinct(travellers: readonly PacketState[]): readonly PacketState[] {
  if (travellers.length < 2) return travellers;
  const seen = new Map<string, PacketState>();
  for (const traveller of travellers) {
    const { values, mark, assumed: taken, by } = traveller;
    const key = JSON.stringify([
      [...values].map(([field, value]) => `${field}${value}`),
      mark,
      [...taken],
      by?.table,
      by?.chain,
      by?.number,
    ]);
    const known = seen.get(key);
    if (known === undefined) seen.set(key, traveller);
    else if (known.unmodelled.length > traveller.unmodelled.length) seen.set(key, traveller);
  }
  return [...seen.values()];
}
