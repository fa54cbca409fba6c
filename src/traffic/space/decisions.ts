/** The leaves of an evaluation: verdicts alone, or each verdict with the rule that decided. */

import type { DecidingRule, Verdict } from '../model.js';
import { type CompiledRule, decidedBy, decidedByPolicy } from '../program/compiled-ruleset.js';
import type { Stage } from '../program/pipeline.js';
import type { BddManager } from './bdd.js';

type TableStage = Extract<Stage, { kind: 'table' }>;

export interface Decision {
  readonly verdict: Exclude<Verdict, 'unknown'>;
  readonly by: DecidingRule | null;
}

export interface Decisions {
  /** Accepted by every table, before it is known who accepted. */
  readonly accepted: number;
  /** Accepted by this rule (or the policy) of the filter table, and then whatever `rest` says. */
  readonly acceptBy: (rest: number, step: CompiledRule | undefined, stage: TableStage) => number;
  readonly refuseBy: (
    verdict: 'drop' | 'reject',
    step: CompiledRule | undefined,
    stage: TableStage,
  ) => number;
  /** Inside a chain that is read once for all its callers: accepted by a rule of it. */
  readonly ok: (step: CompiledRule | undefined) => number;
  /** Such a chain put where it is called. */
  readonly resume: (
    summary: number,
    accept: (step: CompiledRule | undefined) => number,
    after: number,
  ) => number;
  readonly verdictOf: (leaf: number) => Decision['verdict'];
  readonly decisionOf: (leaf: number) => Decision;
}

const VALUES = { fall: 2, ok: 3, accept: 4, drop: 5, reject: 6 } as const;
const FIRST_RULE = 16;

export const VERDICT_LEAVES = { fall: (store: BddManager): number => store.leaf(VALUES.fall) } as const;

/** Few leaves, small diagrams. */
export function verdictsOnly(store: BddManager): Decisions {
  const leaf = {
    fall: store.leaf(VALUES.fall),
    ok: store.leaf(VALUES.ok),
    accept: store.leaf(VALUES.accept),
    drop: store.leaf(VALUES.drop),
    reject: store.leaf(VALUES.reject),
  };
  const verdictOf = (node: number): Decision['verdict'] =>
    node === leaf.accept ? 'accept' : node === leaf.reject ? 'reject' : 'drop';
  return {
    accepted: leaf.accept,
    acceptBy: (rest) => rest,
    refuseBy: (verdict) => leaf[verdict],
    ok: () => leaf.ok,
    resume: (summary, accept, after) =>
      store.fill(store.fill(summary, leaf.ok, accept(undefined)), leaf.fall, after),
    verdictOf,
    decisionOf: (node) => ({ verdict: verdictOf(node), by: null }),
  };
}

/** A leaf for every rule that decides. */
export function withRules(store: BddManager): Decisions {
  const plain = verdictsOnly(store);
  const fall = store.leaf(VALUES.fall);
  const found: (Decision | { readonly accepts: CompiledRule | undefined })[] = [];
  const leaves = new Map<string, number>();
  const leafOf = (key: string, make: () => (typeof found)[number]): number => {
    let value = leaves.get(key);
    if (value === undefined) {
      value = store.leaf(FIRST_RULE + found.length);
      found.push(make());
      leaves.set(key, value);
    }
    return value;
  };
  const entry = (leaf: number): (typeof found)[number] | undefined => found[store.value(leaf) - FIRST_RULE];
  // Not by their places: before and after are labelled together, and have other rules at the same ones.
  const numbers = new Map<CompiledRule, number>();
  const numberOf = (step: CompiledRule): number => {
    const number = numbers.get(step) ?? numbers.size;
    numbers.set(step, number);
    return number;
  };
  const keyOf = (step: CompiledRule | undefined, stage?: TableStage): string =>
    step === undefined ? `policy ${stage?.table} ${stage?.chain}` : String(numberOf(step));
  const by = (step: CompiledRule | undefined, stage: TableStage, policy: 'ACCEPT' | 'DROP'): DecidingRule =>
    step === undefined ? decidedByPolicy(stage.table, stage.chain, policy) : decidedBy(step);
  const labelled = new Map<string, number>();
  return {
    accepted: plain.accepted,
    acceptBy: (rest, step, stage) => {
      const key = `${rest} ${keyOf(step, stage)}`;
      let made = labelled.get(key);
      if (made === undefined) {
        const own = leafOf(`accept ${keyOf(step, stage)}`, () => ({
          verdict: 'accept',
          by: by(step, stage, 'ACCEPT'),
        }));
        made = store.mapLeaves(rest, (leaf) => (leaf === plain.accepted ? own : leaf));
        labelled.set(key, made);
      }
      return made;
    },
    refuseBy: (verdict, step, stage) =>
      leafOf(`${verdict} ${keyOf(step, stage)}`, () => ({ verdict, by: by(step, stage, 'DROP') })),
    ok: (step) => leafOf(`ok ${keyOf(step)}`, () => ({ accepts: step })),
    resume: (summary, accept, after) =>
      store.mapLeaves(summary, (leaf) => {
        if (leaf === fall) return after;
        const decision = entry(leaf);
        return decision !== undefined && 'accepts' in decision ? accept(decision.accepts) : leaf;
      }),
    verdictOf: (leaf) => {
      const decision = entry(leaf);
      return decision !== undefined && 'verdict' in decision ? decision.verdict : plain.verdictOf(leaf);
    },
    decisionOf: (leaf) => {
      const decision = entry(leaf);
      return decision !== undefined && 'verdict' in decision
        ? decision
        : { verdict: plain.verdictOf(leaf), by: null };
    },
  };
}
