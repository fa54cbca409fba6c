/** Names made up for the networks, services, interfaces and roles of the imported fleet. */
import { FAMILIES } from '../../lib/family.js';
import { nameTerms } from '../../naming/service-names.js';
import type { IpSet } from '../../netfilter/model.js';
import { NETWORKS, SERVICES } from '../../policy/builtin.js';
import { NAME } from '../../policy/names.js';
import type { HostDraft } from '../draft/host.js';
import type { DraftRule } from '../draft/join.js';
import { membersOf } from '../read/matches.js';
import { isBuiltInNetwork, keyOfNetworks } from './names.js';

export interface Network {
  readonly name: string;
  readonly members: readonly string[];
}

/** Where uses are counted, hosts with equal rules count as one. */
const distinct = (hosts: readonly HostDraft[]): readonly HostDraft[] => [
  ...new Map(
    hosts.map((host) => [JSON.stringify(linesOf(host).map(({ statement }) => statement)), host]),
  ).values(),
];

/** The rules of a host, of all lists. */
export const linesOf = ({ lists }: HostDraft): readonly DraftRule[] => Object.values(lists).flat();

function addressLists({ statement }: DraftRule): readonly (readonly string[])[] {
  if (statement.kind === 'raw') return [];
  const except = statement.kind === 'rule' ? statement.except : undefined;
  return [statement.from, statement.to, except].filter((list) => list !== undefined);
}

/** The text as a name (letters, digits and `-`, beginning with a letter), or the fallback where nothing is left of it. */
function nameOf(text: string, fallback: string): string {
  const name = text.replace(/[^A-Za-z0-9_-]+/g, '-').replace(/^[^A-Za-z]+|-+$/g, '');
  return NAME.test(name) ? name : fallback;
}

/** The name, with a number when it is taken. */
function uniqueName(name: string, taken: { has: (name: string) => boolean }): string {
  if (!taken.has(name)) return name;
  for (let number = 2; ; number++) if (!taken.has(`${name}-${number}`)) return `${name}-${number}`;
}

/** Makes names of which no two are equal, and none is reserved. */
function uniqueNames(reserved: readonly string[]): (text: string, fallback: string) => string {
  const taken = new Set(reserved);
  return (text, fallback) => {
    const name = uniqueName(nameOf(text, fallback), taken);
    taken.add(name);
    return name;
  };
}

/** A list of this many addresses, or used in this many rules, gets a name. */
const LONG = 4;
const OFTEN = 2;
/** A list of this many services gets a name. */
const MANY = 3;

/**
 * Names each list of addresses that is long, is used in several rules or was a set, in the order of their first uses;
 * `admin` is always one.
 * @returns by the key of the addresses (see {@link keyOfNetworks})
 */
export function nameNetworks(
  hosts: readonly HostDraft[],
  admin: readonly string[],
  sets: readonly (readonly IpSet[])[],
): ReadonlyMap<string, Network> {
  const named = new Map<string, Network>([[keyOfNetworks(admin), { name: 'admin', members: admin }]]);
  const unique = uniqueNames(['admin', ...Object.keys(NETWORKS)]);
  const labels = setLabels(sets.flat());
  const uses = new Map<string, { count: number; readonly members: readonly string[] }>();
  for (const list of distinct(hosts).flatMap(linesOf).flatMap(addressLists)) {
    const key = keyOfNetworks(list);
    const use = uses.get(key) ?? { count: 0, members: list };
    use.count++;
    uses.set(key, use);
  }
  for (const [key, { count, members }] of uses) {
    if (named.has(key) || isBuiltInNetwork(key)) continue;
    const label = labels.get(key);
    if (label === undefined && count < OFTEN && members.length < LONG) continue;
    const [first = ''] = members;
    const more = members.length === 1 ? '' : '-and-more';
    const name = unique(label ?? `net-${first.replace(/\/(32|128)$/, '')}${more}`, 'network');
    named.set(key, { name, members });
  }
  return named;
}

/** The key of a set's members → its name; sets whose names differ in the family alone are one network. */
function setLabels(sets: readonly IpSet[]): ReadonlyMap<string, string> {
  const labels = new Map<string, string>();
  const both = new Map<string, readonly string[]>();
  for (const set of sets)
    for (const family of FAMILIES) {
      const members = membersOf(set, family);
      if (members === undefined) continue;
      const label = set.name.replace(/^SALLYPORT-/, '').replace(/[-_]?(v?[46]|ipv?[46])$/i, '');
      both.set(label, [...(both.get(label) ?? []), ...members]);
      if (!labels.has(keyOfNetworks(members))) labels.set(keyOfNetworks(members), label);
    }
  for (const [label, members] of both) labels.set(keyOfNetworks(members), label);
  return labels;
}

/** Names the lists of services that are used in several rules: their terms, with a space between them → name. */
export function nameServiceLists(hosts: readonly HostDraft[]): ReadonlyMap<string, string> {
  const uses = new Map<string, number>();
  for (const { statement } of distinct(hosts).flatMap(linesOf)) {
    if (statement.kind === 'raw' || nameTerms(statement.services).length < MANY) continue;
    const key = statement.services.join(' ');
    uses.set(key, (uses.get(key) ?? 0) + 1);
  }
  const unique = uniqueNames(Object.keys(SERVICES));
  const often = [...uses].filter(([, count]) => count >= OFTEN);
  return new Map(
    often.map(([key]) => [key, unique(key.length > 30 ? '' : key.replace(/\W+/g, '-'), 'services')]),
  );
}

/** Names the interfaces of a host: kernel name → the policy's name. */
export function nameInterfaces(host: HostDraft): ReadonlyMap<string, string> {
  const named = new Map<string, string>();
  const unique = uniqueNames(['lo']);
  for (const { statement } of linesOf(host)) {
    if (statement.kind === 'raw') continue;
    for (const kernel of [statement.in, statement.out]) {
      if (kernel === undefined || kernel === 'lo' || named.has(kernel)) continue;
      named.set(kernel, unique(kernel.replace(/\+$/, '-any'), 'interface'));
    }
  }
  return named;
}

/** The common start of the names of hosts: `web` of `web-1` and `web-2`. */
export function roleName(hosts: readonly string[], taken: ReadonlySet<string>): string {
  const [first = '', ...others] = hosts;
  let length = first.length;
  while (!others.every((name) => name.startsWith(first.slice(0, length)))) length--;
  const start = first.slice(0, length).replace(/[^A-Za-z]+$/, '');
  return uniqueName(start.length < 2 ? 'common' : nameOf(start, 'common'), taken);
}
