/** Rules that match one packet, or nearly match it, whether or not an earlier one decided. */

import { has } from '../../lib/ranges.js';
import {
  type CompiledChain,
  type CompiledRule,
  type CompiledRuleset,
  calledChain,
} from '../program/compiled-ruleset.js';
import type { Field } from '../program/fields.js';
import { evaluatePredicate, type Predicate } from '../program/predicate.js';

/** The most rules that are tested for one packet. */
export const MOST_RULES = 50_000;

export interface Scan {
  readonly ruleset: CompiledRuleset;
  readonly values: ReadonlyMap<Field, bigint>;
  /** How many rules may still be tested. */
  left: number;
}

/**
 * Rules that match the packet, in the order of evaluation, whether or not an earlier one decided.
 * @param but a field that may have any value: only rules that its own value keeps from matching are found then
 */
export function findMatching(
  scan: Scan,
  start: CompiledChain,
  but: Field | undefined,
  wanted: (rule: CompiledRule) => boolean,
): readonly CompiledRule[] {
  const found: CompiledRule[] = [];
  const visit = (chain: CompiledChain, near: boolean, depth: number): void => {
    for (const rule of chain.rules) {
      if (--scan.left < 0 || depth > 64) return;
      const result = evaluate(rule.match, scan.values, but);
      if (result === false) continue;
      const nearly = near || (but !== undefined && evaluate(rule.match, scan.values, undefined) === false);
      if (rule.action.kind === 'return' && result === true && !nearly) return;
      if (wanted(rule) && (but === undefined ? result === true : nearly)) found.push(rule);
      const inner = calledChain(scan.ruleset, rule);
      if (inner !== undefined) visit(inner, nearly, depth + 1);
    }
  };
  visit(start, false, 0);
  return found;
}

/** True, false, or `undefined` where it depends on the field that is left open or on an unmodelled match. */
const evaluate = (
  predicate: Predicate,
  values: ReadonlyMap<Field, bigint>,
  but: Field | undefined,
): boolean | undefined =>
  evaluatePredicate<undefined>(predicate, (leaf) => {
    const value = leaf.kind === 'field' && leaf.field !== but ? values.get(leaf.field) : undefined;
    return leaf.kind === 'field' && value !== undefined ? has(leaf.ranges, value) : undefined;
  });
