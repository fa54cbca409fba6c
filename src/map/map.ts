/** The map of a fleet: what the rules of every host let through, whatever the policy says. */
import { FAMILIES, type Family } from '../lib/family.js';
import type { SourceLocation } from '../lib/problem.js';
import { intersect, isEmpty, type Ranges, subtract, union } from '../lib/ranges.js';
import type { AddressNames, MapNode, ResolvedName } from '../naming/address-names.js';
import { fillServiceGaps, isMostServices, type NamedService } from '../naming/service-names.js';
import type { DecidingRule } from '../traffic/model.js';
import { ICMP_SERVICES, isOpen, type Reach, type ReachHook } from '../traffic/questions/reach.js';
import type { MapContext, MapHost } from './context.js';
import { edgeKey, type FleetMap, type MapEdge, sortNodes } from './model.js';
import type { OneSided } from './one-sided.js';
import { entriesFor, ruleLocation, type SharedReach } from './reach-cache.js';

/** The peers of every host, by name. */
export interface FleetPeers {
  readonly peers: readonly HostPeer[];
  readonly missing: FleetMap['missing'];
  /** By the host's name. */
  readonly reaches: ReadonlyMap<string, HostReach>;
}

type HostReach = { readonly [hook in ReachHook]: SharedReach };

interface HostPeer {
  readonly mapHost: MapHost;
  readonly hook: ReachHook;
  /** Ids of nodes. */
  readonly from: string;
  readonly to: string;
  /** The node of the host. */
  readonly own: MapNode;
  readonly peer: Peer;
}

/** What a host lets through for one peer: the same for all hosts that share their reach. */
interface Peer {
  /** The same for the same peer of hosts that share their reach. */
  readonly id: string;
  readonly reach: Reach;
  readonly family: Family;
  readonly named: ResolvedName;
  /** Protocol-port keys. */
  readonly services: Ranges;
  /** An output that filters nothing: left out, unless it changes. */
  readonly open: boolean;
}

const HOOKS: readonly ReachHook[] = ['INPUT', 'OUTPUT'];

/** Finds the peers of every host; forwarded traffic and ICMP are left out. */
export function collectPeers(hosts: readonly MapHost[], context: MapContext): FleetPeers {
  const { addressNames, reach } = context;
  const peers: HostPeer[] = [];
  const missing = new Map<string, string>();
  const reaches = new Map<string, HostReach>();
  const known = new Map<string, readonly Peer[]>();
  for (const mapHost of hosts) {
    const { name, addresses } = mapHost.host;
    const own = addressNames.groupOf(name);
    const subject = { ruleset: mapHost.ruleset, addresses };
    const hostReach: HostReach = { INPUT: reach(subject, 'INPUT'), OUTPUT: reach(subject, 'OUTPUT') };
    reaches.set(name, hostReach);
    for (const hook of HOOKS) {
      const shared = hostReach[hook];
      for (const family of FAMILIES) {
        const reached = shared[family];
        if (!reached.ok) missing.set(name, reached.why);
      }
      const all =
        known.get(shared.key) ?? FAMILIES.flatMap((family) => peersOf(shared, family, hook, context));
      known.set(shared.key, all);
      for (const peer of all) {
        const { node, hosts: fleet } = peer.named;
        // Between two hosts of the fleet, what the receiver lets in and the one-sided flows say enough.
        if (hook === 'OUTPUT' && fleet !== undefined) continue;
        const [from, to] = hook === 'INPUT' ? [node.id, own.id] : [own.id, node.id];
        peers.push({ mapHost, hook, from, to, own, peer });
      }
    }
  }
  return { peers, missing: [...missing].map(([host, why]) => ({ host, why })), reaches };
}

/**
 * Draws what each host accepts, and, for hosts whose OUTPUT is restricted, what may leave to peers outside the fleet.
 * @param against the other version of the fleet; traffic that it does not accept for the whole peer is an edge with `change`
 */
