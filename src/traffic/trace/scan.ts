/** Rules that match one packet, or all but match it, whether or not an earlier one decided. */

import { has } from '../../lib/ranges.js';
import {
  type CompiledChain,
  type CompiledRule,
  type CompiledRuleset,
  chainKey,
} from '../program/compiled-ruleset.js';
import type { Field } from '../program/fields.js';
import type { Predicate } from '../program/predicate.js';

/** Rules that are looked at for one packet. */
export const MAX_RULES = 50_000;

export interface Scan {
  readonly ruleset: CompiledRuleset;
  readonly values: ReadonlyMap<Field, bigint>;
  left: number;
}

/**
 * Rules that match the packet, in the order in which they are read, whether or not an earlier one decided.
 * @param but a field that may have any value; then only rules that its own value keeps from matching are found
 */
export function findMatching(
  scan: Scan,
  routine: CompiledChain,
  but: Field | undefined,
  wanted: (step: CompiledRule) => boolean,
): readonly CompiledRule[] {
  const found: CompiledRule[] = [];
  const visit = (chain: CompiledChain, near: boolean, depth: number): void => {
    for (const step of chain.rules) {
      if (--scan.left < 0 || depth > 64) return;
      const fits = ask(step.match, scan.values, but);
      if (fits === false) continue;
      const nearly = near || (but !== undefined && ask(step.match, scan.values, undefined) === false);
      if (step.action.kind === 'return' && fits === true && !nearly) return;
      if (wanted(step) && (but === undefined ? fits === true : nearly)) found.push(step);
      const inner =
        step.action.kind === 'call'
          ? scan.ruleset.chains.get(chainKey(step.table, step.action.chain))
          : undefined;
      if (inner !== undefined) visit(inner, nearly, depth + 1);
    }
  };
  visit(routine, false, 0);
  return found;
}

/** True, false, or `undefined` where it hangs on the field that is left open or on what is not modelled. */
function ask(
  predicate: Predicate,
  values: ReadonlyMap<Field, bigint>,
  but: Field | undefined,
): boolean | undefined {
  switch (predicate.kind) {
    case 'field': {
      const value = values.get(predicate.field);
      return value === undefined || predicate.field === but ? undefined : has(predicate.ranges, value);
    }
    case 'not': {
      const answer = ask(predicate.of, values, but);
      return answer === undefined ? undefined : !answer;
    }
    case 'all':
    case 'any': {
      const decisive = predicate.kind === 'any';
      const answers = predicate.of.map((each) => ask(each, values, but));
      if (answers.includes(decisive)) return decisive;
      return answers.includes(undefined) ? undefined : !decisive;
    }
    default:
      return undefined;
  }
}
