/** Text of this room made into rules by the language itself: canonical by construction, text and fields in agreement. */
import type { Family, Rule, TableName } from '../netfilter/model.js';
import { parseRules } from '../netfilter/parse.js';
import type { Place, Problem } from '../problem.js';

/** Canonical rules by family and text: the hosts of a role have most of their rules in common. */
export type Canonical = Map<string, readonly Rule[]>;

export interface Spot {
  readonly family: Family;
  readonly table: TableName;
  readonly chain: string;
  readonly place: Place;
}

/** The rules that a text stands for, at the place of the policy that it comes from; problems go to `problems`. */
export function canonicalRules(
  text: string,
  spot: Spot,
  known: Canonical,
  problems: Problem[],
): readonly Rule[] {
  const key = `${spot.family} ${text}`;
  const found = known.get(key);
  if (found !== undefined) return found.map((rule) => at(rule, spot.place));
  const read = parseRules(text, spot);
  problems.push(...read.problems);
  if (!read.ok) return [];
  known.set(key, read.value);
  return read.value;
}

const at = (rule: Rule, place: Place): Rule => (rule.place === place ? rule : { ...rule, place });