export function buildMap(
  { peers, missing, reaches }: FleetPeers,
  oneSided: readonly OneSided[],
  context: MapContext,
  against?: { readonly peers: FleetPeers; readonly change: 'added' | 'removed' },
): FleetMap {
  const { addressNames } = context;
  const nodes = new Map<string, MapNode>(addressNames.groups.map((node) => [node.id, node]));
  const drafts = new Map<string, EdgeDraft>();
  const known = new Map<string, readonly NamedFlow[]>();
  for (const each of peers) {
    const { peer, mapHost, hook } = each;
    const other = against?.peers.reaches.get(mapHost.host.name)?.[hook];
    const key = `${peer.id}\n${other?.key}`;
    const flows = known.get(key) ?? flowsOf(peer, other, context, against?.change);
    known.set(key, flows);
    if (flows.length > 0) nodes.set(peer.named.node.id, peer.named.node);
    for (const flow of flows) addEdge(drafts, each, flow);
  }
  const edges = markBlocked([...drafts.values()].map(edgeOf), oneSided, addressNames).sort(byEnds);
  const present = [...reaches.keys()].map((name) => addressNames.groupOf(name).id);
  return { version: 1, nodes: sortNodes(nodes.values(), edges, present), edges, missing };
}

function peersOf(
  shared: SharedReach,
  family: Family,
  hook: ReachHook,
  { addressNames }: MapContext,
): readonly Peer[] {
  const reached = shared[family];
  if (!reached.ok) return [];
  const reach = reached.value;
  const found = new Map<string, { named: ResolvedName; services: Ranges }>();
  for (const { services, perhaps } of reach)
    for (const named of addressNames.name(perhaps, family)) {
      const known = found.get(named.node.id);
      if (known === undefined) found.set(named.node.id, { named, services: [services] });
      else {
        known.services = union(known.services, [services]);
        known.named = mergeNames(known.named, named);
      }
    }
  const open = hook === 'OUTPUT' && isOpen(reach, family);
  return [...found.values()].map(({ named, services }) => ({
    id: `${shared.key} ${family} ${named.node.id}`,
    reach,
    family,
    named,
    services: fillServiceGaps(services, servicesFor(reach, named.ranges)),
    open,
  }));
}

/** Services that all of these peers may reach, by whatever rule. */
const servicesFor = (reach: Reach, peers: Ranges): Ranges =>
  union(
    ...reach.filter(({ perhaps }) => isEmpty(subtract(peers, perhaps))).map(({ services }) => [services]),
  );

/** Names of peers with different ranges per port, as one node. */
const mergeNames = (one: ResolvedName, other: ResolvedName): ResolvedName => {
  const hosts = [...new Set([...(one.hosts ?? []), ...(other.hosts ?? [])])].sort();
  return {
    node: one.node,
    ranges: union(one.ranges, other.ranges),
    whole: one.whole && other.whole,
    hosts: hosts.length === 0 ? undefined : hosts,
  };
};

/** One service between a peer and a host. */
interface NamedFlow {
  readonly service: string;
  readonly family: Family;
  readonly part: boolean;
  readonly conditional: boolean;
  readonly rules: readonly DecidingRule[];
  readonly change?: 'added' | 'removed';
}

/** @param other the reach of the same host on the other side of the comparison. */
function flowsOf(
  peer: Peer,
  other: SharedReach | undefined,
  { nameServices }: MapContext,
  change: 'added' | 'removed' | undefined,
): readonly NamedFlow[] {
  const { services, open } = peer;
  const named = (some: Ranges) => nameServices(some).map((service) => flowOf(peer, service));
  if (change === undefined) return open ? [] : named(services);
  const known = servicesInOther(peer, other);
  const [still, own] = [intersect(services, known), subtract(services, known)];
  const changed = isEmpty(subtract(own, ICMP_SERVICES))
    ? []
    : isMostServices(own) && !isEmpty(still)
      ? [flowOf(peer, { name: 'everything else', services: own })]
      : named(own);
  return [
    ...(open || isEmpty(still) ? [] : named(still)),
    ...changed.map((flow): NamedFlow => ({ ...flow, change })),
  ];
}

/**
 * Services for which the other side of the comparison lets through, by whatever name, all of the peer that gets through
 * here. A host whose other reach is unknown counts as unchanged.
 */
function servicesInOther({ reach, family, named, services }: Peer, other: SharedReach | undefined): Ranges {
  const reached = other?.[family];
  if (reached === undefined) return [];
  if (!reached.ok) return services;
  const known = union(
    reach.flatMap((entry) => {
      const peers = intersect(entry.perhaps, named.ranges);
      return entriesFor(reached.value, entry.services)
        .filter(({ perhaps }) => isEmpty(subtract(peers, perhaps)))
        .flatMap((one) => intersect([entry.services], [one.services]));
    }),
  );
  return fillServiceGaps(known, known);
}

