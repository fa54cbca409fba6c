/** Names for addresses: the networks of the policy, its roles and hosts, anywhere, and what has no name. */
import { FAMILIES, type Family } from '../lib/family.js';
import { networkRanges, networksText, parseAddresses } from '../lib/ip.js';
import {
  equalRanges,
  intersect,
  isEmpty,
  ofValues,
  type Ranges,
  sizeOf,
  subtract,
  union,
} from '../lib/ranges.js';
import type { AddressSet, Fleet, Host } from '../policy/fleet.js';
import { everyPeer } from '../traffic/questions/reach.js';

export interface ResolvedName {
  readonly node: MapNode;
  /** The part of the addresses that goes by this name. */
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
  readonly fleet: { readonly [family in Family]: Ranges };
  /** The hosts that have an address in the ranges. */
  readonly hostsIn: (ranges: Ranges, family: Family) => readonly string[];
}

type Both = { readonly [family in Family]: Ranges };

interface Place {
  readonly node: MapNode;
  readonly ranges: Both;
  /** Only where the addresses are exactly these. */
  readonly exact: boolean;
}

const ANYWHERE: MapNode = { id: 'anywhere', kind: 'anywhere', name: 'anywhere' };
const EVERY_PEER: Both = { v4: everyPeer('v4'), v6: everyPeer('v6') };

