/** Two maps as one: the later one, and what is no more. */

import type { MapNode } from '../naming/address-names.js';
import type { FleetMap, MapEdge } from './model.js';

/**
 * What has one name in both and is more or less than it was is `changed`.
 * @param before with `removed` where the later hosts let it through no more.
 * @param after with `added` where the earlier hosts did not.
 */
export function joinMaps(before: FleetMap, after: FleetMap): FleetMap {
  const earlier = new Map(before.edges.map((edge) => [keyOf(edge), edge]));
  const gone = new Map(
    before.edges.filter(({ change }) => change !== undefined).map((edge) => [keyOf(edge), edge]),
  );
  const now = after.edges.map((edge): MapEdge => {
    const known = earlier.get(keyOf(edge));
    const same = known === undefined ? edge.change === undefined : sameEdge(known, edge);
    // Hosts of a role that get what others of it have keep their own edge.
    if (known === undefined || (edge.hosts !== undefined && edge.change !== undefined)) return edge;
    if (same && !gone.has(keyOf(edge)) && edge.change === undefined) return edge;
    return { ...edge, change: 'changed' };
  });
  const still = new Set(now.map(keyOf));
  const nodes = new Map([...before.nodes, ...after.nodes].map((node): [string, MapNode] => [node.id, node]));
  const edges = [...now, ...[...gone.values()].filter((edge) => !still.has(keyOf(edge)))];
  const used = new Set(edges.flatMap(({ from, to }) => [from, to]));
  const present = new Set(after.nodes.map(({ id }) => id));
  return {
    version: 1,
    nodes: [...nodes.values()]
      .filter(({ id }) => used.has(id) || present.has(id))
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
    edges,
    missing: [...new Map([...before.missing, ...after.missing].map((one) => [one.host, one])).values()],
  };
}

const keyOf = ({ from, to, service }: MapEdge): string => JSON.stringify([from, to, service]);

const sameEdge = (one: MapEdge, other: MapEdge): boolean =>
  one.families.join() === other.families.join() &&
  one.part === other.part &&
  one.conditional === other.conditional &&
  one.blocked === other.blocked;
