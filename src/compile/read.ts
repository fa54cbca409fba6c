/** A host's rules as it prints them, or as its files hold them, read in one go. */

import type { Result } from '../lib/problem.js';
import type { Ruleset, RulesText } from '../netfilter/model.js';
import { parseSets } from '../netfilter/sets.js';
import { parseSave } from '../netfilter/text/parse.js';

/**
 * Parses both families and the sets; every problem of all three at once.
 * @param name what the places of rules and problems call it: `web-1 live` makes `web-1 live v4:12:1`.
 */
export function readRuleset(text: RulesText, name: string): Result<Ruleset> {
  const v4 = parseSave(text.v4, 'v4', `${name} v4`);
  const v6 = parseSave(text.v6, 'v6', `${name} v6`);
  const sets = parseSets(text.sets, `${name} sets`);
  const problems = [...v4.problems, ...v6.problems, ...sets.problems];
  return v4.ok && v6.ok && sets.ok
    ? { ok: true, value: { v4: v4.value, v6: v6.value, sets: sets.value }, problems }
    : { ok: false, problems };
}
