/** Literal rules: read with the parser of the iptables language, so that what a host would refuse is refused here. */

import { FAMILIES, type Family } from '../../lib/family.js';
import { error } from '../../lib/problem.js';
import { BUILT_IN_CHAINS, type Chain, type Rule } from '../../netfilter/model.js';
import { validate } from '../../netfilter/rule/validate.js';
import { parseRules } from '../../netfilter/text/parse.js';
import type { RawFile } from '../files/schema-rules.js';
import type { RawRule } from '../fleet.js';
import { undefinedName } from '../names.js';
import { oneLine } from '../values.js';
import type { RuleContext } from './rules.js';

/** What a literal rule may name though no policy has it: it stands on the host alone, and the plan tells whether it does. */
export const ON_THE_HOST = new Set(['missing-chain', 'missing-set']);

export function resolveRaw(file: RawFile, { source, origin, problems }: RuleContext): RawRule | undefined {
  const table = file.table ?? 'filter';
  const chains = BUILT_IN_CHAINS[table];
  if (!chains.includes(file.chain)) {
    const otherwise = `The chains of ${table} are ${chains.join(', ')}.`;
    problems.push(undefinedName('chain', file.chain, chains, source.at(file, 'chain'), otherwise));
    return undefined;
  }
  const before = problems.length;
  const families = file.family === undefined ? FAMILIES : [file.family];
  const location = source.at(file, 'rule');
  const seen = new Set<string>();
  for (const family of families) {
    const parsed = parseRules(file.rule, { family, table, chain: file.chain, location });
    const found = parsed.ok
      ? [...check(parsed.value, family, table, file.chain, location.file)]
      : parsed.problems;
    if (parsed.ok && parsed.value.length === 0)
      problems.push(
        error('no-common-family', 'The rule has no address of this family.', location, 'Add "family:".'),
      );
    for (const problem of found.filter(({ id }) => !ON_THE_HOST.has(id)))
      if (!seen.has(problem.message)) {
        seen.add(problem.message);
        problems.push({
          ...problem,
          hint:
            problem.hint ??
            (file.family === undefined
              ? `It is read for IPv4 and IPv6: add "family:" if it is for one.`
              : ''),
        });
      }
  }
  return problems.length > before
    ? undefined
    : {
        origin,
        table,
        chain: file.chain,
        families,
        rule: file.rule.trim(),
        reason: oneLine(file.reason),
        location,
      };
}

function check(rules: readonly Rule[], family: Family, table: RawRule['table'], name: string, file: string) {
  const chains = BUILT_IN_CHAINS[table].map(
    (chain): Chain => ({ name: chain, policy: 'ACCEPT', rules: chain === name ? rules : [] }),
  );
  return validate([{ name: table, chains }], family, undefined, file);
}
