/** The packets that reach each rule, and what happens to them before, in and behind it. */

import { one } from '../../lib/ranges.js';
import type { Hook } from '../model.js';
import type { CallPath } from '../program/call-path.js';
import {
  type CompiledChain,
  type CompiledRule,
  type CompiledRuleset,
  calledChain,
  chainKey,
  chainOf,
  isNative,
} from '../program/compiled-ruleset.js';
import { STATE } from '../program/fields.js';
import { HOOKS, type TableStage, tableStages } from '../program/pipeline.js';
import { all, field, notLoopback, type Predicate } from '../program/predicate.js';
import { type Budget, FALSE, LEAF, TRUE } from '../space/bdd.js';
import type { EvaluationContext } from '../space/context.js';
import { verdictsOnly } from '../space/decisions.js';
import { EVALUATION_PREDICATES, effect, evaluationContext, matchOf } from '../space/evaluate.js';
import { createSpace } from '../space/space.js';
import { everyRuleHasWitness } from './witness.js';

export type Side = 'accept' | 'refuse';

/** The use of a rule, over all paths on which it is reached. */
export interface RuleCoverage {
  /** Some packet reaches and matches it. */
  alive: boolean;
  /** Some packet matches it at all. */
  possible: boolean;
  /** Some packet matches it and the calls that lead to its chain. */
  called: boolean;
  /** On every path, the rules behind it would accept what it accepts. */
  needless: boolean;
  /** Verdicts that earlier rules gave to its packets. */
  readonly earlier: Set<Side>;
  /** The same for its packets from outside that open a connection, for which most rules are written. */
  readonly first: Set<Side>;
  /** The rules that decided on these, or, where there are none, on any of its packets; in order. */
  readonly blockers: Set<CompiledRule>;
  /** The rules that decided on any of its packets. */
  readonly hiddenBy: Set<CompiledRule>;
  /** On every path, an earlier rule with the same verdict matches all that it matches: these. */
  twins: Set<CompiledRule> | 'none';
}

/** Packets that open a connection, not on `lo`. */
const FIRST_FROM_OUTSIDE: readonly Predicate[] = [
  field('state', one(STATE.NEW)),
  notLoopback('in'),
  notLoopback('out'),
];

/**
 * The coverage of every rule that a built-in chain leads to. Empty where every rule is shown to be of use without sets
 * of packets.
 * @throws OverBudget, ChainLoopError
 */
export function ruleCoverage(
  ruleset: CompiledRuleset,
  budget: Budget,
): ReadonlyMap<CompiledRule, RuleCoverage> {
  const coverage = new Map<CompiledRule, RuleCoverage>();
  if ([...ruleset.chains.values()].every(({ rules }) => rules.length === 0)) return coverage;
  if (everyRuleHasWitness(ruleset)) return coverage;
  const predicates = [...EVALUATION_PREDICATES, ...FIRST_FROM_OUTSIDE];
  const space = createSpace(ruleset.family, [ruleset], predicates, budget);
  const first = space.encode(all(...FIRST_FROM_OUTSIDE));
  for (const { stage, hook } of everyStage(ruleset)) {
    const chain = chainOf(ruleset, stage.table, stage.chain);
    if (chain === undefined) continue;
    const decisions = verdictsOnly(space.manager);
    const context = evaluationContext({ space, ruleset, hook, decisions }, stage, () => decisions.accepted);
    const end = chain.policy === 'DROP' ? decisions.refuseBy('drop', undefined, stage) : decisions.accepted;
    visit(
      { context, coverage, first, taken: { accept: FALSE, refuse: FALSE }, before: [] },
      chain,
      { arriving: TRUE, undecided: TRUE },
      end,
      [],
    );
  }
  return coverage;
}

/** Every built-in chain once, with a hook that passes it. */
function everyStage(
  ruleset: CompiledRuleset,
): readonly { readonly stage: TableStage; readonly hook: Hook }[] {
  const found = new Map<string, { readonly stage: TableStage; readonly hook: Hook }>();
  for (const hook of HOOKS)
    for (const stage of tableStages(ruleset, hook)) {
      // What others made with nft is not ours to judge.
      if (isNative(stage.table)) continue;
      const key = chainKey(stage.table, stage.chain);
      if (!found.has(key)) found.set(key, { stage, hook });
    }
  return [...found.values()];
}

/** One built-in chain, from the first rule to the last. */
interface Visit {
  readonly context: EvaluationContext;
  readonly coverage: Map<CompiledRule, RuleCoverage>;
  /** The packets of {@link FIRST_FROM_OUTSIDE}. */
  readonly first: number;
  /** Packets that rules so far have decided on. */
  readonly taken: { accept: number; refuse: number };
  /** Rules that decided on any, in order. */
  readonly before: Decided[];
}

interface Decided {
  readonly rule: CompiledRule;
  readonly verdict: Side;
  readonly packets: number;
  /** What it would match, if no rule before had decided on any. */
  readonly wanted: number;
}

interface Entering {
  /** The packets that enter the chain. */
  readonly arriving: number;
  /** Those that would, if no rule before had decided on any. */
  readonly undecided: number;
}

