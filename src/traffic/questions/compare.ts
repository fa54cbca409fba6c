/** The traffic diff: the exact set of packets that one ruleset accepts and the other does not. */

import { FAMILIES, type Family } from '../../lib/family.js';
import { FAMILY } from '../../lib/text.js';
import type { IpSet, Ruleset } from '../../netfilter/model.js';
import { nativeTexts } from '../../netfilter/nftables/text.js';
import type { Flow, Hook, TrafficDiff, TrafficOptions } from '../model.js';
import { type CompiledRuleset, chainKey, changingSets, compileRuleset } from '../program/compiled-ruleset.js';
import { narrowedPair } from '../program/narrow.js';
import { HOOKS, tableStages } from '../program/pipeline.js';
import { type Budget, FALSE, LEAF } from '../space/bdd.js';
import { enumerateCubes } from '../space/cubes.js';
import { type Decision, verdictsOnly, withRules } from '../space/decisions.js';
import { EVALUATION_PREDICATES, evaluate, TRACKED } from '../space/evaluate.js';
import { tryProof } from '../space/proof-limits.js';
import { createSpace, type Space } from '../space/space.js';
import { byExposure, rowsOf } from './rows.js';

/** Measured: a firewall of 5,000 rules needs about a million nodes. */
export const DEFAULT_BUDGET: Budget = { nodes: 8_000_000, milliseconds: 8_000 };

/** The most rows of one kind in one hook of one family, before they are joined. */
const MOST_CUBES = 10_000;

const KINDS = ['opened', 'closed', 'possiblyOpened', 'possiblyClosed', 'answeredDifferently'] as const;
type Kind = (typeof KINDS)[number];
type Rows = { readonly [kind in Kind]: Flow[] };

const noRows = (): Rows => ({
  opened: [],
  closed: [],
  possiblyOpened: [],
  possiblyClosed: [],
  answeredDifferently: [],
});

/**
 * Compares the verdicts of two rulesets on every packet (whole ones, no fragments), in every hook and both families.
 * Rulesets with unmodelled matches are compared for all possible results of these.
 */
export function compareTraffic(before: Ruleset, after: Ruleset, options: TrafficOptions = {}): TrafficDiff {
  const rows = noRows();
  const budgetLeft = startBudget(options);
  const why: string[] = [];
  let omitted = 0;
  for (const family of FAMILIES) {
    if (before[family] === after[family] && sameSets(before, after)) continue;
    // The rows of a family are complete or absent: a limit may end its proof half-way.
    const found = noRows();
    const proved = tryProof(
      () => {
        const input = compareInput(before, after, family, options.addresses ?? [], budgetLeft());
        return input.hooks.reduce((sum, hook) => sum + compareHook(input, hook, found), 0);
      },
      (reason) => why.push(`${FAMILY[family]}: ${reason}`),
    );
    if (proved === undefined) continue;
    omitted += proved;
    for (const kind of KINDS) for (const row of found[kind]) rows[kind].push(row);
  }
  const proved = why.length === 0;
  for (const kind of KINDS) rows[kind].sort(byExposure);
  return {
    equal: proved && KINDS.every((kind) => rows[kind].length === 0),
    proved,
    why: proved ? undefined : why.join(' '),
    ...rows,
    omitted: omitted === 0 ? undefined : omitted,
  };
}

/** The nodes of the budget for each proof, and the time that is left for all of them together. */
function startBudget({ budget: { nodes, milliseconds } = DEFAULT_BUDGET }: TrafficOptions): () => Budget {
  const deadline = performance.now() + milliseconds;
  return () => ({ nodes, milliseconds: Math.max(0, deadline - performance.now()) });
}

interface CompareInput {
  readonly space: Space;
  readonly before: CompiledRuleset;
  readonly after: CompiledRuleset;
  /** Those in which something may differ. */
  readonly hooks: readonly Hook[];
}

