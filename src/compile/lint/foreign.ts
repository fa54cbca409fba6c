/** What is worth a look in the rules that others keep on a host, as they will stand beside the policy's. */

import { FAMILIES, type Family } from '../../lib/family.js';
import { nearest } from '../../lib/nearest.js';
import type { Level, Problem, SourceLocation } from '../../lib/problem.js';
import { BUILT_IN_CHAINS, type Chain, type Ruleset, type Table } from '../../netfilter/model.js';
import { conditionsOf, isNondeterministic } from './conditions.js';
import { type ForeignChain, foreignChains, type Numbered } from './reach.js';

interface ForeignLint {
  /** Stable: what `accept:` names. */
  readonly id: string;
  readonly level: Exclude<Level, 'error'>;
  /** The rules of the chain to which it applies. */
  readonly check: (chain: ForeignChain) => readonly Numbered[];
  readonly says: (where: string) => string;
  readonly hint: string;
}

const verdictOf = ({ rule: { target } }: Numbered): string | undefined => target?.name;
const accepts = (one: Numbered): boolean => verdictOf(one) === 'ACCEPT';
const denies = (one: Numbered): boolean => ['DROP', 'REJECT'].includes(verdictOf(one) ?? '');
const LOGS: readonly (string | undefined)[] = ['LOG', 'NFLOG', 'AUDIT'];

/** Rules in nat and mangle do not decide. */
const inFilter =
  (check: ForeignLint['check']): ForeignLint['check'] =>
  (chain) =>
    chain.table.name === 'filter' ? check(chain) : [];

/** Past this many conditions a rule is not looked up by each part of them. */
const MOST_CONDITIONS = 8;

const keyOf = (conditions: readonly string[]): string => conditions.join('\n');

/** Every selection of the conditions, each as one text. */
function selections(conditions: readonly string[]): readonly string[] {
  const texts = [''];
  for (const condition of conditions)
    texts.push(...texts.map((text) => (text === '' ? condition : `${text}\n${condition}`)));
  return texts;
}

/** Denials all of whose conditions, or some of them, an earlier allow of the chain has asked. */
function deniedTooLate({ reached }: ForeignChain): readonly Numbered[] {
  const allowed = new Set<string>();
  return reached.filter((one) => {
    const conditions = conditionsOf(one.rule).toSorted();
    if (accepts(one) && !isNondeterministic(one.rule)) allowed.add(keyOf(conditions));
    return (
      denies(one) &&
      conditions.length <= MOST_CONDITIONS &&
      selections(conditions).some((text) => allowed.has(text))
    );
  });
}

function statedTwice({ reached }: ForeignChain): readonly Numbered[] {
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
    says: (where) => `${where} accepts every packet that the policy leaves to it.`,
    hint: 'Say in it which packets are meant, or take it out.',
  },
  {
    id: 'foreign-deny-after-accept',
    level: 'warning',
    check: inFilter(deniedTooLate),
    says: (where) => `${where} never denies anything: a rule above it accepts all of its packets.`,
    hint: 'Move it above that rule.',
  },
  {
    id: 'foreign-log-without-limit',
    level: 'note',
    check: ({ reached }) =>
      reached.filter(
        (one) => LOGS.includes(verdictOf(one)) && !one.rule.matches.some(({ name }) => LIMITS.includes(name)),
      ),
    says: (where) => `${where} logs without a limit, so anyone can fill the disk of the host.`,
    hint: 'Add "-m limit --limit 5/minute".',
  },
  {
    id: 'foreign-state',
    level: 'note',
    check: ({ reached }) => reached.filter(({ rule }) => rule.matches.some(({ name }) => name === 'state')),
    says: (where) => `${where} uses "-m state", the old name of conntrack, which newer kernels leave out.`,
    hint: 'Write "-m conntrack --ctstate".',
  },
  {
    id: 'foreign-rule-twice',
    level: 'note',
    check: statedTwice,
    says: (where) => `${where} stands in its chain already.`,
    hint: 'Take one of the two out.',
  },
  {
    id: 'foreign-unreached',
    level: 'note',
    check: inFilter(({ unreached }) => unreached),
    says: (where) => `${where} is reached by no packet: what stands above it decides about every one.`,
    hint: 'What it lets in is let in only if the policy says so; then take it out.',
  },
];

const FAMILY: { readonly [family in Family]: string } = { v4: 'IPv4', v6: 'IPv6' };

const chainWords = (family: Family, { name: table }: Table, { name }: Chain): string =>
  `${table === 'filter' ? '' : `${table} `}${name} (${FAMILY[family]})`;

/**
 * Findings about rules that are not of the policy and stay, each at its line of the live text; several rules of a chain
 * with the same fault are one finding. Rules that a program such as Docker wrote are its own affair.
 * @param next the rules as they will stand after a deploy
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
  const where = `Rule ${first.number} of ${chainWords(chain.family, chain.table, chain.chain)}`;
  const more = found.length > 1 ? ` So it is with ${found.length - 1} more of its rules.` : '';
  return [problem(lint, `${lint.says(where)}${more}`, lint.hint, first.rule.location)];
}

const CHAIN_NAME = { id: 'foreign-chain-name', level: 'warning' } as const;

/** A chain with rules into which nothing leads, and whose name is nearly a built-in one: `OUTUT`, `input`. */
function misnamed(family: Family, table: Table): readonly Problem[] {
  const entered = new Set(table.chains.flatMap(({ rules }) => rules.map(({ target }) => target?.name)));
  return table.chains.flatMap((chain) => {
    const { name, rules } = chain;
    const meant = nearest(name.toUpperCase(), BUILT_IN_CHAINS[table.name]);
    if (meant === undefined || meant === name || entered.has(name) || rules.length === 0) return [];
    const what = `The chain ${chainWords(family, table, chain)} is not ${meant}: no packet ever comes into it.`;
    return [problem(CHAIN_NAME, what, `Put its rules into ${meant}, or take it out.`, rules[0]?.location)];
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
  hint: `${hint} If it is meant: accept: [{finding: ${id}, reason: …}].`,
  ...(location === undefined ? {} : { location }),
});

export const FOREIGN_IDS: readonly string[] = [...FOREIGN_LINTS, CHAIN_NAME].map(({ id }) => id);
