/** The map of a fleet: read off what the rules of every host let through, not off what the policy says. */
import { FAMILIES, type Family, type Ruleset } from '../netfilter/model.js';
import type { Host } from '../policy/fleet.js';
import type { Place } from '../problem.js';
import { intersect, isEmpty, type Ranges, subtract, union } from '../traffic/ranges.js';
import { isOpen, type Reach, type ReachHook } from '../traffic/reach.js';
import type { Atlas, Named } from './atlas.js';
import type { FleetMap, MapEdge, MapNode } from './model.js';
import type { OneSided } from './one-sided.js';
import { placeOf, type Reacher, type Shared } from './reaches.js';
import { bridge, type Naming } from './wires.js';

export interface MapHost {
  readonly host: Pick<Host, 'name' | 'addresses'>;
  readonly ruleset: Ruleset;
}

export interface MapTools {
  readonly atlas: Atlas;
  readonly naming: Naming;
  readonly reach: Reacher;
}

/**
 * Every node that begins connections with another one, or may be reached: what comes in at each host, and, of hosts
 * whose output is locked, what may leave for peers outside of the fleet or is refused by the peer. Traffic that a host
 * forwards and ICMP are not in it.
 */
export function buildMap(
  hosts: readonly MapHost[],
  oneSided: readonly OneSided[],
  tools: MapTools,
): FleetMap {
  const { atlas } = tools;
  const nodes = new Map<string, MapNode>(atlas.groups.map((node) => [node.id, node]));
  const drafts = new Map<string, Draft>();
  const missing: { host: string; why: string }[] = [];
  const memory = new Map<string, readonly Found[]>();
  for (const one of hosts) {
    const subject = { ruleset: one.ruleset, addresses: one.host.addresses };
    for (const hook of ['INPUT', 'OUTPUT'] as const) {
      const shared = tools.reach(subject, hook);
      const why = FAMILIES.flatMap((family) => (shared[family].ok ? [] : [shared[family].why]));
      if (why[0] !== undefined) missing.push({ host: one.host.name, why: why[0] });
      const key = `${hook} ${shared.key}`;
      const found = memory.get(key) ?? findEdges(shared, hook, tools);
      memory.set(key, found);
      for (const each of found) {
        // What one host of the fleet sends another is told by what the other lets in, and by what is one-sided.
        if (hook === 'OUTPUT' && each.hosts !== undefined) continue;
        nodes.set(each.node.id, each.node);
        addEdge(drafts, one, hook, each, tools);
      }
    }
  }
  const edges = withBlocked(
    [...drafts.values()].map((draft) => edgeOf(draft, atlas)),
    oneSided,
    atlas,
  ).sort(byEnds);
  const used = new Set(edges.flatMap(({ from, to }) => [from, to]));
  const present = new Set(hosts.map(({ host }) => atlas.groupOf(host.name).id));
  return {
    version: 1,
    nodes: [...nodes.values()]
      .filter(({ id }) => used.has(id) || present.has(id))
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
    edges,
    missing: distinctMissing(missing),
  };
}

const distinctMissing = (all: FleetMap['missing']): FleetMap['missing'] => [
  ...new Map(all.map((one) => [one.host, one])).values(),
];

/** What a host lets through for one peer: the same for all hosts that share their reach. */
interface Found {
  readonly family: Family;
  readonly node: MapNode;
  readonly hosts?: readonly string[];
  readonly part: boolean;
  readonly conditional: boolean;
  readonly service: string;
  readonly rules: readonly { readonly table: string; readonly chain: string; readonly number: number }[];
  /** The peers themselves and their wires, to ask the other end about. */
  readonly peers: Ranges;
  readonly wires: Ranges;
}

function findEdges(shared: Shared, hook: ReachHook, tools: MapTools): readonly Found[] {
  return FAMILIES.flatMap((family) => {
    const reached = shared[family];
    if (!reached.ok || (hook === 'OUTPUT' && isOpen(reached.value, family))) return [];
    return findInFamily(reached.value, family, tools);
  });
}

interface Listed {
  named: Named;
  wires: Ranges;
}

function findInFamily(reach: Reach, family: Family, { atlas, naming }: MapTools): readonly Found[] {
  const listed = new Map<string, Listed>();
  for (const { wire, perhaps } of reach)
    for (const named of atlas.name(perhaps, family)) {
      const known = listed.get(named.node.id);
      if (known === undefined) listed.set(named.node.id, { named, wires: [wire] });
      else {
        known.wires = union(known.wires, [wire]);
        known.named = wider(known.named, named);
      }
    }
  return [...listed.values()].flatMap(({ named, wires }) => {
    const anyway = union(
      ...reach.filter(({ perhaps }) => isEmpty(subtract(named.ranges, perhaps))).map(({ wire }) => [wire]),
    );
    return naming(bridge(wires, anyway)).map((service) => describe(reach, family, named, service));
  });
}