/** Both rulesets, narrowed to what may differ, in one space. */
function compareInput(
  before: Ruleset,
  after: Ruleset,
  family: Family,
  addresses: readonly string[],
  budget: Budget,
): CompareInput {
  const [old, next] = [
    compileRuleset(before, family, addresses),
    compileRuleset(after, family, addresses),
  ] as const;
  const sets = sameSets(before, after);
  const hooks = HOOKS.filter((hook) => !sets || !sameHook(old, next, hook));
  const pair = sets && hooks.length > 0 ? narrowedPair(old, next) : ([old, next] as const);
  const space = createSpace(family, hooks.length > 0 ? pair : [], EVALUATION_PREDICATES, budget);
  return { space, before: pair[0], after: pair[1], hooks };
}

/** Rules with the same text match other packets where their sets differ, or where rules begin to change a set. */
const sameSets = (before: Ruleset, after: Ruleset): boolean =>
  sameNative(before.nft, after.nft) &&
  (before.sets === after.sets || sameTexts(before.sets.map(setText), after.sets.map(setText))) &&
  sameTexts([...changingSets(before)].sort(), [...changingSets(after)].sort());

/** Native tables that are the same have the same sets. */
const sameNative = (before: Ruleset['nft'], after: Ruleset['nft']): boolean =>
  before === after || nativeTexts(before).join('\n') === nativeTexts(after).join('\n');

const sameTexts = (left: readonly unknown[], right: readonly unknown[]): boolean =>
  JSON.stringify(left) === JSON.stringify(right);

const setText = ({ name, type, options, members }: IpSet): readonly unknown[] => [
  name,
  type,
  options,
  members,
];

/** Whether the rules of a hook are the same one by one: that needs no diagram. */
function sameHook(before: CompiledRuleset, after: CompiledRuleset, hook: Hook): boolean {
  const seen = new Set<string>();
  const same = (table: string, chain: string): boolean => {
    const key = chainKey(table, chain);
    if (seen.has(key)) return true;
    seen.add(key);
    const [old, next] = [before.chains.get(key), after.chains.get(key)];
    return (
      old?.policy === next?.policy &&
      old?.rules.length === next?.rules.length &&
      (old?.rules ?? []).every(
        ({ spec: rule, action }, index) =>
          rule.text === next?.rules[index]?.spec.text &&
          // A target that was unknown before may now be a chain.
          action.kind === next?.rules[index]?.action.kind &&
          (action.kind !== 'call' || same(table, action.chain)),
      )
    );
  };
  return [before, after]
    .flatMap((ruleset) => tableStages(ruleset, hook))
    .every(({ table, chain }) => same(table, chain));
}

/** The hooks in which some packet gets another verdict: {@link compareTraffic} without the rows. */
export function differingHooks(
  before: Ruleset,
  after: Ruleset,
  options: TrafficOptions = {},
): { readonly proved: boolean; readonly hooks: readonly Hook[] } {
  const budgetLeft = startBudget(options);
  const hooks = new Set<Hook>();
  let proved = true;
  for (const family of FAMILIES)
    tryProof(
      () => {
        const input = compareInput(before, after, family, options.addresses ?? [], budgetLeft());
        for (const hook of input.hooks) if (differences(input, hook)) hooks.add(hook);
      },
      () => {
        proved = false;
      },
    );
  return { proved, hooks: [...hooks] };
}

interface Differences {
  readonly sets: { readonly [kind in Kind]: number };
  /** All of them together. */
  readonly union: number;
}

/** The packets of a hook that get another verdict, by kind; `undefined` when there are none. */
function differences({ space, before, after }: CompareInput, hook: Hook): Differences | undefined {
  const { manager, unknownsFrom } = space;
  const { and, or, diff } = manager;
  const decisions = verdictsOnly(manager);
  const [old, next] = [before, after].map((ruleset) => evaluate({ space, ruleset, hook, decisions })) as [
    number,
    number,
  ];
  if (old === next) return undefined;
  const tracked = space.encode(TRACKED);
  const [[oldAccepted, oldRejected], [nextAccepted, nextRejected]] = [old, next].map((result) => [
    and(tracked, decisions.where(result, 'accept')),
    and(tracked, decisions.where(result, 'reject')),
  ]) as [[number, number], [number, number]];
  const ever = (node: number): number => manager.exists(node, unknownsFrom, LEAF);
  const always = (node: number): number => manager.forAll(node, unknownsFrom, LEAF);
  const opening = diff(nextAccepted, oldAccepted);
  const closing = diff(oldAccepted, nextAccepted);
  const answering = diff(
    or(diff(nextRejected, oldRejected), diff(oldRejected, nextRejected)),
    or(oldAccepted, nextAccepted),
  );
  const [opened, closed] = [always(opening), always(closing)];
  const sets: { readonly [kind in Kind]: number } = {
    opened,
    closed,
    possiblyOpened: diff(ever(opening), opened),
    possiblyClosed: diff(ever(closing), closed),
    answeredDifferently: diff(ever(answering), or(ever(opening), ever(closing))),
  };
  const union = KINDS.reduce((sum, kind) => or(sum, sets[kind]), FALSE);
  return union === FALSE ? undefined : { sets, union };
}

