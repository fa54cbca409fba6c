/** Compiled text parsed as iptables would, each rule with the location of its policy line. */

import type { Problem, SourceLocation } from '../../lib/problem.js';
import type { Rule } from '../../netfilter/model.js';
import { parseRules, type RuleContext } from '../../netfilter/text/parse.js';

/** Parsed rules by family and text: the hosts of a role have most of their rules in common. */
export type ParsedRules = Map<string, readonly Rule[]>;

/** The rules that a text means, with the location of their statement; problems are added to `problems`. */
export function rulesWithLocation(
  text: string,
  context: RuleContext,
  known: ParsedRules,
  problems: Problem[],
): readonly Rule[] {
  const key = `${context.family} ${text}`;
  const found = known.get(key);
  if (found !== undefined) return found.map((rule) => at(rule, context.location));
  const read = parseRules(text, context);
  problems.push(...read.problems);
  if (!read.ok) return [];
  known.set(key, read.value);
  return read.value;
}

const at = (rule: Rule, location: SourceLocation): Rule =>
  rule.location === location ? rule : { ...rule, location };
