/** A packet in the tables, as `explain` traces it. An unmodelled match splits it into several states. */

import type { DecidingRule, Packet, PathStep, Verdict } from '../model.js';
import type { CompiledRuleset } from '../program/compiled-ruleset.js';
import type { Field } from '../program/fields.js';

/** A packet at some point of its trace. */
export interface PacketState {
  readonly values: ReadonlyMap<Field, bigint>;
  /** `undefined`: not known. */
  readonly mark: number | undefined;
  /** Results that are assumed for unmodelled matches which the packet alone decides. */
  readonly assumed: ReadonlyMap<string, boolean>;
  /** Every unmodelled match that was passed, as text. */
  readonly unmodelled: readonly string[];
  readonly path: readonly PathStep[];
  /** A nat chain of this hook has translated it: the others do not see it. */
  readonly translated?: boolean;
  /** The rule that accepted it in the filter table. */
  readonly by: DecidingRule | null;
}

/** Where one state leaves the tables, or is dropped in them. */
export interface Ending {
  readonly verdict: Exclude<Verdict, 'unknown'>;
  readonly by: DecidingRule | null;
  readonly state: PacketState;
}

/** Splits that are followed before the verdict is "unknown". */
export const MOST_BRANCHES = 512;

export interface Trace {
  readonly ruleset: CompiledRuleset;
  readonly packet: Packet;
  readonly endings: Ending[];
  branches: number;
}

/** The state with one more step in its path. */
export const withPathStep = (state: PacketState, rule: DecidingRule, effect: string): PacketState => ({
  ...state,
  path: [...state.path, { rule, effect }],
});

/** States without those that differ from another in their path alone. */
export function distinct(states: readonly PacketState[]): readonly PacketState[] {
  if (states.length < 2) return states;
  const seen = new Map<string, PacketState>();
  for (const state of states) {
    const { values, mark, assumed, by, translated } = state;
    const key = JSON.stringify([
      [...values].map(([field, value]) => `${field}${value}`),
      mark,
      [...assumed],
      by?.table,
      by?.chain,
      by?.number,
      translated,
    ]);
    const known = seen.get(key);
    if (known === undefined || known.unmodelled.length > state.unmodelled.length) seen.set(key, state);
  }
  return [...seen.values()];
}
