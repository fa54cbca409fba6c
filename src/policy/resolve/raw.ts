/** Literal rules, parsed and validated as iptables would, so that errors show before a deploy. */
import { FAMILIES, type Family } from '../../lib/family.js';
import { addError } from '../../lib/problem.js';
import { FAMILY } from '../../lib/text.js';
import { BUILT_IN_CHAINS, type Chain, type Rule } from '../../netfilter/model.js';
import { validate } from '../../netfilter/rule/validate.js';
import { parseRules } from '../../netfilter/text/parse.js';
import type { RawFile } from '../files/schema-rules.js';
import type { RawRule } from '../fleet.js';
import { undefinedName } from '../names.js';
import { oneLine } from '../values.js';
import type { RuleContext } from './context.js';

/** Ids of problems about chains and sets that exist only on the host; the plan checks those. */
export const ON_THE_HOST = new Set(['missing-chain', 'missing-set']);

/** Parses and validates one literal rule; `undefined` when it is invalid. */
export function resolveRaw(file: RawFile, { source, origin, problems }: RuleContext): RawRule | undefined {
  const table = file.table ?? 'filter';
  const chains = BUILT_IN_CHAINS[table];
  if (!chains.includes(file.chain)) {
    const hint = `Use one of: ${chains.join(', ')}.`;
    problems.push(undefinedName('chain', file.chain, chains, source.at(file, 'chain'), hint));
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
    if (parsed.ok && parsed.value.length === 0) {
      const message = `The rule has no ${FAMILY[family]} address.`;
      addError(problems, 'no-common-family', message, { location, hint: 'Add "family".' });
    }
    for (const problem of found.filter(({ id }) => !ON_THE_HOST.has(id)))
      if (!seen.has(problem.message)) {
        seen.add(problem.message);
        problems.push({
          ...problem,
          hint: problem.hint ?? (file.family === undefined ? ONE_FAMILY : undefined),
        });
      }
  }
  if (problems.length > before) return undefined;
  const { chain } = file;
  return { origin, table, chain, families, rule: file.rule.trim(), reason: oneLine(file.reason), location };
}

const ONE_FAMILY = 'Add "family" if it is for one family: it is parsed for IPv4 and IPv6.';

function check(rules: readonly Rule[], family: Family, table: RawRule['table'], name: string, file: string) {
  const chains = BUILT_IN_CHAINS[table].map(
    (chain): Chain => ({ name: chain, policy: 'ACCEPT', rules: chain === name ? rules : [] }),
  );
  return validate([{ name: table, chains }], family, undefined, file);
}
