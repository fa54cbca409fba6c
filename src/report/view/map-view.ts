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
  /** How many edges of the map it stands for. */
  readonly edges: number;
}

export interface Drawing {
  readonly nodes: readonly MapNode[];
  readonly arrows: readonly Arrow[];
  /** Edges of the map that no arrow stands for. */
  readonly left: number;
}

export const EVERY = 'every host';

/** A picture that names its nodes where few of them would be no easier to read. */
const FEWEST_FOR_EVERY = 3;

/**
 * Where something changes, the picture is of that: the arrows that change, and those between the same nodes.
 * @param most arrows; changes come first, then what is refused, then what comes from anywhere.
 */
export function drawingOf(map: FleetMap, most: number): Drawing {
  const groups = hostGroups(map);
  const sizes = sizesOf(groups);
  const every: MapNode = {
    id: EVERY,
    kind: 'role',
    name: EVERY,
    hosts: groups.flatMap((node) => node.hosts ?? []),
  };
  const nodes = new Map([...map.nodes, every].map((node) => [node.id, node]));
  const arrows = arrowsOf(forEvery(map.edges, groups), sizes);
  const told = alike(inQuestion(arrows), nodes).sort(
    (a, b) => rank(a) - rank(b) || b.edges - a.edges || (keyOf(a) < keyOf(b) ? -1 : 1),
  );
  const shown = told.slice(0, most).map((arrow) => aside(arrow, nodes));
  const used = new Set(shown.flatMap(({ from, to }) => [from, to]));
  return {
    nodes: [...nodes.values()].filter(({ id }) => used.has(id)),
    arrows: shown,
    left: map.edges.length - shown.reduce((sum, { edges }) => sum + edges, 0),
  };
}

function inQuestion(arrows: readonly Arrow[]): readonly Arrow[] {
  const changing = new Set(
    arrows.flatMap(({ change, from, to }) => (change === undefined ? [] : [from, to])),
  );
  return changing.size === 0
    ? arrows
    : arrows.filter(({ from, to }) => changing.has(from) && changing.has(to));
}

const isOutside = (node: MapNode | undefined): boolean =>
  node?.kind === 'network' || node?.kind === 'addresses';

/** Networks from which the same arrows go to the same nodes are one node. */
function alike(arrows: readonly Arrow[], nodes: Map<string, MapNode>): Arrow[] {
  const bySource = groupBy(arrows, ({ from }) => from);
  const crowds = groupBy([...bySource], ([from, own]) =>
    isOutside(nodes.get(from))
      ? JSON.stringify(own.map(({ to, services, change, blocked }) => [to, services, change, blocked]))
      : from,
  );
  return [...crowds.values()].flatMap((crowd): readonly Arrow[] => {
    const [first] = crowd;
    if (first === undefined || crowd.length === 1) return first?.[1] ?? [];
    const id = crowd.map(([from]) => from).join('\n');
    const names = crowd.map(([from]) => nodes.get(from)?.name ?? from);
    nodes.set(id, { id, kind: 'network', name: list(names, MOST_NAMED) });
    return first[1].map((arrow) => ({ ...arrow, from: id, edges: arrow.edges * crowd.length }));
  });
}

const MOST_NAMED = 3;

/** Whom a locked host reaches stands on the other side of the picture than who reaches it. */
function aside(arrow: Arrow, nodes: Map<string, MapNode>): Arrow {
  const node = nodes.get(arrow.to);
  if (node === undefined || (node.kind !== 'anywhere' && !isOutside(node))) return arrow;
  const id = `to ${node.id}`;
  nodes.set(id, { ...node, id });
  return { ...arrow, to: id };
}

const rank = ({ change, blocked, from }: Arrow): number =>
  change !== undefined ? 0 : blocked ? 1 : from === 'anywhere' ? 2 : 3;

const keyOf = ({ from, to }: Arrow): string => `${from}\n${to}`;

interface Weighed {
  readonly edge: MapEdge;
  readonly edges: number;
}

/** The same service from the same node to all of the fleet, wherever that is alike in every respect. */
function forEvery(edges: readonly MapEdge[], groups: readonly MapNode[]): readonly Weighed[] {
  const ids = new Set(groups.map(({ id }) => id));
  if (groups.length < FEWEST_FOR_EVERY) return edges.map((edge) => ({ edge, edges: 1 }));
  const alike = groupBy(edges, ({ rules: _, families: __, to, ...rest }) =>
    ids.has(to) && rest.hosts === undefined ? JSON.stringify(rest) : JSON.stringify({ ...rest, to }),
  );
  return [...alike.values()].flatMap((some): readonly Weighed[] => {
    const [first] = some;
    const all = new Set(some.map(({ to }) => to)).size === groups.length;
    return all && first !== undefined
      ? [{ edge: { ...first, to: EVERY }, edges: some.length }]
      : some.map((edge) => ({ edge, edges: 1 }));
  });
}

function arrowsOf(edges: readonly Weighed[], sizes: ReadonlyMap<string, number>): Arrow[] {
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