function flowOf({ reach, family, named }: Peer, { name, services }: NamedService): NamedFlow {
  const entries = reach.filter(
    (entry) =>
      !isEmpty(intersect([entry.services], services)) && !isEmpty(intersect(entry.perhaps, named.ranges)),
  );
  const rules = entries.flatMap(({ by }) =>
    by.flatMap(({ rule, peers }) => (rule === null || isEmpty(intersect(peers, named.ranges)) ? [] : [rule])),
  );
  return {
    service: name,
    family,
    part: !named.whole || entries.some(({ perhaps }) => !isEmpty(subtract(named.ranges, perhaps))),
    conditional: entries.some(
      ({ perhaps, surely }) => !isEmpty(subtract(intersect(perhaps, named.ranges), surely)),
    ),
    rules: [...new Set(rules)],
  };
}

interface EdgeDraft extends Pick<MapEdge, 'from' | 'to' | 'service' | 'change'> {
  /** How many hosts the node of the rules has. */
  readonly size: number;
  readonly flows: NamedFlow[];
  readonly hosts: Set<string>;
  readonly rules: Map<string, SourceLocation>;
}

function addEdge(
  drafts: Map<string, EdgeDraft>,
  { mapHost, from, to, own }: HostPeer,
  flow: NamedFlow,
): void {
  const ends = { from, to, service: flow.service, change: flow.change };
  const key = JSON.stringify(Object.values(ends));
  const size = own.hosts?.length ?? 1;
  const draft: EdgeDraft = drafts.get(key) ?? {
    ...ends,
    size,
    flows: [],
    hosts: new Set(),
    rules: new Map(),
  };
  drafts.set(key, draft);
  draft.flows.push(flow);
  draft.hosts.add(mapHost.host.name);
  for (const rule of flow.rules) {
    const location = ruleLocation(mapHost.ruleset, flow.family, rule);
    if (location !== undefined)
      draft.rules.set(`${location.file}:${location.line}:${location.column}`, location);
  }
}

const edgeOf = ({ from, to, service, change, size, flows, hosts, rules }: EdgeDraft): MapEdge => ({
  from,
  to,
  service,
  families: FAMILIES.filter((family) => flows.some((flow) => flow.family === family)),
  hosts: hosts.size < size ? [...hosts].sort() : undefined,
  part: flows.some(({ part }) => part) || undefined,
  conditional: flows.some(({ conditional }) => conditional) || undefined,
  rules: [...rules.values()].sort(byPosition),
  change,
});

/** Marks edges that the OUTPUT of the sender blocks, and adds edges that the INPUT of the receiver blocks. */
function markBlocked(
  edges: readonly MapEdge[],
  oneSided: readonly OneSided[],
  addressNames: AddressNames,
): MapEdge[] {
  const unsent = oneSided.filter(
    ({ allowedBy, from, senders }) =>
      allowedBy === 'receiver' && senders.length === (from.hosts?.length ?? 1),
  );
  const marked = edges.map((edge): MapEdge => {
    const blocked = unsent.some(
      ({ from, to, service, families }) =>
        from.id === edge.from &&
        to.id === edge.to &&
        service === edge.service &&
        edge.families.every((family) => families.includes(family)),
    );
    return blocked ? { ...edge, blocked: true } : edge;
  });
  const known = new Set(marked.map(edgeKey));
  const added = new Map<string, MapEdge>();
  for (const { allowedBy, from, to, service, families, senders, allowing } of oneSided) {
    if (allowedBy !== 'sender') continue;
    const all = addressNames.groups.find(({ id }) => id === from.id)?.hosts?.length ?? 1;
    const edge: MapEdge = {
      from: from.id,
      to: to.id,
      service,
      families,
      hosts: senders.length < all ? senders : undefined,
      blocked: true,
      rules: allowing === undefined ? [] : [allowing],
    };
    if (!known.has(edgeKey(edge))) added.set(edgeKey(edge), edge);
  }
  return [...marked, ...added.values()];
}

const byPosition = (a: SourceLocation, b: SourceLocation): number =>
  a.file === b.file ? a.line - b.line || a.column - b.column : a.file < b.file ? -1 : 1;

const byEnds = (a: MapEdge, b: MapEdge): number => {
  const [left, right] = [`${a.from}\n${a.to}\n${a.service}`, `${b.from}\n${b.to}\n${b.service}`];
  return left < right ? -1 : left > right ? 1 : 0;
};
