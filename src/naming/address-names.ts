/** Names for addresses: the networks of the policy, its roles and hosts, anywhere, and addresses without a name. */
import { FAMILIES, type Family } from '../lib/family.js';
import { groupBy } from '../lib/group.js';
import { parseAddresses } from '../lib/ip.js';
import { equalRanges, intersect, isEmpty, type Ranges, sizeOf, subtract, union } from '../lib/ranges.js';
import { type FamilyRanges, rangesOf, toRanges, uniteRanges } from '../policy/addresses.js';
import { NETWORKS } from '../policy/builtin.js';
import type { Fleet, Host } from '../policy/fleet.js';
import { everyPeer } from '../traffic/questions/reach.js';
import { addressesText, addressKey, cover, isWithin, perFamily } from './address-sets.js';
import { definedNames } from './policy-names.js';

export type NodeKind =
  /** Every address that can be a peer. */
  | 'anywhere'
  /** A network that the policy names. */
  | 'network'
  /** The hosts that have the same roles. */
  | 'role'
  /** A host without a role. */
  | 'host'
  /** Addresses without a name. */
  | 'addresses';

export interface MapNode {
  /** The kind and what makes the node the same node in another map. */
  readonly id: string;
  readonly kind: NodeKind;
  readonly name: string;
  /** Hosts of the policy: the members of a role, the host itself. */
  readonly hosts?: readonly string[];
  /** CIDR, IPv4 first; of a network and of addresses. */
  readonly networks?: readonly string[];
  /** Names of the roles and hosts all of whose addresses lie in the network. */
  readonly holds?: readonly string[];
}

/** Addresses of one family that go by one name. */
export interface ResolvedName {
  readonly node: MapNode;
  readonly ranges: Ranges;
  /** All addresses of the node in this family are among them. */
  readonly whole: boolean;
  /** Hosts of the policy among them, where the node is a role or a host. */
  readonly hosts?: readonly string[];
}

export interface AddressNames {
  /** Roles and hosts without roles, in the order of their names: every host is in one. */
  readonly groups: readonly MapNode[];
  readonly groupOf: (host: string) => MapNode;
  /** Few names that together hold exactly these addresses; `whole` ones first. */
  readonly name: (ranges: Ranges, family: Family) => readonly ResolvedName[];
  /** Every address of every host. */
  readonly fleet: FamilyRanges;
  /** The hosts that have an address in the ranges, in the order of their names. */
  readonly hostsIn: (ranges: Ranges, family: Family) => readonly string[];
}

interface NodeAddresses {
  readonly node: MapNode;
  readonly ranges: FamilyRanges;
}

const ANYWHERE: MapNode = { id: 'anywhere', kind: 'anywhere', name: 'anywhere' };
const EVERY_PEER: FamilyRanges = perFamily(everyPeer);

/**
 * Creates the names for a fleet.
 * @param earlier another policy, whose hosts and networks are known too where this one has none of the name.
 */
export function createAddressNames(fleet: Fleet, earlier?: Fleet): AddressNames {
  const hosts = hostsByName(earlier === undefined ? [fleet] : [earlier, fleet]);
  const addresses = new Map(hosts.map((host) => [host.name, rangesOf(host.addresses)]));
  const groups = groupsOf(hosts);
  const groupOfHost = new Map(
    groups.flatMap((node) => (node.hosts ?? []).map((name) => [name, node] as const)),
  );
  const groupOf = (host: string): MapNode =>
    groupOfHost.get(host) ?? { id: `host ${host}`, kind: 'host', name: host, hosts: [host] };
  const addressesOf = (names: readonly string[]): FamilyRanges =>
    uniteRanges(names.flatMap((name) => addresses.get(name) ?? []));
  const members = groups.map((node) => ({ node, ranges: addressesOf(node.hosts ?? []) }));
  const { kinds, networks } = networksOf(fleet, earlier, members);
  const largestFirst = perFamily((family) => [...members, ...networks].sort((a, b) => bySize(b, a, family)));
  const smallestNetworks = perFamily((family) => networks.toSorted((a, b) => bySize(a, b, family)));
  const owners = perFamily((family) =>
    hosts
      .flatMap(({ name, addresses: own }) =>
        parseAddresses(own, family).map((address) => ({ address, host: name })),
      )
      .sort((a, b) => compare(a.address, b.address)),
  );

  const hostsIn = (ranges: Ranges, family: Family): readonly string[] => {
    const found = new Set<string>();
    for (const [from, to] of ranges)
      for (let index = firstAtLeast(owners[family], from); index < owners[family].length; index++) {
        const owner = owners[family][index];
        if (owner === undefined || owner.address > to) break;
        found.add(owner.host);
      }
    return [...found].sort();
  };

  const known = new Map<string, readonly ResolvedName[]>();
  const name = (ranges: Ranges, family: Family): readonly ResolvedName[] => {
    const key = addressKey(only(ranges, family));
    const before = known.get(key);
    if (before !== undefined) return before;
    const names = nameRanges(ranges, family);
    known.set(key, names);
    return names;
  };

  function nameRanges(ranges: Ranges, family: Family): readonly ResolvedName[] {
    const peers = intersect(ranges, EVERY_PEER[family]);
    if (isEmpty(peers)) return [];
    const kind = kinds.find((one) => equalRanges(one.ranges[family], peers));
    if (kind !== undefined) return [{ node: kind.node, ranges: peers, whole: true }];
    if (sizeOf(peers) * 2n > sizeOf(EVERY_PEER[family]))
      return [{ node: ANYWHERE, ranges: peers, whole: equalRanges(peers, EVERY_PEER[family]) }];
    const { taken, rest } = cover(only(peers, family), largestFirst[family], [family]);
    const names = taken.map(
      ({ node, ranges: all }): ResolvedName => ({
        node,
        ranges: all[family],
        whole: true,
        hosts: node.hosts,
      }),
    );
    let left = rest[family];
    for (const some of groupBy(hostsIn(left, family), (host) => groupOf(host).id).values()) {
      const own = intersect(addressesOf(some)[family], left);
      names.push({ node: groupOf(some[0] ?? ''), ranges: own, whole: false, hosts: some });
      left = subtract(left, own);
    }
    return [...names, ...partsOf(left, family)];
  }

  /** Parts of the smallest network that holds each range; what no network holds has no name. */
  function partsOf(rest: Ranges, family: Family): readonly ResolvedName[] {
    const parts = new Map<MapNode, Ranges>();
    let unnamed: Ranges = [];
    for (const range of rest) {
      const holder = smallestNetworks[family].find(({ ranges }) =>
        isEmpty(subtract([range], ranges[family])),
      );
      if (holder === undefined) unnamed = union(unnamed, [range]);
      else parts.set(holder.node, union(parts.get(holder.node) ?? [], [range]));
    }
    return [
      ...[...parts].map(([node, ranges]): ResolvedName => ({ node, ranges, whole: false })),
      ...(isEmpty(unnamed) ? [] : [{ node: unnamedNode(unnamed, family), ranges: unnamed, whole: true }]),
    ];
  }

  return { groups, groupOf, name, fleet: addressesOf(hosts.map((host) => host.name)), hostsIn };
}

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

