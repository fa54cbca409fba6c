/** The leaves of an evaluation: verdicts alone, or each verdict with the rule that decided. */

import type { DecidingRule, Verdict } from '../model.js';
import { type CompiledRule, decidedBy, decidedByPolicy } from '../program/compiled-ruleset.js';
import type { TableStage } from '../program/pipeline.js';
import type { BddManager } from './bdd.js';

export interface Decision {
  readonly verdict: Exclude<Verdict, 'unknown'>;
  readonly by: DecidingRule | null;
}

/** A rule, or the policy of the chain. */
type Decider = CompiledRule | undefined;

export interface Decisions {
  /** Accepted by every table, before it is known by which rule. */
  readonly accepted: number;
  /** Accepted by this rule of the filter table, and then `rest`. */
  readonly acceptBy: (rest: number, rule: Decider, stage: TableStage) => number;
  readonly refuseBy: (verdict: 'drop' | 'reject', rule: Decider, stage: TableStage) => number;
  /** Within the summary of a chain that is evaluated once for all its callers: accepted by a rule of it. */
  readonly acceptedInChain: (rule: Decider) => number;
  /** Within such a summary: the end of the chain. */
  readonly chainEnd: number;
  /** Such a summary at one of the calls. */
  readonly resume: (summary: number, accept: (rule: Decider) => number, after: number) => number;
  /** The packets with that verdict, TRUE for them. */
  readonly where: (node: number, verdict: Decision['verdict']) => number;
  readonly decisionOf: (leaf: number) => Decision;
}

const VALUES = { chainEnd: 2, acceptedInChain: 3, accept: 4, drop: 5, reject: 6 } as const;
const FIRST_RULE = 16;

/** Leaves for verdicts alone: few leaves make small diagrams. */
export function verdictsOnly(manager: BddManager): Decisions {
  const [chainEnd, acceptedInChain] = [manager.leaf(VALUES.chainEnd), manager.leaf(VALUES.acceptedInChain)];
  const leaf = {
    accept: manager.leaf(VALUES.accept),
    drop: manager.leaf(VALUES.drop),
    reject: manager.leaf(VALUES.reject),
  };
  const verdictOf = (node: number): Decision['verdict'] =>
    node === leaf.accept ? 'accept' : node === leaf.reject ? 'reject' : 'drop';
  return {
    accepted: leaf.accept,
    acceptBy: (rest) => rest,
    refuseBy: (verdict) => leaf[verdict],
    acceptedInChain: () => acceptedInChain,
    chainEnd,
    resume: (summary, accept, after) =>
      manager.fill(manager.fill(summary, acceptedInChain, accept(undefined)), chainEnd, after),
    where: (node, verdict) => manager.where(node, (each) => verdictOf(each) === verdict),
    decisionOf: (node) => ({ verdict: verdictOf(node), by: null }),
  };
}

/** A leaf for every rule that decides. */
export function withRules(manager: BddManager): Decisions {
  const plain = verdictsOnly(manager);
  type Entry = Decision | { readonly accepts: Decider };
  const entries: Entry[] = [];
  const leaves = new Map<string, number>();
  const leafOf = (key: string, make: () => Entry): number => {
    let leaf = leaves.get(key);
    if (leaf === undefined) {
      leaf = manager.leaf(FIRST_RULE + entries.length);
      entries.push(make());
      leaves.set(key, leaf);
    }
    return leaf;
  };
  const entryOf = (leaf: number): Entry | undefined => entries[manager.value(leaf) - FIRST_RULE];
  // Not by chain and number: before and after share the leaves, and have different rules there.
  const numbers = new Map<CompiledRule, number>();
  const numberOf = (rule: CompiledRule): number => {
    const number = numbers.get(rule) ?? numbers.size;
    numbers.set(rule, number);
    return number;
  };
  const keyOf = (rule: Decider, stage?: TableStage): string =>
    rule === undefined ? `policy ${stage?.table} ${stage?.chain}` : String(numberOf(rule));
  const by = (rule: Decider, { table, chain }: TableStage, policy: 'ACCEPT' | 'DROP'): DecidingRule =>
    rule === undefined ? decidedByPolicy(table, chain, policy) : decidedBy(rule);
  const decisionOf = (leaf: number): Decision => {
    const entry = entryOf(leaf);
    return entry !== undefined && 'verdict' in entry ? entry : plain.decisionOf(leaf);
  };
  const labelled = new Map<string, number>();
  return {
    accepted: plain.accepted,
    acceptBy: (rest, rule, stage) => {
      const key = `${rest} ${keyOf(rule, stage)}`;
      let made = labelled.get(key);
      if (made === undefined) {
        const own = leafOf(`accept ${keyOf(rule, stage)}`, () => ({
          verdict: 'accept',
          by: by(rule, stage, 'ACCEPT'),
        }));
        made = manager.mapLeaves(rest, (leaf) => (leaf === plain.accepted ? own : leaf));
        labelled.set(key, made);
      }
      return made;
    },
    refuseBy: (verdict, rule, stage) =>
      leafOf(`${verdict} ${keyOf(rule, stage)}`, () => ({ verdict, by: by(rule, stage, 'DROP') })),
    acceptedInChain: (rule) => leafOf(`in chain ${keyOf(rule)}`, () => ({ accepts: rule })),
    chainEnd: plain.chainEnd,
    resume: (summary, accept, after) =>
      manager.mapLeaves(summary, (leaf) => {
        if (leaf === plain.chainEnd) return after;
        const entry = entryOf(leaf);
        return entry !== undefined && 'accepts' in entry ? accept(entry.accepts) : leaf;
      }),
    where: (node, verdict) => manager.where(node, (leaf) => decisionOf(leaf).verdict === verdict),
    decisionOf,
  };
}
