/**
 * Names for what is not modelled, so that the same thing before and after a change has the same name. A limit has a
 * state of its own in every rule that holds one: the n-th rule with the same text in the same chain is taken for the
 * same rule, and of those that are left the n-th match with the same text for the same match. Rules that no packet comes
 * to are not counted.
 */

import {
  type CompiledChain,
  type CompiledRule,
  type CompiledRuleset,
  chainKey,
} from '../program/compiled-ruleset.js';
import type { Predicate, Unknown } from '../program/predicate.js';
import { ALWAYS, leaves } from '../program/predicate.js';

/** An unknown of one rule, or a test of a mark, which may come to be unknown. */
export type Occurrence = Unknown | Extract<Predicate, { kind: 'mark' }>;

export const occurrenceText = (occurrence: Occurrence): string =>
  occurrence.kind === 'unknown'
    ? occurrence.text
    : `mark --mark 0x${occurrence.value.toString(16)}/0x${occurrence.mask.toString(16)}`;

export const isPure = (occurrence: Occurrence): boolean => occurrence.kind === 'unknown' && occurrence.pure;

function occurrences(step: CompiledRule): readonly Occurrence[] {
  const found = leaves(step.match).filter((leaf) => leaf.kind !== 'field');
  const { action } = step;
  if (action.kind === 'send') found.push(action.choice);
  if (action.kind === 'ask') found.push(...(action.continues ? [action.continues] : []), action.accepts);
  return found;
}

interface Seen {
  readonly occurrence: Occurrence;
  readonly strong: string;
  readonly weak: string;
}

/** A name for each occurrence; of pure ones it is their text alone. */
export function nameOccurrences(programs: readonly CompiledRuleset[]): ReadonlyMap<Occurrence, string> {
  const names = new Map<Occurrence, string>();
  const lists = programs.map((program) => seenIn(program, names));
  const [first = [], second] = lists;
  if (second === undefined) number(first, 'strong', names, '');
  else {
    const shared = common(first, second, 'strong');
    for (const list of lists) number(list.filter(shared), 'strong', names, '=');
    const rest = lists.map((list) => list.filter((seen) => !names.has(seen.occurrence)));
    for (const list of rest) number(list, 'weak', names, '~');
  }
  for (const program of programs)
    for (const { rules: steps } of program.chains.values())
      for (const occurrence of steps.flatMap(occurrences))
        if (!names.has(occurrence)) names.set(occurrence, `never asked\n${occurrenceText(occurrence)}`);
  return names;
}

/** Chains that some packet may come to, in the order of the program, without what stands behind a step that decides on all. */
function living(program: CompiledRuleset): readonly (readonly CompiledRule[])[] {
  const steps = new Map<CompiledChain, readonly CompiledRule[]>();
  const queue = [...program.chains.values()].filter(({ policy }) => policy !== undefined);
  for (let routine = queue.pop(); routine !== undefined; routine = queue.pop()) {
    if (steps.has(routine)) continue;
    const last = routine.rules.findIndex((step) => decidesAll(program, step, []));
    const alive = last === -1 ? routine.rules : routine.rules.slice(0, last + 1);
    steps.set(routine, alive);
    for (const { table, action } of alive) {
      const next = action.kind === 'call' ? program.chains.get(chainKey(table, action.chain)) : undefined;
      if (next !== undefined) queue.push(next);
    }
  }
  return [...program.chains.values()].map((routine) => steps.get(routine) ?? []);
}

const VERDICTS: ReadonlySet<string> = new Set(['accept', 'drop', 'reject']);

function decidesAll(
  program: CompiledRuleset,
  { match, action, table }: CompiledRule,
  open: readonly string[],
): boolean {
  if (match !== ALWAYS) return false;
  if (action.kind !== 'call') return VERDICTS.has(action.kind);
  const chain = program.chains.get(chainKey(table, action.chain));
  if (chain === undefined || action.goto || open.includes(action.chain)) return false;
  const inside = [...open, action.chain];
  const last = chain.rules.findIndex((step) => decidesAll(program, step, inside));
  return (
    last !== -1 &&
    chain.rules
      .slice(0, last)
      .every((step) => step.action.kind !== 'return' && !(step.action.kind === 'call' && step.action.goto))
  );
}

function seenIn(program: CompiledRuleset, names: Map<Occurrence, string>): readonly Seen[] {
  const found: Seen[] = [];
  for (const steps of living(program))
    for (const step of steps)
      for (const occurrence of occurrences(step)) {
        const text = occurrenceText(occurrence);
        if (isPure(occurrence)) names.set(occurrence, text);
        else
          found.push({
            occurrence,
            strong: [step.table, step.chain, step.spec.text, text].join('\n'),
            weak: text,
          });
      }
  return found;
}

/** Whether the n-th of its text is in both lists; asked of each member of both, in order. */
function common(a: readonly Seen[], b: readonly Seen[], by: 'strong' | 'weak'): (seen: Seen) => boolean {
  const count = (list: readonly Seen[]): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const seen of list) counts.set(seen[by], (counts.get(seen[by]) ?? 0) + 1);
    return counts;
  };
  const [left, right] = [count(a), count(b)];
  const used = new Map<Seen, boolean>();
  for (const list of [a, b]) {
    const at = new Map<string, number>();
    for (const seen of list) {
      const index = at.get(seen[by]) ?? 0;
      at.set(seen[by], index + 1);
      used.set(seen, index < Math.min(left.get(seen[by]) ?? 0, right.get(seen[by]) ?? 0));
    }
  }
  return (seen) => used.get(seen) ?? false;
}

function number(
  list: readonly Seen[],
  by: 'strong' | 'weak',
  names: Map<Occurrence, string>,
  prefix: string,
): void {
  const counts = new Map<string, number>();
  for (const seen of list) {
    const index = counts.get(seen[by]) ?? 0;
    counts.set(seen[by], index + 1);
    names.set(seen.occurrence, `${prefix}${index}\n${seen[by]}`);
  }
}
