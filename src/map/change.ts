/** Two maps as one: the later map, and what the earlier one has besides. */
import { edgeKey, type FleetMap, type MapEdge, sortNodes } from './model.js';

/**
 * Joins the maps; an edge that is in both and differs is `changed`.
 * @param before with `removed` where the later hosts no longer let it through.
 * @param after with `added` where the earlier hosts did not let it through.
 */
export function joinMaps(before: FleetMap, after: FleetMap): FleetMap {
  const byKey = (edges: readonly MapEdge[]) => new Map(edges.map((edge) => [edgeKey(edge), edge]));
  const earlier = byKey(before.edges);
  const removed = byKey(before.edges.filter(({ change }) => change !== undefined));
  const now = after.edges.map((edge): MapEdge => {
    const known = earlier.get(edgeKey(edge));
    // Hosts of a role that gain what its other hosts have keep an edge of their own.
    if (known === undefined || (edge.hosts !== undefined && edge.change !== undefined)) return edge;
    if (edge.change === undefined && !removed.has(edgeKey(edge)) && isSameEdge(known, edge)) return edge;
    return { ...edge, change: 'changed' };
  });
  const still = new Set(now.map(edgeKey));
  const edges = [...now, ...[...removed.values()].filter((edge) => !still.has(edgeKey(edge)))];
  const nodes = new Map([...before.nodes, ...after.nodes].map((node) => [node.id, node]));
  return {
    version: 1,
    nodes: sortNodes(
      nodes.values(),
      edges,
      after.nodes.map(({ id }) => id),
    ),
    edges,
    missing: [...new Map([...before.missing, ...after.missing].map((one) => [one.host, one])).values()],
  };
}

const isSameEdge = (one: MapEdge, other: MapEdge): boolean =>
  one.families.join() === other.families.join() &&
  one.part === other.part &&
  one.conditional === other.conditional &&
  one.blocked === other.blocked;
