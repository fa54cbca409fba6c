/** What a rule says, as the entry of a policy file that says it. */

import type { Family } from '../../lib/family.js';
import type { TableName } from '../../netfilter/model.js';
import type { NatStatement, Statement, StatementRate } from './statement.js';

/** A rule that the policy has no words for. */
export interface RawStatement {
  readonly kind: 'raw';
  readonly table: TableName;
  readonly chain: string;
  readonly text: string;
}

/** A statement in one family or in both; its addresses are then of both. */
export interface Line {
  readonly said: Statement | NatStatement | RawStatement;
  readonly families: readonly Family[];
}

/** How addresses, services and interfaces are called. */
export interface Names {
  readonly addresses: (networks: readonly string[]) => readonly string[];
  readonly services: (terms: readonly string[]) => readonly string[];
  readonly interface: (kernelName: string) => string;
}

export type Value = string | number | boolean | readonly string[] | { readonly [key: string]: Value };

/** One entry of `input`, `output`, `forward`, `nat` or `raw`: its keys in the order in which they read best. */
export type Entry = { readonly [key: string]: Value };

export type ListName = 'input' | 'output' | 'forward' | 'nat' | 'raw';

export const listOf = ({ said }: Line): ListName => (said.kind === 'rule' ? said.direction : said.kind);

export function entryOf(line: Line, names: Names, reason: string): Entry {
  const { said } = line;
  if (said.kind === 'raw') return rawEntry(said, line.families, reason);
  return said.kind === 'rule'
    ? ruleEntry(said, line.families, names, reason)
    : natEntry(said, line.families, names, reason);
}

const short = (terms: readonly string[]): Value => (terms.length === 1 ? (terms[0] ?? '') : terms);

const given = (key: string, value: Value | undefined): Entry => (value === undefined ? {} : { [key]: value });

const only = (families: readonly Family[]): Family | undefined =>
  families.length === 1 ? families[0] : undefined;

const rawEntry = (
  { table, chain, text }: RawStatement,
  families: readonly Family[],
  reason: string,
): Entry => ({
  rule: text,
  ...given('table', table === 'filter' ? undefined : table),
  chain,
  ...given('family', only(families)),
  reason,
});

function ruleEntry(said: Statement, families: readonly Family[], names: Names, reason: string): Entry {
  const addresses = (list: readonly string[] | undefined): Value | undefined =>
    list === undefined ? undefined : short(names.addresses(list));
  const { verb } = said;
  return {
    [verb]: short(names.services(said.services)),
    ...given('from', addresses(said.from)),
    ...given('to', addresses(said.to)),
    ...given('except', addresses(said.except)),
    ...given('in', said.in === undefined ? undefined : names.interface(said.in)),
    ...given('out', said.out === undefined ? undefined : names.interface(said.out)),
    ...given('state', stateKey(said)),
    ...given('rate', rateKey(verb === 'log' ? loggingRate(said) : said.rate)),
    ...given('log', verb !== 'log' && said.log !== undefined ? true : undefined),
    ...given('family', isOfOneFamily(said) ? undefined : only(families)),
    reason,
  };
}

/** Addresses and ICMP types tell the family by themselves. */
const isOfOneFamily = ({ from, to, services }: Pick<Statement, 'from' | 'to' | 'services'>): boolean =>
  from !== undefined || to !== undefined || services.every((service) => /^icmp(v6)?\//.test(service));

export const isIcmp = (service: string): boolean => /^(icmp|icmpv6|ping)(\/|$)/.test(service);

/** The policy means every packet where a rule says nothing, but first packets by an allow of what has connections. */
function stateKey({ verb, states }: Statement): Value | undefined {
  if (states === 'usual') return undefined;
  if (states !== undefined) return short(states);
  return verb === 'allow' ? 'any' : undefined;
}

const DEFAULT_BURST = 5;

function rateKey(rate: Pick<StatementRate, 'rate' | 'burst' | 'perSource'> | undefined): Value | undefined {
  if (rate === undefined) return undefined;
  const text = `${rate.rate.count}/${rate.rate.per}`;
  if (rate.burst === DEFAULT_BURST && !rate.perSource) return text;
  return {
    limit: text,
    ...given('burst', rate.burst === DEFAULT_BURST ? undefined : rate.burst),
    ...given('per', rate.perSource ? 'source' : undefined),
  };
}

/** The pace of the policy's own log: what logged without a limit gets it. */
export const USUAL_LIMIT = { rate: { count: 5, per: 'minute' }, burst: 10 } as const;

const loggingRate = ({ log }: Statement) => ({ ...(log?.limit ?? USUAL_LIMIT), perSource: false });

const EVERYWHERE: { readonly [family in Family]: string } = { v4: '0.0.0.0/0', v6: '::/0' };

/** A translation has no `family`: one of a single family says so by its addresses. */
function natEntry(said: NatStatement, families: readonly Family[], names: Names, reason: string): Entry {
  const family = only(families);
  const addresses = (list: readonly string[] | undefined): Value | undefined =>
    list === undefined ? undefined : short(names.addresses(list));
  const tells = said.to !== undefined || /[.:]/.test(said.target ?? '') || family === undefined;
  const from = said.from === undefined && !tells ? [EVERYWHERE[family]] : said.from;
  return {
    [said.verb]: short(names.services(said.services)),
    ...given('from', addresses(from)),
    ...given('to', addresses(said.to)),
    ...given('in', said.in === undefined ? undefined : names.interface(said.in)),
    ...given('out', said.out === undefined ? undefined : names.interface(said.out)),
    ...given('target', /^\d+$/.test(said.target ?? '') ? Number(said.target) : said.target),
    reason,
  };
}
