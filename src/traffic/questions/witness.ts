/**
 * One packet for each rule that shows its use: it reaches the rule, matches it and, where the rule accepts, would be
 * refused without it. For rules that do not overlap the first attempt succeeds, which is far cheaper than sets of packets.
 */

import { has, intersect, type Range, type Ranges, subtract, union } from '../../lib/ranges.js';
import {
  type CompiledChain,
  type CompiledRule,
  type CompiledRuleset,
  calledChain,
  isNative,
} from '../program/compiled-ruleset.js';
import { domain, FIELDS, type Field } from '../program/fields.js';
import { evaluatePredicate, leaves, type Predicate, type Unknown } from '../program/predicate.js';

/** A rule and the calls that lead to it. */
interface Reachable {
  readonly rule: CompiledRule;
  readonly path: readonly CompiledRule[];
}

interface Witness {
  readonly values: ReadonlyMap<Field, bigint>;
  /** Unmodelled matches that are assumed true, by name; all others are false. */
  readonly given: ReadonlySet<unknown>;
}

/** True when every rule that a built-in chain leads to has a witness; false says nothing. */
export function everyRuleHasWitness(ruleset: CompiledRuleset): boolean {
  const used = [...ruleset.chains.values()].filter(
    ({ table, rules }) => rules.length > 0 && !isNative(table),
  );
  const simple = used.every(
    ({ table, rewrites, rules }) =>
      table === 'filter' && !rewrites && rules.every(({ match }) => !testsHistory(match)),
  );
  if (!simple) return false;
  const usual = usualValues(ruleset);
  return used
    .filter(({ policy }) => policy !== undefined)
    .every((chain) =>
      reachableFrom(ruleset, chain).every((reachable) => hasWitness(ruleset, chain, reachable, usual)),
    );
}

/** What a packet has depends on what happened to it before: a witness is one as it arrives. */
const testsHistory = (match: Predicate): boolean =>
  leaves(match).some((leaf) => leaf.kind === 'mark' || (leaf.kind === 'field' && SET_BY_NAT.has(leaf.field)));

const SET_BY_NAT: ReadonlySet<Field> = new Set(['translated', 'originalDst', 'originalDport']);

/** For each field a value that no rule tests, where there is one. */
function usualValues({ family, chains }: CompiledRuleset): ReadonlyMap<Field, bigint> {
  const tested = new Map<Field, Range[]>();
  for (const { rules } of chains.values())
    for (const { match } of rules)
      for (const leaf of leaves(match)) {
        if (leaf.kind !== 'field') continue;
        const known = tested.get(leaf.field) ?? [];
        tested.set(leaf.field, known);
        for (const range of leaf.ranges) known.push(range);
      }
  return new Map(
    FIELDS.map((field) => {
      const all = domain(field, family);
      const ranges = tested.get(field) ?? [];
      const last = all[1];
      if (!ranges.some(([, to]) => to === last)) return [field, last];
      const free = subtract([all], union(ranges));
      return [field, (free.at(-1) ?? all)[1]];
    }),
  );
}

/** Each rule below a built-in chain once, by the first call path to it. */
function reachableFrom(ruleset: CompiledRuleset, start: CompiledChain): readonly Reachable[] {
  const seen = new Set<CompiledChain>();
  const visit = (chain: CompiledChain, path: readonly CompiledRule[]): readonly Reachable[] => {
    if (seen.has(chain)) return [];
    seen.add(chain);
    return chain.rules.flatMap((rule) => {
      const inner = calledChain(ruleset, rule);
      return [{ rule, path }, ...(inner === undefined ? [] : visit(inner, [...path, rule]))];
    });
  };
  return visit(start, []);
}

function hasWitness(
  ruleset: CompiledRuleset,
  start: CompiledChain,
  { rule, path }: Reachable,
  usual: ReadonlyMap<Field, bigint>,
): boolean {
  const wanted = new Map<Field, Ranges>();
  const given = new Set<unknown>();
  for (const { match } of [...path, rule]) narrowTo(match, wanted, given);
  if ([...wanted.values()].some((ranges) => ranges.length === 0)) return false;
  return [0, -1].some((end) => {
    const values = new Map(usual);
    for (const [field, ranges] of wanted) values.set(field, ranges.at(end)?.[end === 0 ? 0 : 1] ?? 0n);
    const attempt: Attempt = { ruleset, witness: { values, given }, skipped: rule, reached: false };
    const verdict = through(attempt, start, 0);
    return attempt.reached && (rule.action.kind !== 'accept' || verdict === 'refuse');
  });
}

/** Narrows the wanted values to those that match; of several alternatives, the first. */
function narrowTo(match: Predicate, wanted: Map<Field, Ranges>, given: Set<unknown>): void {
  switch (match.kind) {
    case 'field': {
      const known = wanted.get(match.field);
      wanted.set(match.field, known === undefined ? match.ranges : intersect(known, match.ranges));
      return;
    }
    case 'all':
      for (const part of match.of) narrowTo(part, wanted, given);
      return;
    case 'any':
      for (const part of match.of.slice(0, 1)) narrowTo(part, wanted, given);
      return;
    case 'unknown':
      given.add(nameOf(match));
      return;
    default:
      return;
  }
}

/** Pure matches with the same text have the same result; each of the others has its own. */
const nameOf = (match: Unknown): unknown => (match.pure ? match.text : match);

const holds = (match: Predicate, { values, given }: Witness): boolean =>
  evaluatePredicate<never>(match, (leaf) => {
    if (leaf.kind === 'field') return has(leaf.ranges, values.get(leaf.field) ?? 0n);
    return leaf.kind === 'unknown' && given.has(nameOf(leaf));
  });

interface Attempt {
  readonly ruleset: CompiledRuleset;
  readonly witness: Witness;
  /** The rule in question: whether it is reached is noted, and it is skipped. */
  readonly skipped: CompiledRule;
  reached: boolean;
}

type Result = 'accept' | 'refuse' | 'return' | 'unknown';

const RESULTS: { readonly [kind in string]?: Result } = {
  accept: 'accept',
  drop: 'refuse',
  reject: 'refuse',
  return: 'return',
};

/** The verdict on the witness in a chain; loops and other special cases are unknown. */
function through(attempt: Attempt, chain: CompiledChain, depth: number): Result {
  if (depth > 64) return 'unknown';
  for (const rule of chain.rules) {
    if (!holds(rule.match, attempt.witness)) continue;
    if (rule === attempt.skipped) {
      attempt.reached = true;
      // A jump is skipped only when it is the rule in question itself.
      continue;
    }
    const { action } = rule;
    if (action.kind === 'continue') continue;
    const result = RESULTS[action.kind];
    if (result !== undefined) return resultOf(chain, result);
    const inner = calledChain(attempt.ruleset, rule);
    if (inner === undefined) return 'unknown';
    const after = through(attempt, inner, depth + 1);
    if (after !== 'return') return after;
    if (action.kind === 'call' && action.goto) return resultOf(chain, 'return');
  }
  return resultOf(chain, 'return');
}

/** A packet that reaches the end of a built-in chain gets the chain's policy. */
const resultOf = ({ policy }: CompiledChain, result: Result): Result =>
  result !== 'return' || policy === undefined ? result : policy === 'DROP' ? 'refuse' : 'accept';
