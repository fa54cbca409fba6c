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
export interface FamilyStatement {
  readonly statement: Statement | NatStatement | RawStatement;
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

export const listOf = ({ statement }: FamilyStatement): ListName =>
  statement.kind === 'rule' ? statement.direction : statement.kind;

export function entryOf(line: FamilyStatement, names: Names, reason: string): Entry {
  const { statement } = line;
  if (statement.kind === 'raw') return rawEntry(statement, line.families, reason);
  return statement.kind === 'rule'
    ? ruleEntry(statement, line.families, names, reason)
    : natEntry(statement, line.families, names, reason);
}

const oneOrList = (terms: readonly string[]): Value => (terms.length === 1 ? (terms[0] ?? '') : terms);

const given = (key: string, value: Value | undefined): Entry => (value === undefined ? {} : { [key]: value });

const onlyFamily = (families: readonly Family[]): Family | undefined =>
  families.length === 1 ? families[0] : undefined;

const rawEntry = (
  { table, chain, text }: RawStatement,
  families: readonly Family[],
  reason: string,
): Entry => ({
  rule: text,
  ...given('table', table === 'filter' ? undefined : table),
  chain,
  ...given('family', onlyFamily(families)),
  reason,
});

function ruleEntry(statement: Statement, families: readonly Family[], names: Names, reason: string): Entry {
  const addresses = (list: readonly string[] | undefined): Value | undefined =>
    list === undefined ? undefined : oneOrList(names.addresses(list));
  const { verb } = statement;
  return {
    [verb]: oneOrList(names.services(statement.services)),
    ...given('from', addresses(statement.from)),
    ...given('to', addresses(statement.to)),
    ...given('except', addresses(statement.except)),
    ...given('in', statement.in === undefined ? undefined : names.interface(statement.in)),
    ...given('out', statement.out === undefined ? undefined : names.interface(statement.out)),
    ...given('state', stateKey(statement)),
    ...given('rate', rateKey(verb === 'log' ? logRate(statement) : statement.rate)),
    ...given('log', verb !== 'log' && statement.log !== undefined ? true : undefined),
    ...given('family', impliesFamily(statement) ? undefined : onlyFamily(families)),
    reason,
  };
}

/** Addresses and ICMP types tell the family by themselves. */
const impliesFamily = ({ from, to, services }: Pick<Statement, 'from' | 'to' | 'services'>): boolean =>
  from !== undefined || to !== undefined || services.every((service) => /^icmp(v6)?\//.test(service));

export const isIcmp = (service: string): boolean => /^(icmp|icmpv6|ping)(\/|$)/.test(service);

/** The policy means every packet where a rule says nothing, but first packets by an allow of what has connections. */
function stateKey({ verb, states }: Statement): Value | undefined {
  if (states === 'usual') return undefined;
  if (states !== undefined) return oneOrList(states);
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

const logRate = ({ log }: Statement) => ({ ...(log?.limit ?? USUAL_LIMIT), perSource: false });

const EVERYWHERE: { readonly [family in Family]: string } = { v4: '0.0.0.0/0', v6: '::/0' };

/** A translation has no `family`: one of a single family says so by its addresses. */
function natEntry(statement: NatStatement, families: readonly Family[], names: Names, reason: string): Entry {
  const family = onlyFamily(families);
  const addresses = (list: readonly string[] | undefined): Value | undefined =>
    list === undefined ? undefined : oneOrList(names.addresses(list));
  const tells = statement.to !== undefined || /[.:]/.test(statement.target ?? '') || family === undefined;
  const from = statement.from === undefined && !tells ? [EVERYWHERE[family]] : statement.from;
  return {
    [statement.verb]: oneOrList(names.services(statement.services)),
    ...given('from', addresses(from)),
    ...given('to', addresses(statement.to)),
    ...given('in', statement.in === undefined ? undefined : names.interface(statement.in)),
    ...given('out', statement.out === undefined ? undefined : names.interface(statement.out)),
    ...given('target', /^\d+$/.test(statement.target ?? '') ? Number(statement.target) : statement.target),
    reason,
  };
}
