/** What a report of a map shows: a picture of few arrows, and a table of all flows. */

import { groupBy } from '../../lib/group.js';
import type { SourceLocation } from '../../lib/problem.js';
import { count, FAMILY, grouped, list } from '../../lib/text.js';
import type { FleetMap, MapEdge } from '../../map/model.js';
import type { MapNode } from '../../naming/address-names.js';

export interface Arrow {
  readonly from: string;
  readonly to: string;
  /** `https, dns (at times)`: services with what limits them. */
  readonly services: readonly string[];
  readonly change?: MapEdge['change'];
  readonly blocked: boolean;
  /** How many edges of the map it represents. */
  readonly edges: number;
}

export interface Drawing {
  readonly nodes: readonly MapNode[];
  readonly arrows: readonly Arrow[];
  /** Edges of the map that no arrow represents. */
  readonly left: number;
}

const EVERY_HOST = 'every host';

/** With fewer groups of hosts, a picture that names each is as easy to read. */
const FEWEST_GROUPS = 3;

/**
 * A picture of the map. Where something changes it shows only that: the arrows that change, and those between the same nodes.
 * @param most arrows; changes come first, then what is refused, then what comes from anywhere.
 */
export function drawingOf(map: FleetMap, most: number): Drawing {
  const groups = hostGroups(map);
  const sizes = sizesOf(groups);
  const every: MapNode = {
    id: EVERY_HOST,
    kind: 'role',
    name: EVERY_HOST,
    hosts: groups.flatMap((node) => node.hosts ?? []),
  };
  const nodes = new Map([...map.nodes, every].map((node) => [node.id, node]));
  const arrows = arrowsOf(mergeTargets(map.edges, groups), sizes);
  const sorted = mergeSources(aroundChanges(arrows), nodes).sort(
    (a, b) => rank(a) - rank(b) || b.edges - a.edges || (keyOf(a) < keyOf(b) ? -1 : 1),
  );
  const shown = sorted.slice(0, most).map((arrow) => separateTarget(arrow, nodes));
  const used = new Set(shown.flatMap(({ from, to }) => [from, to]));
  return {
    nodes: [...nodes.values()].filter(({ id }) => used.has(id)),
    arrows: shown,
    left: map.edges.length - shown.reduce((sum, { edges }) => sum + edges, 0),
  };
}

function aroundChanges(arrows: readonly Arrow[]): readonly Arrow[] {
  const changing = new Set(
    arrows.flatMap(({ change, from, to }) => (change === undefined ? [] : [from, to])),
  );
  return changing.size === 0
    ? arrows
    : arrows.filter(({ from, to }) => changing.has(from) && changing.has(to));
}

const isOutside = (node: MapNode | undefined): boolean =>
  node?.kind === 'network' || node?.kind === 'addresses';

/** Networks with the same arrows to the same nodes are one node. */
function mergeSources(arrows: readonly Arrow[], nodes: Map<string, MapNode>): Arrow[] {
  const bySource = groupBy(arrows, ({ from }) => from);
  const merged = groupBy([...bySource], ([from, own]) =>
    isOutside(nodes.get(from))
      ? JSON.stringify(own.map(({ to, services, change, blocked }) => [to, services, change, blocked]))
      : from,
  );
  return [...merged.values()].flatMap((some): readonly Arrow[] => {
    const [first] = some;
    if (first === undefined || some.length === 1) return first?.[1] ?? [];
    const id = some.map(([from]) => from).join('\n');
    const names = some.map(([from]) => nodes.get(from)?.name ?? from);
    nodes.set(id, { id, kind: 'network', name: list(names, MOST_NAMED) });
    return first[1].map((arrow) => ({ ...arrow, from: id, edges: arrow.edges * some.length }));
  });
}

const MOST_NAMED = 3;

/** A network that hosts connect to is another node than the same network as a source, at the other side of the picture. */
function separateTarget(arrow: Arrow, nodes: Map<string, MapNode>): Arrow {
  const node = nodes.get(arrow.to);
  if (node === undefined || (node.kind !== 'anywhere' && !isOutside(node))) return arrow;
  const id = `to ${node.id}`;
  nodes.set(id, { ...node, id });
  return { ...arrow, to: id };
}

const rank = ({ change, blocked, from }: Arrow): number =>
  change !== undefined ? 0 : blocked ? 1 : from === 'anywhere' ? 2 : 3;

const keyOf = ({ from, to }: Arrow): string => `${from}\n${to}`;

interface WeightedEdge {
  readonly edge: MapEdge;
  readonly edges: number;
}

