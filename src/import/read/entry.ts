/** Statements as the entries of policy files. */

import type { Family } from '../../lib/family.js';
import type { TableName } from '../../netfilter/model.js';
import type { NatStatement, Statement, StatementRate } from './statement.js';

/** A rule that only a literal rule can express. */
export interface RawStatement {
  readonly kind: 'raw';
  readonly table: TableName;
  readonly chain: string;
  readonly text: string;
}

/** A statement in one family or in both, then with the addresses of both. */
export interface FamilyStatement {
  readonly statement: Statement | NatStatement | RawStatement;
  readonly families: readonly Family[];
}

/** The policy's names of addresses, services and interfaces. */
export interface Names {
  readonly addresses: (networks: readonly string[]) => readonly string[];
  readonly services: (terms: readonly string[]) => readonly string[];
  readonly interface: (kernelName: string) => string;
}

export type Value = string | number | boolean | readonly string[] | Entry;

/** One entry of `input`, `output`, `forward`, `nat` or `raw`, its keys in reading order. `undefined` is not written. */
export type Entry = { readonly [key: string]: Value | undefined };

/** The lists of rules in role and host files. */
export const LISTS = ['input', 'output', 'forward', 'nat', 'raw'] as const;
export type ListName = (typeof LISTS)[number];

/** The list of a policy file that holds the statement. */
export const listOf = ({ statement }: FamilyStatement): ListName =>
  statement.kind === 'rule' ? statement.direction : statement.kind;

/** The entry of a policy file for a statement. */
export function entryOf({ statement, families }: FamilyStatement, names: Names, reason: string): Entry {
  const family = families.length === 1 ? families[0] : undefined;
  if (statement.kind === 'rule') return ruleEntry(statement, family, names, reason);
  if (statement.kind === 'nat') return natEntry(statement, family, names, reason);
  const { table, chain, text } = statement;
  return { rule: text, table: table === 'filter' ? undefined : table, chain, family, reason };
}

/** A single term is written without a list. */
export const oneOrList = (terms: readonly string[]): Value => (terms.length === 1 ? (terms[0] ?? '') : terms);

const addressKey = (names: Names, networks: readonly string[] | undefined): Value | undefined =>
  networks && oneOrList(names.addresses(networks));

const interfaceKeys = (names: Names, { in: arriving, out }: Statement | NatStatement): Entry => ({
  in: arriving && names.interface(arriving),
  out: out && names.interface(out),
});

function ruleEntry(statement: Statement, family: Family | undefined, names: Names, reason: string): Entry {
  const { verb, services, from, to, except, log } = statement;
  return {
    [verb]: oneOrList(names.services(services)),
    from: addressKey(names, from),
    to: addressKey(names, to),
    except: addressKey(names, except),
    ...interfaceKeys(names, statement),
    state: stateKey(statement),
    rate: rateKey(
      verb === 'log' ? { ...(log?.limit ?? DEFAULT_LOG_LIMIT), perSource: false } : statement.rate,
    ),
    // For the verb `log` the key has the services.
    ...(verb !== 'log' && log !== undefined ? { log: true } : {}),
    family: impliesFamily(statement) ? undefined : family,
    reason,
  };
}

/** Addresses and ICMP types imply the family. */
const impliesFamily = ({ from, to, services }: Statement): boolean =>
  from !== undefined || to !== undefined || services.every((service) => /^icmp(v6)?\//.test(service));

/** Whether a service is ICMP of either family, whatever its type. */
export const isIcmp = (service: string): boolean => /^(icmp|icmpv6|ping)(\/|$)/.test(service);

/** Without `state`, an allow of the policy is for first packets, any other rule for every packet. */
function stateKey({ verb, states }: Statement): Value | undefined {
  if (states === 'usual') return undefined;
  if (states !== undefined) return oneOrList(states);
  return verb === 'allow' ? 'any' : undefined;
}

const DEFAULT_BURST = 5;

function rateKey(rate: Omit<StatementRate, 'bucket'> | undefined): Value | undefined {
  if (rate === undefined) return undefined;
  const limit = `${rate.rate.count}/${rate.rate.per}`;
  if (rate.burst === DEFAULT_BURST && !rate.perSource) return limit;
  return {
    limit,
    burst: rate.burst === DEFAULT_BURST ? undefined : rate.burst,
    per: rate.perSource ? 'source' : undefined,
  };
}

/** The limit of the policy's own log, used for a log that has none. */
export const DEFAULT_LOG_LIMIT = { rate: { count: 5, per: 'minute' }, burst: 10 } as const;

/** Every address of a family, as a network. */
export const EVERYWHERE: { readonly [family in Family]: string } = { v4: '0.0.0.0/0', v6: '::/0' };

/** NAT entries have no `family`: one for a single family gets an address of it. */
function natEntry(statement: NatStatement, family: Family | undefined, names: Names, reason: string): Entry {
  const { verb, services, from, to, target = '' } = statement;
  const needsAddress = from === undefined && to === undefined && !/[.:]/.test(target);
  return {
    [verb]: oneOrList(names.services(services)),
    from: addressKey(names, needsAddress && family !== undefined ? [EVERYWHERE[family]] : from),
    to: addressKey(names, to),
    ...interfaceKeys(names, statement),
    target: /^\d+$/.test(target) ? Number(target) : statement.target,
    reason,
  };
}