/** Adds the rows of one hook, and returns how many were left out. */
function compareHook(input: CompareInput, hook: Hook, rows: Rows): number {
  const found = differences(input, hook);
  if (found === undefined) return 0;
  const { space, before, after } = input;
  const decisions = withRules(space.manager);
  const results = [before, after].map((ruleset) =>
    evaluate({ space, ruleset, hook, decisions, relevant: found.union }),
  ) as [number, number];
  let omitted = 0;
  for (const kind of KINDS) {
    if (found.sets[kind] === FALSE) continue;
    const paired = pairDecisions(space, found.sets[kind], kind, results, decisions.decisionOf);
    const cubes = enumerateCubes(space, paired.node, MOST_CUBES);
    omitted += cubes.omitted;
    const { family } = space;
    for (const [leaf, some] of cubes.cubes) {
      const { old, next } = paired.pairs.get(leaf) ?? {};
      const setting = { family, hook, before: old?.by ?? null, after: next?.by ?? null };
      for (const cube of some) rows[kind].push(...rowsOf(cube, { ...setting, addresses: after.addresses }));
    }
  }
  return omitted;
}

/** Whether the verdicts before and after make a row of a kind. */
const FITS: { readonly [kind in Kind]: (old: Decision, next: Decision) => boolean } = {
  opened: (old, next) => old.verdict !== 'accept' && next.verdict === 'accept',
  closed: (old, next) => old.verdict === 'accept' && next.verdict !== 'accept',
  possiblyOpened: (old, next) => FITS.opened(old, next),
  possiblyClosed: (old, next) => FITS.closed(old, next),
  answeredDifferently: (old, next) =>
    old.verdict !== 'accept' && next.verdict !== 'accept' && old.verdict !== next.verdict,
};

interface Paired {
  readonly node: number;
  /** By leaf of `node`. */
  readonly pairs: ReadonlyMap<number, { readonly old: Decision; readonly next: Decision }>;
}

/** The packets of a set by the pair of decisions on them, without unknowns. */
function pairDecisions(
  { manager, unknownsFrom }: Space,
  set: number,
  kind: Kind,
  [oldResult, nextResult]: readonly [number, number],
  decisionOf: (leaf: number) => Decision,
): Paired {
  const unfit = manager.leaf(PAIRS);
  const pairs = new Map<number, { readonly old: Decision; readonly next: Decision }>();
  const paired = manager.pairs(
    manager.ite(set, oldResult, FALSE),
    manager.ite(set, nextResult, FALSE),
    (left, right) => {
      if (left === FALSE || right === FALSE) return FALSE;
      const [old, next] = [decisionOf(left), decisionOf(right)];
      if (!FITS[kind](old, next)) return unfit;
      const leaf = manager.leaf(PAIRS + manager.value(left) * PAIRS_EACH + manager.value(right));
      pairs.set(leaf, { old, next });
      return leaf;
    },
  );
  // Where unknowns choose between several pairs, any that fits will do.
  const node = manager.settle(paired, unknownsFrom, (one, other) =>
    one === FALSE || one === unfit || other === FALSE || other === unfit
      ? Math.max(one, other)
      : Math.min(one, other),
  );
  return { node, pairs };
}

/** Leaves for pairs of decisions lie beyond those for decisions. */
const PAIRS = 2 ** 40;
/** More than there are decisions of one ruleset. */
const PAIRS_EACH = 2 ** 20;
