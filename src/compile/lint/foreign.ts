/** Findings about foreign rules, as they will be beside those of the policy. */

import { FAMILIES, type Family } from '../../lib/family.js';
import { nearest } from '../../lib/nearest.js';
import type { Level, Problem, SourceLocation } from '../../lib/problem.js';
import { BUILT_IN_CHAINS, type Ruleset, type Table } from '../../netfilter/model.js';
import { chainText } from '../names.js';
import { conditionsOf, isNondeterministic } from './conditions.js';
import { type ForeignChain, foreignChains, type NumberedRule } from './reach.js';

interface ForeignLint {
  /** Stable: what `accept:` names. */
  readonly id: string;
  readonly level: Exclude<Level, 'error'>;
  /** The rules of the chain to which it applies. */
  readonly check: (chain: ForeignChain) => readonly NumberedRule[];
  readonly message: (where: string) => string;
  readonly hint: string;
}

const verdictOf = ({ rule: { target } }: NumberedRule): string | undefined => target?.name;
const accepts = (one: NumberedRule): boolean => verdictOf(one) === 'ACCEPT';
const denies = (one: NumberedRule): boolean => ['DROP', 'REJECT'].includes(verdictOf(one) ?? '');
const LOGS: readonly (string | undefined)[] = ['LOG', 'NFLOG', 'AUDIT'];

/** Rules of nat and mangle give no verdict. */
const inFilter =
  (check: ForeignLint['check']): ForeignLint['check'] =>
  (chain) =>
    chain.table.name === 'filter' ? check(chain) : [];

/** The subsets of more conditions are too many to look up. */
const MOST_CONDITIONS = 8;

const keyOf = (conditions: readonly string[]): string => conditions.join('\n');

/** Every subset of the conditions, each as one text. */
function subsets(conditions: readonly string[]): readonly string[] {
  const texts = [''];
  for (const condition of conditions)
    texts.push(...texts.map((text) => (text === '' ? condition : `${text}\n${condition}`)));
  return texts;
}

/** Denials after an allow of the same chain whose conditions are a subset of theirs. */
function deniedTooLate({ reached }: ForeignChain): readonly NumberedRule[] {
  const allowed = new Set<string>();
  return reached.filter((one) => {
    const conditions = conditionsOf(one.rule).toSorted();
    if (accepts(one) && !isNondeterministic(one.rule)) allowed.add(keyOf(conditions));
    return (
      denies(one) &&
      conditions.length <= MOST_CONDITIONS &&
      subsets(conditions).some((text) => allowed.has(text))
    );
  });
}

function duplicates({ reached }: ForeignChain): readonly NumberedRule[] {
  const seen = new Set<string>();
  return reached.filter(({ rule }) => {
    if (isNondeterministic(rule) || rule.target === undefined || LOGS.includes(rule.target.name))
      return false;
    const again = seen.has(rule.text);
    seen.add(rule.text);
    return again;
  });
}

const LIMITS: readonly string[] = ['limit', 'hashlimit', 'quota', 'recent', 'statistic'];

const FOREIGN_LINTS: readonly ForeignLint[] = [
  {
    id: 'foreign-accept-everything',
    level: 'warning',
    check: inFilter(({ reached, decides }) =>
      decides ? reached.filter((one) => accepts(one) && conditionsOf(one.rule).length === 0) : [],
    ),
    message: (where) => `${where} accepts every packet that the policy does not decide.`,
    hint: 'Add conditions to it, or remove it.',
  },
  {
    id: 'foreign-deny-after-accept',
    level: 'warning',
    check: inFilter(deniedTooLate),
    message: (where) => `${where} never matches: a rule above it accepts all of its packets.`,
    hint: 'Move it above that rule.',
  },
  {
    id: 'foreign-log-without-limit',
    level: 'note',
    check: ({ reached }) =>
      reached.filter(
        (one) => LOGS.includes(verdictOf(one)) && !one.rule.matches.some(({ name }) => LIMITS.includes(name)),
      ),
    message: (where) => `${where} logs without a limit, so anyone can fill the disk of the host.`,
    hint: 'Add "-m limit --limit 5/minute".',
  },
  {
    id: 'foreign-state',
    level: 'note',
    check: ({ reached }) => reached.filter(({ rule }) => rule.matches.some(({ name }) => name === 'state')),
    message: (where) =>
      `${where} uses "-m state", the old name of conntrack, which newer kernels do not have.`,
    hint: 'Use "-m conntrack --ctstate".',
  },
  {
    id: 'foreign-rule-twice',
    level: 'note',
    check: duplicates,
    message: (where) => `${where} is a duplicate of an earlier rule of its chain.`,
    hint: 'Remove one of the two.',
  },
  {
    id: 'foreign-unreached',
    level: 'note',
    check: inFilter(({ unreached }) => unreached),
    message: (where) => `${where} is unreachable: the rules above it decide every packet.`,
    hint: 'Add what it accepts to the policy if it is needed, and remove it.',
  },
];

/**
 * Findings about foreign rules that stay, each with its line of the live text; several rules of a chain with the same
 * problem are one finding. Rules that a program such as Docker wrote are not checked.
 * @param next the rules as a deploy will leave them
 */
export function lintForeign(next: Ruleset): readonly Problem[] {
  const chains = foreignChains(next);
  return [
    ...FOREIGN_LINTS.flatMap((lint) => chains.flatMap((chain) => findingOf(lint, chain))),
    ...FAMILIES.flatMap((family) => next[family].flatMap((table) => misnamed(family, table))),
  ];
}

function findingOf(lint: ForeignLint, chain: ForeignChain): readonly Problem[] {
  const found = lint.check(chain);
  const [first] = found;
  if (first === undefined) return [];
  const where = `Rule ${first.number} of ${chainText(chain.family, chain.table, chain.chain)}`;
  const more = found.length > 1 ? ` The same applies to ${found.length - 1} more of the chain's rules.` : '';
  return [problem(lint, `${lint.message(where)}${more}`, lint.hint, first.rule.location)];
}

const CHAIN_NAME = { id: 'foreign-chain-name', level: 'warning' } as const;

/** A chain with rules that nothing jumps to, and whose name is nearly a built-in one: `OUTUT`, `input`. */
function misnamed(family: Family, table: Table): readonly Problem[] {
  const entered = new Set(table.chains.flatMap(({ rules }) => rules.map(({ target }) => target?.name)));
  return table.chains.flatMap((chain) => {
    const { name, rules } = chain;
    const meant = nearest(name.toUpperCase(), BUILT_IN_CHAINS[table.name]);
    if (meant === undefined || meant === name || entered.has(name) || rules.length === 0) return [];
    const what = `The chain ${chainText(family, table, chain)} is not ${meant}: no packet enters it.`;
    return [problem(CHAIN_NAME, what, `Move its rules to ${meant}, or remove it.`, rules[0]?.location)];
  });
}

const problem = (
  { id, level }: Pick<ForeignLint, 'id' | 'level'>,
  message: string,
  hint: string,
  location: SourceLocation | undefined,
): Problem => ({
  id,
  level,
  message,
  hint: `${hint} If it is intended: accept: [{finding: ${id}, reason: …}].`,
  location,
});

/** The ids of all findings about foreign rules. */
export const FOREIGN_IDS: readonly string[] = [...FOREIGN_LINTS, CHAIN_NAME].map(({ id }) => id);