/** Returns the packets that leave the chain at its end. */
function visit(
  state: Visit,
  chain: CompiledChain,
  { arriving, undecided }: Entering,
  end: number,
  path: CallPath,
): number {
  const { context, taken } = state;
  const { space } = context;
  const { and, or, diff } = space.manager;
  const rests = resultsBehind(context, chain, end, path);
  let reach = arriving;
  let returned = FALSE;
  for (const [index, rule] of chain.rules.entries()) {
    const match = matchOf(context, rule, path);
    const hit = and(reach, match);
    const wanted = and(undecided, match);
    const rest = rests[index] as number;
    record(state, rule, match, wanted, hit, rest);
    if (hit === FALSE) continue;
    const left = diff(reach, match);
    const { action } = rule;
    const decide = (verdict: Side): void => {
      taken[verdict] = or(taken[verdict], hit);
      state.before.push({ rule, verdict, packets: hit, wanted });
      reach = left;
    };
    switch (action.kind) {
      case 'accept':
      case 'snat':
      case 'dnat':
        decide('accept');
        break;
      case 'drop':
      case 'reject':
        decide('refuse');
        break;
      case 'return':
        returned = or(returned, hit);
        reach = left;
        break;
      case 'call': {
        const inner = calledChain(context.ruleset, rule);
        if (inner === undefined || path.length > 512) break;
        const entering = { arriving: hit, undecided: wanted };
        const back = visit(state, inner, entering, action.goto ? end : rest, [...path, rule]);
        if (action.goto) returned = or(returned, back);
        reach = action.goto ? left : or(left, back);
        break;
      }
      case 'mark':
      case 'unknownMark':
        // Packets leave with other marks than they came with.
        reach = space.exists(reach, 'mark');
        break;
      case 'external':
        if (action.continues === null) reach = left;
        break;
      default:
        break;
    }
  }
  return or(returned, reach);
}

/** The result for packets behind each rule of a chain. */
function resultsBehind(
  context: EvaluationContext,
  { rules }: CompiledChain,
  end: number,
  path: CallPath,
): readonly number[] {
  const rests: number[] = [];
  let rest = end;
  for (let index = rules.length - 1; index >= 0; index--) {
    const rule = rules[index] as CompiledRule;
    rests[index] = rest;
    if (rule.action.kind === 'continue') continue;
    const result = effect(context, rule, context.accept, end, rest, path);
    rest = context.space.manager.ite(matchOf(context, rule, path), result, rest);
  }
  return rests;
}

/** Adds what one path says about a rule to its coverage. */
function record(
  { context, coverage, first, taken, before }: Visit,
  rule: CompiledRule,
  match: number,
  wanted: number,
  hit: number,
  rest: number,
): void {
  const { and, diff, level } = context.space.manager;
  let entry = coverage.get(rule);
  if (entry === undefined) {
    entry = {
      alive: false,
      possible: false,
      called: false,
      needless: true,
      earlier: new Set(),
      first: new Set(),
      blockers: new Set(),
      hiddenBy: new Set(),
      twins: new Set(),
    };
    coverage.set(rule, entry);
  } else if (before.some((earlier) => earlier.rule === rule && and(earlier.packets, wanted) !== FALSE))
    // Behind an earlier call of the same chain, the rule that accepts its packets may be the rule itself.
    entry.needless = false;
  if (match !== FALSE) entry.possible = true;
  if (wanted !== FALSE) entry.called = true;
  if (hit !== FALSE) {
    entry.alive = true;
    const accepted = context.decisions.where(rest, 'accept');
    if (level(rest) === LEAF || diff(hit, accepted) !== FALSE) entry.needless = false;
    return;
  }
  const wantedFirst = and(wanted, first);
  for (const verdict of ['accept', 'refuse'] as const) {
    if (and(wanted, taken[verdict]) !== FALSE) entry.earlier.add(verdict);
    if (and(wantedFirst, taken[verdict]) !== FALSE) entry.first.add(verdict);
  }
  const relevant = wantedFirst === FALSE ? wanted : wantedFirst;
  const deciding = before.filter(({ packets }) => and(packets, relevant) !== FALSE);
  for (const { rule: blocker, packets } of before)
    if (and(packets, wanted) !== FALSE) entry.hiddenBy.add(blocker);
  for (const { rule: blocker } of fewest(deciding, relevant, context)) entry.blockers.add(blocker);
  const twin = before.find((each) => sideOf(rule) === each.verdict && diff(wanted, each.wanted) === FALSE);
  if (twin === undefined) entry.twins = 'none';
  else if (entry.twins !== 'none') entry.twins.add(twin.rule);
}

/** More rules than this are not tried one by one. */
const MOST_TRIED = 32;

/** Of rules that together match all of some packets the fewest that do: one if one is enough, the first of several. */
function fewest(
  deciding: readonly Decided[],
  packets: number,
  { space: { manager } }: EvaluationContext,
): readonly Decided[] {
  const alone = deciding.find(({ wanted }) => manager.diff(packets, wanted) === FALSE);
  if (alone !== undefined) return [alone];
  if (deciding.length > MOST_TRIED) return deciding;
  // Later ones first: an earlier rule decides on what both match.
  return deciding.reduceRight<readonly Decided[]>((kept, each) => {
    const others = kept.filter((other) => other !== each);
    const left = others.reduce((rest, { wanted }) => manager.diff(rest, wanted), packets);
    return left === FALSE ? others : kept;
  }, deciding);
}

/** The verdict that a rule gives itself; `undefined` where its target gives none. */
export function sideOf({ action }: CompiledRule): Side | undefined {
  if (action.kind === 'accept' || action.kind === 'snat') return 'accept';
  return action.kind === 'drop' || action.kind === 'reject' ? 'refuse' : undefined;
}
