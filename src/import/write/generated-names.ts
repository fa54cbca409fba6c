/** What the imported fleet calls its networks, interfaces and roles. */

import type { Family } from '../../lib/family.js';
import type { IpSet } from '../../netfilter/model.js';
import { NETWORKS, SERVICES } from '../../policy/builtin.js';
import { NAME } from '../../policy/names.js';
import type { HostDraft } from '../draft/host.js';
import type { DraftRule } from '../draft/join.js';
import { membersOf } from '../read/matches.js';
import { isBuiltInNetwork, keyOfNetworks, nameServices } from './names.js';

export interface Network {
  readonly name: string;
  readonly members: readonly string[];
}

/** Hosts that say the same are one where things are counted. */
const distinct = (hosts: readonly HostDraft[]): readonly HostDraft[] => [
  ...new Map(
    hosts.map((host) => [JSON.stringify(linesOf(host).map(({ statement }) => statement)), host]),
  ).values(),
];

export const linesOf = ({ lists }: HostDraft): readonly DraftRule[] => Object.values(lists).flat();

function addressLists({ statement }: DraftRule): readonly (readonly string[])[] {
  if (statement.kind === 'raw') return [];
  const except = statement.kind === 'rule' ? statement.except : undefined;
  return [statement.from, statement.to, except].filter((list) => list !== undefined);
}

/** Letters, digits and `-`, beginning with a letter. */
function nameOf(text: string, otherwise: string): string {
  const name = text.replace(/[^A-Za-z0-9_-]+/g, '-').replace(/^[^A-Za-z]+|-+$/g, '');
  return NAME.test(name) ? name : otherwise;
}

/** A name that none has yet. */
function fresh(name: string, taken: { has: (name: string) => boolean }): string {
  if (!taken.has(name)) return name;
  for (let number = 2; ; number++) if (!taken.has(`${name}-${number}`)) return `${name}-${number}`;
}

/** A list so long, or used so often, is a thing of its own. */
const LONG = 4;
const OFTEN = 2;
/** So many services beside each other deserve a name. */
const MANY = 3;

/**
 * A network for each list of addresses that is long, stands in several rules or was a set, in the order in which they
 * are met. `admin` is always there.
 */
export function nameNetworks(
  hosts: readonly HostDraft[],
  admin: readonly string[],
  sets: readonly (readonly IpSet[])[],
): ReadonlyMap<string, Network> {
  const named = new Map<string, Network>([[keyOfNetworks(admin), { name: 'admin', members: admin }]]);
  const taken = new Set(['admin', ...Object.keys(NETWORKS)]);
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
    const own = `net-${first.replace(/\/(32|128)$/, '')}${more}`;
    const name = fresh(nameOf(label ?? own, 'network'), taken);
    taken.add(name);
    named.set(key, { name, members });
  }
  return named;
}

const FAMILIES: readonly Family[] = ['v4', 'v6'];

/** Members → what a set was called; those of one name for each family are one network. */
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

/** Services of several ports without a name that stand in several rules: their terms → a name. */
export function nameServiceLists(hosts: readonly HostDraft[]): ReadonlyMap<string, string> {
  const uses = new Map<string, number>();
  for (const { statement } of distinct(hosts).flatMap(linesOf)) {
    if (statement.kind === 'raw' || nameServices(statement.services).length < MANY) continue;
    const key = statement.services.join(' ');
    uses.set(key, (uses.get(key) ?? 0) + 1);
  }
  const taken = new Set(Object.keys(SERVICES));
  const named = new Map<string, string>();
  for (const [key, count] of uses) {
    if (count < OFTEN) continue;
    const name = fresh(key.length > 30 ? 'services' : nameOf(key.replace(/\W+/g, '-'), 'services'), taken);
    taken.add(name);
    named.set(key, name);
  }
  return named;
}

/** Kernel name → the policy's name. */
export function nameInterfaces(host: HostDraft): ReadonlyMap<string, string> {
  const named = new Map<string, string>();
  const taken = new Set(['lo']);
  for (const { statement } of linesOf(host)) {
    if (statement.kind === 'raw') continue;
    for (const kernel of [statement.in, statement.out]) {
      if (kernel === undefined || kernel === 'lo' || named.has(kernel)) continue;
      const name = fresh(nameOf(kernel.replace(/\+$/, '-any'), 'interface'), taken);
      taken.add(name);
      named.set(kernel, name);
    }
  }
  return named;
}

/** What the names of hosts have in common: `web-1` and `web-2` are `web`. */
export function roleName(hosts: readonly string[], taken: ReadonlySet<string>): string {
  const [first = '', ...others] = hosts;
  let length = first.length;
  while (!others.every((name) => name.startsWith(first.slice(0, length)))) length--;
  const start = first.slice(0, length).replace(/[^A-Za-z]+$/, '');
  return fresh(start.length < 2 ? 'common' : nameOf(start, 'common'), taken);
}