const bySize = (a: NodeAddresses, b: NodeAddresses, family: Family): number =>
  compare(sizeOf(a.ranges[family]), sizeOf(b.ranges[family]));

const only = (ranges: Ranges, family: Family): FamilyRanges => ({ v4: [], v6: [], [family]: ranges });

/** Of two hosts of one name the later one. */
const hostsByName = (fleets: readonly Fleet[]): readonly Host[] =>
  [...new Map(fleets.flatMap(({ hosts }) => hosts.map((host) => [host.name, host]))).values()].sort((a, b) =>
    a.name < b.name ? -1 : 1,
  );

/** Hosts by their roles. Roles that every host has do not distinguish hosts, and are left out of the names. */
function groupsOf(hosts: readonly Host[]): readonly MapNode[] {
  const [first, ...rest] = hosts;
  const shared = (first?.roles ?? []).filter((role) => rest.every(({ roles }) => roles.includes(role)));
  const byId = groupBy(hosts, ({ name, roles }) =>
    roles.length > 0 ? `role ${roles.toSorted().join('+')}` : `host ${name}`,
  );
  return [...byId]
    .map(([id, members]): MapNode => {
      const names = members.map(({ name }) => name);
      const { roles = [] } = members[0] ?? {};
      const own = roles.filter((role) => !shared.includes(role));
      return roles.length > 0
        ? { id, name: (own.length > 0 ? own : roles).join(', '), kind: 'role', hosts: names }
        : { id, name: names.join(), kind: 'host', hosts: names };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * The networks of both policies. `kinds` are built-in ones that are mere kinds of addresses (`private`): they name
 * exactly their addresses and never a part of them.
 */
function networksOf(fleet: Fleet, earlier: Fleet | undefined, members: readonly NodeAddresses[]) {
  const defined = new Set(
    [fleet, ...(earlier ? [earlier] : [])].flatMap((one) => definedNames(one, 'network')),
  );
  const kinds: NodeAddresses[] = [];
  const networks: NodeAddresses[] = [];
  for (const [name, set] of new Map([...(earlier?.networks ?? []), ...fleet.networks])) {
    if (set.any) continue;
    const [id, ranges] = [`network ${name}`, toRanges(set)];
    if (Object.hasOwn(NETWORKS, name) && !defined.has(name)) {
      kinds.push({ node: { id, kind: 'network', name }, ranges });
      continue;
    }
    const holds = members
      .filter(
        (group) =>
          isWithin(group.ranges, ranges) && FAMILIES.some((family) => !isEmpty(group.ranges[family])),
      )
      .map(({ node }) => node.name);
    const node: MapNode = {
      id,
      kind: 'network',
      name,
      networks: [...set.v4, ...set.v6],
      holds: holds.length === 0 ? undefined : holds,
    };
    networks.push({ node, ranges });
  }
  return { kinds, networks };
}

/** Longer lists are counted. */
const MOST_LISTED = 2;

function unnamedNode(ranges: Ranges, family: Family): MapNode {
  const networks = addressesText(ranges, family);
  const more = networks.length - MOST_LISTED;
  const name = `${networks.slice(0, MOST_LISTED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  return { id: `addresses ${networks.join(' ')}`, kind: 'addresses', name, networks };
}

/** The index of the first owner whose address is at least this one. */
function firstAtLeast(owners: readonly { readonly address: bigint }[], address: bigint): number {
  let [low, high] = [0, owners.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((owners[middle]?.address ?? 0n) < address) low = middle + 1;
    else high = middle;
  }
  return low;
}
