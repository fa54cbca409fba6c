/**
 * One packet for each rule that shows its use: it comes to the rule, matches it and, where the rule accepts, would be
 * refused without it. Rules that do not overlap have one at the first try, which is far cheaper than sets of packets.
 */

import { has, intersect, type Range, type Ranges, subtract, union } from '../../lib/ranges.js';
import {
  type CompiledChain,
  type CompiledRule,
  type CompiledRuleset,
  chainKey,
} from '../program/compiled-ruleset.js';
import { domain, FIELDS, type Field } from '../program/fields.js';
import type { Predicate, Unknown } from '../program/predicate.js';
import { leaves } from '../program/predicate.js';

/** A rule and the jumps that lead to it. */
interface Sight {
  readonly step: CompiledRule;
  readonly path: readonly CompiledRule[];
}

interface Witness {
  readonly values: ReadonlyMap<Field, bigint>;
  /** Unmodelled matches that are taken to be true, by name; all others are false. */
  readonly given: ReadonlySet<unknown>;
}

/** True when every rule that a built-in chain leads to has a witness; false says nothing. */
export function everyRuleHasWitness(program: CompiledRuleset): boolean {
  const busy = [...program.chains.values()].filter(({ rules: steps }) => steps.length > 0);
  const simple = busy.every(
    ({ table, rewrites, rules: steps }) =>
      table === 'filter' && !rewrites && steps.every(({ match }) => !asksForMark(match)),
  );
  if (!simple) return false;
  const usual = usualValues(program);
  return busy
    .filter(({ policy }) => policy !== undefined)
    .every((routine) =>
      sightsFrom(program, routine).every((sight) => hasWitness(program, routine, sight, usual)),
    );
}

const asksForMark = (match: Predicate): boolean => leaves(match).some(({ kind }) => kind === 'mark');

/** For each field a value that no rule asks for, where there is one. */
function usualValues({ family, chains: routines }: CompiledRuleset): ReadonlyMap<Field, bigint> {
  const asked = new Map<Field, Range[]>();
  for (const { rules: steps } of routines.values())
    for (const { match } of steps)
      for (const leaf of leaves(match)) {
        if (leaf.kind !== 'field') continue;
        const known = asked.get(leaf.field) ?? [];
        asked.set(leaf.field, known);
        known.push(...leaf.ranges);
      }
  return new Map(
    FIELDS.map((field) => {
      const all = domain(field, family);
      const ranges = asked.get(field) ?? [];
      const last = all[1];
      if (!ranges.some(([, to]) => to === last)) return [field, last];
      const free = subtract([all], union(ranges));
      return [field, (free.at(-1) ?? all)[1]];
    }),
  );
}

/** Each rule below a built-in chain once, by the first way to it. */
function sightsFrom(program: CompiledRuleset, start: CompiledChain): readonly Sight[] {
  const seen = new Set<CompiledChain>();
  const visit = (routine: CompiledChain, path: readonly CompiledRule[]): readonly Sight[] => {
    if (seen.has(routine)) return [];
    seen.add(routine);
    return routine.rules.flatMap((step) => {
      const inner = calledBy(program, step);
      return [{ step, path }, ...(inner === undefined ? [] : visit(inner, [...path, step]))];
    });
  };
  return visit(start, []);
}

const calledBy = (program: CompiledRuleset, { table, action }: CompiledRule): CompiledChain | undefined =>
  action.kind === 'call' ? program.chains.get(chainKey(table, action.chain)) : undefined;

function hasWitness(
  program: CompiledRuleset,
  start: CompiledChain,
  { step, path }: Sight,
  usual: ReadonlyMap<Field, bigint>,
): boolean {
  const wanted = new Map<Field, Ranges>();
  const given = new Set<unknown>();
  for (const { match } of [...path, step]) want(match, wanted, given);
  if ([...wanted.values()].some((ranges) => ranges.length === 0)) return false;
  return [0, -1].some((end) => {
    const values = new Map(usual);
    for (const [field, ranges] of wanted) values.set(field, ranges.at(end)?.[end === 0 ? 0 : 1] ?? 0n);
    const walk: Walk = { program, witness: { values, given }, without: step, reached: false };
    const verdict = through(walk, start, 0);
    return walk.reached && (step.action.kind !== 'accept' || verdict === 'refuse');
  });
}

/** Narrows what a witness must be; of several ways to match, the first. */
function want(match: Predicate, wanted: Map<Field, Ranges>, given: Set<unknown>): void {
  switch (match.kind) {
    case 'field': {
      const known = wanted.get(match.field);
      wanted.set(match.field, known === undefined ? match.ranges : intersect(known, match.ranges));
      return;
    }
    case 'all':
      for (const part of match.of) want(part, wanted, given);
      return;
    case 'any':
      for (const part of match.of.slice(0, 1)) want(part, wanted, given);
      return;
    case 'unknown':
      given.add(nameOf(match));
      return;
    default:
      return;
  }
}

/** Pure matches with one text have one answer; of the others each has its own. */
const nameOf = (match: Unknown): unknown => (match.pure ? match.text : match);

function holds(match: Predicate, witness: Witness): boolean {
  switch (match.kind) {
    case 'field':
      return has(match.ranges, witness.values.get(match.field) ?? 0n);
    case 'all':
      return match.of.every((part) => holds(part, witness));
    case 'any':
      return match.of.some((part) => holds(part, witness));
    case 'not':
      return !holds(match.of, witness);
    case 'unknown':
      return witness.given.has(nameOf(match));
    case 'mark':
      return false;
  }
}

interface Walk {
  readonly program: CompiledRuleset;
  readonly witness: Witness;
  /** The rule in question: its being reached is noted, and it is passed over. */
  readonly without: CompiledRule;
  reached: boolean;
}

type End = 'accept' | 'refuse' | 'fall' | 'unsure';

const ENDS: { readonly [kind: string]: End } = {
  accept: 'accept',
  drop: 'refuse',
  reject: 'refuse',
  return: 'fall',
};

/** What becomes of the witness in a chain. Loops and whatever else is not plain end unsure. */
function through(walk: Walk, routine: CompiledChain, depth: number): End {
  if (depth > 64) return 'unsure';
  for (const step of routine.rules) {
    if (!holds(step.match, walk.witness)) continue;
    if (step === walk.without) {
      walk.reached = true;
      // A jump is passed over for good only when it is asked about itself.
      continue;
    }
    const { action } = step;
    if (action.kind === 'continue') continue;
    const end = ENDS[action.kind];
    if (end !== undefined) return endOf(routine, end);
    const inner = calledBy(walk.program, step);
    if (inner === undefined) return 'unsure';
    const after = through(walk, inner, depth + 1);
    if (after !== 'fall') return after;
    if (action.kind === 'call' && action.goto) return endOf(routine, 'fall');
  }
  return endOf(routine, 'fall');
}

/** A packet that falls out of a built-in chain gets the chain's policy. */
const endOf = ({ policy }: CompiledChain, end: End): End =>
  end !== 'fall' || policy === undefined ? end : policy === 'DROP' ? 'refuse' : 'accept';
