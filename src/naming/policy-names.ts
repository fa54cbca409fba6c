/** The names that a policy gives, for reports that speak its language. */
import { rangesOf, toSet } from '../policy/addresses.js';
import type { AddressSet, Fleet, Host, Service } from '../policy/fleet.js';

export function policyNames(fleet: Fleet): PolicyNames {
  const own = (kind: 'network' | 'service'): readonly string[] =>
    (fleet.definitions ?? []).filter((one) => one.kind === kind).map(({ name }) => name);
  const networks = own('network').flatMap((name) => {
    const set = fleet.networks.get(name);
    return set === undefined || set.any ? [] : [[name, members(set)] as const];
  });
  const roles = [...fleet.roles.keys()].flatMap((role) => {
    const hosts = fleet.hosts.filter(({ roles: all }) => all.includes(role));
    return hosts.length < 2 ? [] : [[`role:${role}`, members(addressesOf(hosts))] as const];
  });
  return {
    networks: Object.fromEntries([...networks, ...roles]),
    hosts: Object.fromEntries(fleet.hosts.map(({ name, addresses }) => [name, addresses])),
    services: Object.fromEntries(
      own('service').map((name) => [name, (fleet.services.get(name) ?? []).flatMap(serviceText)]),
    ),
  };
}

const members = ({ v4, v6 }: AddressSet): readonly string[] => [...v4, ...v6];

const addressesOf = (hosts: readonly Host[]): AddressSet =>
  toSet([], rangesOf(hosts.flatMap(({ addresses }) => addresses)));

const serviceText = (service: Service): readonly string[] =>
  service.kind === 'ports'
    ? service.ports.map(({ from, to }) => `${service.protocol}/${from === to ? from : `${from}-${to}`}`)
    : [];

/** Names of the policy and what they stand for. */
export interface PolicyNames {
  /** `app`, `role:web` → networks of both families. */
  readonly networks: { readonly [name: string]: readonly string[] };
  /** Host → its addresses, without prefix length. */
  readonly hosts: { readonly [name: string]: readonly string[] };
  /** `metrics` → `tcp/9100`, `tcp/9187`. */
  readonly services: { readonly [name: string]: readonly string[] };
}
