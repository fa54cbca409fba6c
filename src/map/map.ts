/** The map of a fleet: read off what the rules of every host let through, not off what the policy says. */
import { FAMILIES, type Family } from '../lib/family.js';
import type { SourceLocation } from '../lib/problem.js';
import { intersect, isEmpty, type Ranges, subtract, union } from '../lib/ranges.js';
import type { AddressNames, MapNode, ResolvedName } from '../naming/address-names.js';
import { isVast, type NamedService, serviceBridge } from '../naming/service-names.js';
import type { DecidingRule } from '../traffic/model.js';
import { ICMP_SERVICES, isOpen, type Reach, type ReachHook } from '../traffic/questions/reach.js';
import type { FleetMap, MapEdge } from './model.js';
import type { OneSided } from './one-sided.js';
import { ruleLocation, type SharedReach } from './reaches.js';
import type { MapContext, MapHost } from './tools.js';

/** What every host lets through, before it is told in words. */
export interface Survey {
  readonly seen: readonly Seen[];
  readonly missing: FleetMap['missing'];
  /** By the host's name. */
  readonly reaches: ReadonlyMap<string, Reaches>;
}

type Reaches = { readonly [hook in ReachHook]: SharedReach };

interface Seen {
  readonly one: MapHost;
  readonly hook: ReachHook;
  readonly from: string;
  readonly to: string;
  readonly own: MapNode;
  readonly found: Found;
}

/** What a host lets through for one peer: the same for all hosts that share their reach. */
interface Found {
  /** The same for the same peer of hosts that share their reach. */
  readonly id: string;
  readonly reach: Reach;
  readonly family: Family;
  readonly named: ResolvedName;
  readonly wires: Ranges;
  /** An output that filters nothing: no news, unless it did or will. */
  readonly open: boolean;
}

/** Traffic that a host forwards and ICMP are not in it. */
export function survey(hosts: readonly MapHost[], tools: MapContext): Survey {
  const { addressNames: atlas, reach } = tools;
  const seen: Seen[] = [];
  const missing = new Map<string, string>();
  const reaches = new Map<string, Reaches>();
  const memory = new Map<string, readonly Found[]>();
  for (const one of hosts) {
    const own = atlas.groupOf(one.host.name);
    const subject = { ruleset: one.ruleset, addresses: one.host.addresses };
    const both: Reaches = { INPUT: reach(subject, 'INPUT'), OUTPUT: reach(subject, 'OUTPUT') };
    reaches.set(one.host.name, both);
    for (const hook of HOOKS) {
      const shared = both[hook];
      for (const family of FAMILIES) {
        const reached = shared[family];
        if (!reached.ok) missing.set(one.host.name, reached.why);
      }
      const all = memory.get(shared.key) ?? findPeers(shared, hook, tools);
      memory.set(shared.key, all);
      for (const found of all) {
        const { node, hosts: fleet } = found.named;
        // What one host of the fleet sends another is told by what the other lets in, and by what is one-sided.
        if (hook === 'OUTPUT' && fleet !== undefined) continue;
        const [from, to] = hook === 'INPUT' ? [node.id, own.id] : [own.id, node.id];
        seen.push({ one, hook, from, to, own, found });
      }
    }
  }
  return { seen, missing: [...missing].map(([host, why]) => ({ host, why })), reaches };
}

const HOOKS: readonly ReachHook[] = ['INPUT', 'OUTPUT'];

/**
 * The map of what was surveyed: what comes in at each host, and, of hosts whose output is locked, what may leave for
 * peers outside of the fleet. Against another survey, what that one does not let through for all of a peer, by whatever
 * name, is marked with `change` and told apart from the rest.
 */
export function buildMap(
  { seen, missing, reaches }: Survey,
  oneSided: readonly OneSided[],
  tools: MapContext,
  against?: { readonly survey: Survey; readonly change: 'added' | 'removed' },
): FleetMap {
  const { addressNames: atlas } = tools;
  const nodes = new Map<string, MapNode>(atlas.groups.map((node) => [node.id, node]));
  const drafts = new Map<string, Draft>();
  const memory = new Map<string, readonly Flow[]>();
  for (const each of seen) {
    const { found, one, hook } = each;
    const other = against?.survey.reaches.get(one.host.name)?.[hook];
    const key = `${found.id}\n${other?.key}`;
    const flows = memory.get(key) ?? flowsOf(found, other, tools, against?.change);
    memory.set(key, flows);
    if (flows.length > 0) nodes.set(found.named.node.id, found.named.node);
    for (const flow of flows) addEdge(drafts, each, flow);
  }
  const edges = withBlocked([...drafts.values()].map(edgeOf), oneSided, atlas).sort(byEnds);
  const used = new Set(edges.flatMap(({ from, to }) => [from, to]));
  const present = new Set([...reaches.keys()].map((name) => atlas.groupOf(name).id));
  return {
    version: 1,
    nodes: [...nodes.values()]
      .filter(({ id }) => used.has(id) || present.has(id))
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
    edges,
    missing,
  };
}

