/** The names that a policy gives, as the plan carries them for reports. */
import { rangesOf, toSet } from '../policy/addresses.js';
import type { AddressSet, Definition, Fleet, Service } from '../policy/fleet.js';
import { portsText } from './service-names.js';

/** Names of the policy and their members. */
export interface PolicyNames {
  /** `app`, `role:web` → networks of both families. */
  readonly networks: { readonly [name: string]: readonly string[] };
  /** Host → its addresses, without prefix length. */
  readonly hosts: { readonly [name: string]: readonly string[] };
  /** `metrics` → `tcp/9100`, `tcp/9187`. */
  readonly services: { readonly [name: string]: readonly string[] };
}

/** Collects the networks, roles of several hosts, hosts and services that the policy itself defines. */
export function policyNames(fleet: Fleet): PolicyNames {
  const networks = definedNames(fleet, 'network').flatMap((name) => {
    const set = fleet.networks.get(name);
    return set === undefined || set.any ? [] : [[name, membersOf(set)] as const];
  });
  const roles = [...fleet.roles.keys()].flatMap((role) => {
    const hosts = fleet.hosts.filter(({ roles: all }) => all.includes(role));
    const addresses = rangesOf(hosts.flatMap((host) => host.addresses));
    return hosts.length < 2 ? [] : [[`role:${role}`, membersOf(toSet([], addresses))] as const];
  });
  return {
    networks: Object.fromEntries([...networks, ...roles]),
    hosts: Object.fromEntries(fleet.hosts.map(({ name, addresses }) => [name, addresses])),
    services: Object.fromEntries(
      definedNames(fleet, 'service').map((name) => [
        name,
        (fleet.services.get(name) ?? []).flatMap(serviceText),
      ]),
    ),
  };
}

/** The names of one kind that the files of the policy define, without the built-in ones. */
export const definedNames = ({ definitions = [] }: Fleet, kind: Definition['kind']): readonly string[] =>
  definitions.filter((one) => one.kind === kind).map(({ name }) => name);

const membersOf = ({ v4, v6 }: AddressSet): readonly string[] => [...v4, ...v6];

const serviceText = (service: Service): readonly string[] =>
  service.kind === 'ports' ? service.ports.map(({ from, to }) => portsText(service.protocol, from, to)) : [];
