/** Names for what a rule names: built-in services and networks where these are exactly the same, else the fleet's own. */

import { rangesOf, toSet } from '../../policy/addresses.js';
import { NETWORKS, SERVICES } from '../../policy/builtin.js';
import type { AddressSet } from '../../policy/fleet.js';
import type { Names } from '../read/entry.js';

/** Canonical text of the addresses that some networks are together. */
export const keyOfNetworks = (networks: readonly string[]): string => keyOfSet(toSet([], rangesOf(networks)));

/** Canonical text of a set of addresses. */
export const keyOfSet = ({ any, v4, v6 }: AddressSet): string => (any ? 'any' : [...v4, ...v6].join(' '));

const BUILT_IN_NETWORKS: ReadonlyMap<string, string> = new Map(
  Object.entries(NETWORKS).map(([name, ranges]) => [keyOfSet(toSet([], ranges)), name]),
);

/** What the administrators may be today is no name for every address. */
const isEverywhere = (networks: readonly string[]): boolean =>
  networks.some((network) => network.endsWith('/0'));

export const isBuiltInNetwork = (key: string): boolean => BUILT_IN_NETWORKS.has(key);

/** `tcp/443` → `https`; of several names for one thing the first. */
const ONE_TERM = new Map<string, string>();
const MANY_TERMS: { readonly name: string; readonly terms: readonly string[] }[] = [];
for (const [name, terms] of Object.entries(SERVICES)) {
  const [first, ...more] = terms;
  if (more.length > 0) MANY_TERMS.push({ name, terms });
  else if (first !== undefined && !first.startsWith('icmp') && !ONE_TERM.has(first))
    ONE_TERM.set(first, name);
}

/** Services of several ports first, then of one; what has no name stays as it is. */
export function nameServices(terms: readonly string[]): readonly string[] {
  const left = new Set(terms);
  const names: string[] = [];
  for (const service of MANY_TERMS)
    if (service.terms.every((term) => left.has(term))) {
      names.push(service.name);
      for (const term of service.terms) left.delete(term);
    }
  return [...names, ...[...left].map((term) => ONE_TERM.get(term) ?? term)];
}

/** An address without its prefix length where it is the only one of its network. */
const plain = (network: string): string => network.replace(/(?<=\..*)\/32$|(?<=:.*)\/128$/, '');

/**
 * @param networks canonical key → name, of the fleet
 * @param interfaces kernel name → the policy's name
 * @param services terms, in order and with a space between them → name
 */
export const namesFrom = (
  networks: ReadonlyMap<string, string>,
  interfaces: ReadonlyMap<string, string>,
  services: ReadonlyMap<string, string> = new Map(),
): Names => ({
  addresses: (list) => {
    const key = keyOfNetworks(list);
    const name = isEverywhere(list) ? undefined : (networks.get(key) ?? BUILT_IN_NETWORKS.get(key));
    return name === undefined ? list.map(plain) : [name];
  },
  services: (terms) => {
    const name = services.get(terms.join(' '));
    return name === undefined ? nameServices(terms) : [name];
  },
  interface: (kernelName) => (kernelName === 'lo' ? 'lo' : (interfaces.get(kernelName) ?? kernelName)),
});