/** @param earlier another policy, whose hosts and networks are known too where this one has none of the name. */
export function createAddressNames(fleet: Fleet, earlier?: Fleet): AddressNames {
  const hosts = byName([fleet, ...(earlier === undefined ? [] : [earlier])]);
  const addressesOf = new Map(hosts.map((host) => [host.name, bothOf(host)]));
  const groups = groupsOf(hosts);
  const groupOf = new Map(groups.flatMap((node) => (node.hosts ?? []).map((name) => [name, node] as const)));
  const together = (names: readonly string[]): Both =>
    both((family) => union(...names.map((name) => addressesOf.get(name)?.[family] ?? [])));
  const members = groups.map((node): Place => ({ node, ranges: together(node.hosts ?? []), exact: false }));
  const networks = networksOf(fleet, earlier, members);
  const owners = both((family) =>
    hosts
      .flatMap((host) =>
        (addressesOf.get(host.name)?.[family] ?? []).flatMap(([address]) => [{ address, host: host.name }]),
      )
      .sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0)),
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
    const key = `${family} ${ranges.map((range) => range.join('-')).join()}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const named = nameRanges(ranges, family);
    known.set(key, named);
    return named;
  };

  function nameRanges(ranges: Ranges, family: Family): readonly ResolvedName[] {
    const peers = intersect(ranges, EVERY_PEER[family]);
    if (isEmpty(peers)) return [];
    const exactly = networks.find(({ exact, ranges: all }) => exact && equalRanges(all[family], peers));
    if (exactly !== undefined) return [{ node: exactly.node, ranges: peers, whole: true }];
    if (sizeOf(peers) * 2n > sizeOf(EVERY_PEER[family]))
      return [{ node: ANYWHERE, ranges: peers, whole: equalRanges(peers, EVERY_PEER[family]) }];
    const named: ResolvedName[] = [];
    let rest = peers;
    const candidates = [...members, ...networks.filter(({ exact }) => !exact)]
      .filter(
        (location) => !isEmpty(location.ranges[family]) && isEmpty(subtract(location.ranges[family], peers)),
      )
      .sort((a, b) => compare(sizeOf(b.ranges[family]), sizeOf(a.ranges[family])));
    for (const { node, ranges: all } of candidates) {
      const own = all[family];
      if (isEmpty(intersect(own, rest))) continue;
      named.push({ node, ranges: own, whole: true, ...(node.hosts && { hosts: node.hosts }) });
      rest = subtract(rest, own);
    }
    for (const [node, some] of grouped(hostsIn(rest, family))) {
      const own = intersect(together(some)[family], rest);
      named.push({ node, ranges: own, whole: false, hosts: some });
      rest = subtract(rest, own);
    }
    return [...named, ...partsOf(rest, family)];
  }

  function grouped(names: readonly string[]): ReadonlyMap<MapNode, readonly string[]> {
    const found = new Map<MapNode, string[]>();
    for (const host of names) {
      const node = groupOf.get(host);
      if (node === undefined) continue;
      const list = found.get(node);
      if (list === undefined) found.set(node, [host]);
      else list.push(host);
    }
    return found;
  }

  /** Parts of the smallest network that holds each range; what no network holds has no name. */
  function partsOf(rest: Ranges, family: Family): readonly ResolvedName[] {
    const parts = new Map<MapNode, Ranges>();
    let nameless: Ranges = [];
    const holders = networks
      .filter(({ exact }) => !exact)
      .toSorted((a, b) => compare(sizeOf(a.ranges[family]), sizeOf(b.ranges[family])));
    for (const range of rest) {
      const holder = holders.find((location) => isEmpty(subtract([range], location.ranges[family])));
      if (holder === undefined) nameless = union(nameless, [range]);
      else parts.set(holder.node, union(parts.get(holder.node) ?? [], [range]));
    }
    return [
      ...[...parts].map(([node, ranges]): ResolvedName => ({ node, ranges, whole: false })),
      ...(isEmpty(nameless) ? [] : [{ node: namelessNode(nameless, family), ranges: nameless, whole: true }]),
    ];
  }

  return {
    groups,
    groupOf: (host) => groupOf.get(host) ?? { id: `host ${host}`, kind: 'host', name: host, hosts: [host] },
    name,
    fleet: together(hosts.map((host) => host.name)),
    hostsIn,
  };
}

const both = <T>(of: (family: Family) => T): { readonly [family in Family]: T } => ({
  v4: of('v4'),
  v6: of('v6'),
});

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

const bothOf = (host: Host): Both => both((family) => ofValues(parseAddresses(host.addresses, family)));

function byName(fleets: readonly Fleet[]): readonly Host[] {
  const found = new Map<string, Host>();
  for (const { hosts } of fleets)
    for (const host of hosts) if (!found.has(host.name)) found.set(host.name, host);
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Roles that every host has tell no host from another, and are left out of the names. */
function groupsOf(hosts: readonly Host[]): readonly MapNode[] {
  const [first, ...rest] = hosts;
  const shared = (first?.roles ?? []).filter((role) => rest.every(({ roles }) => roles.includes(role)));
  const groups = new Map<
    string,
    { readonly name: string; readonly kind: 'role' | 'host'; readonly hosts: string[] }
  >();
  for (const { name, roles } of hosts) {
    const own = roles.filter((role) => !shared.includes(role));
    const said = (own.length > 0 ? own : roles).join(', ');
    const kind = said === '' ? 'host' : 'role';
    const id = kind === 'role' ? `role ${roles.toSorted().join('+')}` : `host ${name}`;
    const group = groups.get(id);
    if (group === undefined) groups.set(id, { name: said || name, kind, hosts: [name] });
    else group.hosts.push(name);
  }
  return [...groups]
    .map(([id, group]): MapNode => ({ id, ...group }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Built-in networks that are no more than kinds of addresses: named where nothing else is meant. */
const EXACT: ReadonlySet<string> = new Set(['internet', 'private', 'loopback', 'multicast', 'link-local']);

function networksOf(fleet: Fleet, earlier: Fleet | undefined, members: readonly Place[]): readonly Place[] {
  const sets = new Map<string, AddressSet>([...(earlier?.networks ?? []), ...fleet.networks]);
  const own = new Set([fleet, ...(earlier ? [earlier] : [])].flatMap(definedNetworks));
  return [...sets]
    .filter(([, set]) => !set.any)
    .map(([name, set]): Place => {
      const ranges = both((family) =>
        union(...set[family].map((network) => networkRanges(network, family) ?? [])),
      );
      const exact = EXACT.has(name) && !own.has(name);
      const holds = (exact ? [] : members)
        .filter(
          (group) =>
            FAMILIES.every((family) => isEmpty(subtract(group.ranges[family], ranges[family]))) &&
            FAMILIES.some((family) => !isEmpty(group.ranges[family])),
        )
        .map(({ node }) => node.name);
      return {
        node: {
          id: `network ${name}`,
          kind: 'network',
          name,
          ...(exact ? {} : { networks: [...set.v4, ...set.v6] }),
          ...(holds.length === 0 ? {} : { holds }),
        },
        ranges,
        exact,
      };
    });
}

const definedNetworks = ({ definitions = [] }: Fleet): readonly string[] =>
  definitions.filter(({ kind }) => kind === 'network').map(({ name }) => name);

/** Longer lists are counted. */
const MOST_LISTED = 2;

function namelessNode(ranges: Ranges, family: Family): MapNode {
  const networks = networksText(ranges, family).map((text) =>
    text.replace(family === 'v4' ? /\/32$/ : /\/128$/, ''),
  );
  const name =
    networks.length > MOST_LISTED
      ? `${networks.slice(0, MOST_LISTED).join(', ')} and ${networks.length - MOST_LISTED} more`
      : networks.join(', ');
  return { id: `addresses ${networks.join(' ')}`, kind: 'addresses', name, networks };
}

function firstAtLeast(list: readonly { readonly address: bigint }[], value: bigint): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle]?.address ?? 0n) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

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
