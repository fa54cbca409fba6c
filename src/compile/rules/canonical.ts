/** Text of this room made into rules by the language itself: canonical by construction, text and fields in agreement. */

import type { Family } from '../../lib/family.js';
import type { Problem, SourceLocation } from '../../lib/problem.js';
import type { Rule, TableName } from '../../netfilter/model.js';
import { parseRules } from '../../netfilter/text/parse.js';

/** Canonical rules by family and text: the hosts of a role have most of their rules in common. */
export type Canonical = Map<string, readonly Rule[]>;

export interface RuleLocation {
  readonly family: Family;
  readonly table: TableName;
  readonly chain: string;
  readonly location: SourceLocation;
}

/** The rules that a text stands for, at the place of the policy that it comes from; problems go to `problems`. */
export function canonicalRules(
  text: string,
  spot: RuleLocation,
  known: Canonical,
  problems: Problem[],
): readonly Rule[] {
  const key = `${spot.family} ${text}`;
  const found = known.get(key);
  if (found !== undefined) return found.map((rule) => at(rule, spot.location));
  const read = parseRules(text, spot);
  problems.push(...read.problems);
  if (!read.ok) return [];
  known.set(key, read.value);
  return read.value;
}

const at = (rule: Rule, location: SourceLocation): Rule =>
  rule.location === location ? rule : { ...rule, location };