function findPeers(shared: SharedReach, hook: ReachHook, tools: MapContext): readonly Found[] {
  return FAMILIES.flatMap((family) => {
    const reached = shared[family];
    if (!reached.ok) return [];
    const open = hook === 'OUTPUT' && isOpen(reached.value, family);
    return peersIn(reached.value, family, tools).map(
      ({ named, wires }): Found => ({
        id: `${shared.key} ${family} ${named.node.id}`,
        reach: reached.value,
        family,
        named,
        wires,
        open,
      }),
    );
  });
}

interface Listed {
  named: ResolvedName;
  wires: Ranges;
}

function peersIn(reach: Reach, family: Family, { addressNames: atlas }: MapContext): readonly Listed[] {
  const listed = new Map<string, Listed>();
  for (const { services: wire, perhaps } of reach)
    for (const named of atlas.name(perhaps, family)) {
      const known = listed.get(named.node.id);
      if (known === undefined) listed.set(named.node.id, { named, wires: [wire] });
      else {
        known.wires = union(known.wires, [wire]);
        known.named = wider(known.named, named);
      }
    }
  return [...listed.values()].map(({ named, wires }) => ({
    named,
    wires: serviceBridge(wires, wiresFor(reach, named.ranges)),
  }));
}

/** Wires on which all of these peers may get through, by whatever rule. */
const wiresFor = (reach: Reach, peers: Ranges): Ranges =>
  union(
    ...reach.filter(({ perhaps }) => isEmpty(subtract(peers, perhaps))).map(({ services: wire }) => [wire]),
  );

/** A node of which more comes in by one port than by another is drawn once. */
const wider = (one: ResolvedName, other: ResolvedName): ResolvedName => {
  const hosts = [...new Set([...(one.hosts ?? []), ...(other.hosts ?? [])])].sort();
  return {
    node: one.node,
    ranges: union(one.ranges, other.ranges),
    whole: one.whole && other.whole,
    ...(hosts.length === 0 ? {} : { hosts }),
  };
};

/** One service between a peer and a host. */
interface Flow {
  readonly service: string;
  readonly family: Family;
  readonly part: boolean;
  readonly conditional: boolean;
  readonly rules: readonly DecidingRule[];
  readonly change?: 'added' | 'removed';
}

/** @param other the reach of the same host in the other survey. */
function flowsOf(
  found: Found,
  other: SharedReach | undefined,
  { naming }: MapContext,
  change: 'added' | 'removed' | undefined,
): readonly Flow[] {
  const { wires, open } = found;
  if (change === undefined) return open ? [] : naming(wires).map((service) => describe(found, service));
  const known = otherWires(found, other);
  const [still, own] = [intersect(wires, known), subtract(wires, known)];
  const named = isEmpty(subtract(own, ICMP_SERVICES))
    ? []
    : isVast(own) && !isEmpty(still)
      ? [{ name: 'everything else', wires: own }]
      : naming(own);
  return [
    ...(open || isEmpty(still) ? [] : naming(still).map((service) => describe(found, service))),
    ...named.map((service): Flow => ({ ...describe(found, service), change })),
  ];
}

/**
 * Wires on which the other survey lets through, by whatever name, all of the peer that gets through here. Nothing
 * changes on a host of which it could not tell.
 */
function otherWires({ reach, family, named, wires }: Found, other: SharedReach | undefined): Ranges {
  const reached = other?.[family];
  if (reached === undefined) return [];
  if (!reached.ok) return wires;
  const known = reach.flatMap(({ services: wire, perhaps }) => {
    const peers = intersect(perhaps, named.ranges);
    return reached.value
      .filter((atom) => atom.services[0] <= wire[1] && wire[0] <= atom.services[1])
      .filter((atom) => isEmpty(subtract(peers, atom.perhaps)))
      .flatMap((atom) => intersect([wire], [atom.services]));
  });
  return isEmpty(known) ? [] : serviceBridge(union(known), union(known));
}

