/** The packet marks that the rules can make, so that a mark is one of a few values. */

import type { CompiledRuleset } from '../program/compiled-ruleset.js';
import { MARKS } from '../program/fields.js';

/** The index of a mark that nobody knows. */
export const UNKNOWN_MARK = MARKS - 1n;

export const setMark = (mark: number, value: number, mask: number): number => ((mark & ~mask) ^ value) >>> 0;
export const testMark = (mark: number, value: number, mask: number): boolean => (mark & mask) >>> 0 === value;

/** Every mark that a packet without one can get, 0 first; at most `MARKS - 1`, the rest count as unknown. */
export function reachableMarks(programs: readonly CompiledRuleset[]): readonly number[] {
  const changes = programs.flatMap((program) =>
    [...program.chains.values()].flatMap((routine) =>
      routine.rules.flatMap(({ action }) => (action.kind === 'mark' ? [action] : [])),
    ),
  );
  // A mark that is set whole is known even where the one before was not.
  const marks = new Set([0, ...changes.filter(({ mask }) => isWhole(mask)).map(({ value }) => value)]);
  for (const mark of marks)
    for (const { value, mask } of changes)
      if (marks.size < Number(MARKS) - 1) marks.add(setMark(mark, value, mask));
  return [...marks].slice(0, Number(MARKS) - 1);
}

export const isWhole = (mask: number): boolean => mask >>> 0 === 0xffffffff;