/** Edges from one node to all groups of hosts that differ in nothing else are one edge to every host. */
function mergeTargets(edges: readonly MapEdge[], groups: readonly MapNode[]): readonly WeightedEdge[] {
  const ids = new Set(groups.map(({ id }) => id));
  if (groups.length < FEWEST_GROUPS) return edges.map((edge) => ({ edge, edges: 1 }));
  const bySource = groupBy(edges, ({ rules: _, families: __, to, ...rest }) =>
    ids.has(to) && rest.hosts === undefined ? JSON.stringify(rest) : JSON.stringify({ ...rest, to }),
  );
  return [...bySource.values()].flatMap((some): readonly WeightedEdge[] => {
    const [first] = some;
    const all = new Set(some.map(({ to }) => to)).size === groups.length;
    return all && first !== undefined
      ? [{ edge: { ...first, to: EVERY_HOST }, edges: some.length }]
      : some.map((edge) => ({ edge, edges: 1 }));
  });
}

function arrowsOf(edges: readonly WeightedEdge[], sizes: ReadonlyMap<string, number>): Arrow[] {
  const groups = groupBy(edges, ({ edge: { from, to, change, blocked } }) =>
    JSON.stringify([from, to, change, blocked]),
  );
  return [...groups.values()].flatMap((some) =>
    some.slice(0, 1).map(
      ({ edge: { from, to, change, blocked } }): Arrow => ({
        from,
        to,
        services: some.map(({ edge }) => serviceText(edge, sizes)),
        change,
        blocked: blocked === true,
        edges: some.reduce((sum, { edges: own }) => sum + own, 0),
      }),
    ),
  );
}

const hostGroups = ({ nodes }: FleetMap): readonly MapNode[] =>
  nodes.filter(({ kind }) => kind === 'role' || kind === 'host');

type Sizes = ReadonlyMap<string, number>;
const sizesOf = (groups: readonly MapNode[]): Sizes =>
  new Map(groups.map(({ id, hosts = [] }) => [id, hosts.length]));

/** `ssh`, `ssh (2 of 5 hosts, in part)`. */
function serviceText(edge: MapEdge, sizes: Sizes): string {
  const all = sizes.get(sizes.has(edge.to) ? edge.to : edge.from) ?? 0;
  const limits = [
    ...(edge.hosts === undefined ? [] : [`${edge.hosts.length} of ${count(all, 'host')}`]),
    ...(edge.part ? ['in part'] : []),
    ...(edge.conditional ? ['on a condition'] : []),
  ];
  return limits.length === 0 ? edge.service : `${edge.service} (${limits.join(', ')})`;
}

/** A flow as a row of a table. */
export interface FlowRow {
  readonly change?: MapEdge['change'];
  readonly from: string;
  readonly to: string;
  /** The node that it leads to. */
  readonly toId: string;
  readonly service: string;
  /** ` IPv4 only (refused at the other end)`, or empty. */
  readonly limits: string;
  /** Lines of the policy, of which some may be left out. */
  readonly lines: readonly SourceLocation[];
  readonly omittedLines: number;
}

/** All flows in the order of the map. @param most lines of a flow */
export function flowRows(map: FleetMap, most: number): readonly FlowRow[] {
  const names = new Map(map.nodes.map(({ id, name }) => [id, name]));
  const sizes = sizesOf(hostGroups(map));
  return map.edges.map((edge) => ({
    change: edge.change,
    from: names.get(edge.from) ?? edge.from,
    to: names.get(edge.to) ?? edge.to,
    toId: edge.to,
    service: serviceText(edge, sizes),
    limits: [
      ...(edge.families.length === 1 ? edge.families.map((family) => ` ${FAMILY[family]} only`) : []),
      ...(edge.blocked ? [' (refused at the other end)'] : []),
    ].join(''),
    lines: edge.rules.slice(0, most),
    omittedLines: Math.max(0, edge.rules.length - most),
  }));
}

/** `12 flows between 7 nodes; 2 added, 1 removed`. */
export function mapVerdict({ nodes, edges, missing }: FleetMap): string {
  const withChange = (wanted: string): number => edges.filter(({ change }) => change === wanted).length;
  const changes = (['added', 'removed', 'changed'] as const)
    .filter((kind) => withChange(kind) > 0)
    .map((kind) => `${grouped(withChange(kind))} ${kind}`);
  return [
    `${count(edges.length - withChange('removed'), 'flow')} between ${count(nodes.length, 'node')}`,
    ...(changes.length === 0 ? [] : [changes.join(', ')]),
    ...(missing.length === 0 ? [] : [`${count(missing.length, 'host')} missing`]),
  ].join('; ');
}