function describe({ reach, family, named }: Found, service: NamedService): Flow {
  const atoms = reach.filter(
    ({ services: wire, perhaps }) =>
      !isEmpty(intersect([wire], service.wires)) && !isEmpty(intersect(perhaps, named.ranges)),
  );
  const rules = atoms.flatMap(({ by }) =>
    by.flatMap(({ rule, peers }) => (rule === null || isEmpty(intersect(peers, named.ranges)) ? [] : [rule])),
  );
  return {
    service: service.name,
    family,
    part: !named.whole || atoms.some(({ perhaps }) => !isEmpty(subtract(named.ranges, perhaps))),
    conditional: atoms.some(
      ({ perhaps, surely }) => !isEmpty(subtract(intersect(perhaps, named.ranges), surely)),
    ),
    rules: [...new Set(rules)],
  };
}

interface Draft {
  readonly from: string;
  readonly to: string;
  readonly service: string;
  readonly change: Flow['change'];
  /** How many hosts the node has whose rules say so. */
  readonly all: number;
  readonly families: Set<Family>;
  readonly hosts: Set<string>;
  readonly rules: Map<string, SourceLocation>;
  part: boolean;
  conditional: boolean;
}

function addEdge(drafts: Map<string, Draft>, { one, from, to, own }: Seen, flow: Flow): void {
  const key = JSON.stringify([from, to, flow.service, flow.change]);
  const draft: Draft = drafts.get(key) ?? {
    from,
    to,
    service: flow.service,
    change: flow.change,
    all: own.hosts?.length ?? 1,
    families: new Set(),
    hosts: new Set(),
    rules: new Map(),
    part: false,
    conditional: false,
  };
  drafts.set(key, draft);
  draft.families.add(flow.family);
  draft.hosts.add(one.host.name);
  draft.part ||= flow.part;
  draft.conditional ||= flow.conditional;
  for (const rule of flow.rules) {
    const location = ruleLocation(one.ruleset, flow.family, rule);
    if (location !== undefined)
      draft.rules.set(`${location.file}:${location.line}:${location.column}`, location);
  }
}

const edgeOf = (draft: Draft): MapEdge => ({
  from: draft.from,
  to: draft.to,
  service: draft.service,
  families: FAMILIES.filter((family) => draft.families.has(family)),
  ...(draft.hosts.size < draft.all ? { hosts: [...draft.hosts].sort() } : {}),
  ...(draft.part ? { part: true } : {}),
  ...(draft.conditional ? { conditional: true } : {}),
  rules: [...draft.rules.values()].sort(byPosition),
  ...(draft.change === undefined ? {} : { change: draft.change }),
});

/** What no host of the sender lets out, or none of the receiver lets in. */
function withBlocked(
  edges: readonly MapEdge[],
  oneSided: readonly OneSided[],
  atlas: AddressNames,
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
  const sent = oneSided
    .filter(({ allowedBy }) => allowedBy === 'sender')
    .map(({ from, to, service, families, senders, allowing }): MapEdge => {
      const all = atlas.groups.find(({ id }) => id === from.id)?.hosts?.length ?? 1;
      return {
        from: from.id,
        to: to.id,
        service,
        families,
        ...(senders.length < all ? { hosts: senders } : {}),
        blocked: true,
        rules: allowing === undefined ? [] : [allowing],
      };
    });
  const known = new Set(marked.map(keyOf));
  return [
    ...marked,
    ...new Map(sent.filter((edge) => !known.has(keyOf(edge))).map((edge) => [keyOf(edge), edge])).values(),
  ];
}

const keyOf = ({ from, to, service }: MapEdge): string => JSON.stringify([from, to, service]);

const byPosition = (a: SourceLocation, b: SourceLocation): number =>
  a.file === b.file ? a.line - b.line || a.column - b.column : a.file < b.file ? -1 : 1;

const byEnds = (a: MapEdge, b: MapEdge): number => {
  const [left, right] = [`${a.from}\n${a.to}\n${a.service}`, `${b.from}\n${b.to}\n${b.service}`];
  return left < right ? -1 : left > right ? 1 : 0;
};