/** A node of which more comes in by one port than by another is drawn once. */
const wider = (one: Named, other: Named): Named => {
  const hosts = [...new Set([...(one.hosts ?? []), ...(other.hosts ?? [])])].sort();
  return {
    node: one.node,
    ranges: union(one.ranges, other.ranges),
    whole: one.whole && other.whole,
    ...(hosts.length === 0 ? {} : { hosts }),
  };
};

function describe(
  reach: Reach,
  family: Family,
  named: Named,
  service: { readonly name: string; readonly wires: Ranges },
): Found {
  const atoms = reach.filter(
    ({ wire, perhaps }) =>
      !isEmpty(intersect([wire], service.wires)) && !isEmpty(intersect(perhaps, named.ranges)),
  );
  const rules = atoms.flatMap(({ by }) =>
    by.flatMap(({ rule, peers }) => (rule === null || isEmpty(intersect(peers, named.ranges)) ? [] : [rule])),
  );
  return {
    family,
    node: named.node,
    ...(named.hosts && { hosts: named.hosts }),
    part: !named.whole || atoms.some(({ perhaps }) => !isEmpty(subtract(named.ranges, perhaps))),
    conditional: atoms.some(
      ({ perhaps, surely }) => !isEmpty(subtract(intersect(perhaps, named.ranges), surely)),
    ),
    service: service.name,
    rules: [...new Map(rules.map((rule) => [`${rule.table} ${rule.chain} ${rule.number}`, rule])).values()],
    peers: named.ranges,
    wires: service.wires,
  };
}

interface Draft {
  readonly from: string;
  readonly to: string;
  readonly service: string;
  /** The node whose hosts' rules say so. */
  readonly own: string;
  readonly families: Set<Family>;
  readonly hosts: Set<string>;
  readonly rules: Map<string, Place>;
  part: boolean;
  conditional: boolean;
}

function addEdge(
  drafts: Map<string, Draft>,
  one: MapHost,
  hook: ReachHook,
  found: Found,
  { atlas }: MapTools,
): void {
  const own = atlas.groupOf(one.host.name).id;
  const [from, to] = hook === 'INPUT' ? [found.node.id, own] : [own, found.node.id];
  const key = JSON.stringify([hook, from, to, found.service]);
  const draft: Draft = drafts.get(key) ?? {
    from,
    to,
    service: found.service,
    own,
    families: new Set(),
    hosts: new Set(),
    rules: new Map(),
    part: false,
    conditional: false,
  };
  drafts.set(key, draft);
  draft.families.add(found.family);
  draft.hosts.add(one.host.name);
  draft.part ||= found.part;
  draft.conditional ||= found.conditional;
  for (const rule of found.rules) {
    const place = placeOf({ ruleset: one.ruleset, addresses: [] }, found.family, rule);
    if (place !== undefined) draft.rules.set(`${place.file}:${place.line}:${place.column}`, place);
  }
}

function edgeOf(draft: Draft, atlas: Atlas): MapEdge {
  const all = atlas.groups.find(({ id }) => id === draft.own)?.hosts?.length ?? 1;
  return {
    from: draft.from,
    to: draft.to,
    service: draft.service,
    families: FAMILIES.filter((family) => draft.families.has(family)),
    ...(draft.hosts.size < all ? { hosts: [...draft.hosts].sort() } : {}),
    ...(draft.part ? { part: true } : {}),
    ...(draft.conditional ? { conditional: true } : {}),
    rules: [...draft.rules.values()].sort(byPosition),
  };
}

/** What no host of the sender lets out, or none of the receiver lets in. */
function withBlocked(edges: readonly MapEdge[], oneSided: readonly OneSided[], atlas: Atlas): MapEdge[] {
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

const byPosition = (a: Place, b: Place): number =>
  a.file === b.file ? a.line - b.line || a.column - b.column : a.file < b.file ? -1 : 1;

const byEnds = (a: MapEdge, b: MapEdge): number => {
  const [left, right] = [`${a.from}\n${a.to}\n${a.service}`, `${b.from}\n${b.to}\n${b.service}`];
  return left < right ? -1 : left > right ? 1 : 0;
};
