/** `sallyport fmt`: any accepted spelling to the one that iptables-save prints. */

import type { Family } from '../../lib/family.js';
import { hasErrors, type Result } from '../../lib/problem.js';
import { validate } from '../rule/validate.js';
import { parseSave } from './parse.js';
import { printTables } from './print.js';

/** Parses, validates and prints. Sets are not checked: the text does not say which exist. */
export function formatRules(text: string, family: Family, file: string): Result<string> {
  const parsed = parseSave(text, family, file);
  if (!parsed.ok) return parsed;
  const problems = [...parsed.problems, ...validate(parsed.value, family, undefined, file)];
  return hasErrors(problems)
    ? { ok: false, problems }
    : { ok: true, value: printTables(parsed.value), problems };
}
