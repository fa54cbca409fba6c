/** The packet marks that the rules can set, so that a mark is one of a few values. */

import type { CompiledRuleset } from '../program/compiled-ruleset.js';
import { MARKS } from '../program/fields.js';

/** The index of a mark that is not known. */
export const UNKNOWN_MARK = MARKS - 1n;

/** `-j MARK --set-xmark value/mask`: the mark that results. */
export const setMark = (mark: number, value: number, mask: number): number => ((mark & ~mask) ^ value) >>> 0;

/** `-m mark --mark value/mask`. */
export const testMark = (mark: number, value: number, mask: number): boolean => (mark & mask) >>> 0 === value;

/** Whether a mask replaces the whole mark. */
export const isWhole = (mask: number): boolean => mask >>> 0 === 0xffffffff;

/** Every mark that a packet without one can get, 0 first; at most `MARKS - 1`, the others count as unknown. */
export function reachableMarks(rulesets: readonly CompiledRuleset[]): readonly number[] {
  const changes = rulesets.flatMap(({ chains }) =>
    [...chains.values()].flatMap(({ rules }) =>
      rules.flatMap(({ action }) => (action.kind === 'mark' ? [action] : [])),
    ),
  );
  // A mark that is replaced as a whole is known even where the one before was not.
  const marks = new Set([0, ...changes.filter(({ mask }) => isWhole(mask)).map(({ value }) => value)]);
  for (const mark of marks)
    for (const { value, mask } of changes)
      if (marks.size < Number(MARKS) - 1) marks.add(setMark(mark, value, mask));
  return [...marks].slice(0, Number(MARKS) - 1);
}
