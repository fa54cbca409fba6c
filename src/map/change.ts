/** What changes from one map to another. */
import type { FleetMap, MapEdge, MapNode } from './model.js';

/** The later map with every edge of the earlier one: what is only there is `removed`. Lines of rules may move. */
export function compareMaps(before: FleetMap, after: FleetMap): FleetMap {
  const known = new Map(before.edges.map((edge) => [keyOf(edge), edge]));
  const now = after.edges.map((edge): MapEdge => {
    const earlier = known.get(keyOf(edge));
    if (earlier === undefined) return { ...edge, change: 'added' };
    return meaning(earlier) === meaning(edge) ? edge : { ...edge, change: 'changed' };
  });
  const still = new Set(after.edges.map(keyOf));
  const gone = before.edges
    .filter((edge) => !still.has(keyOf(edge)))
    .map((edge): MapEdge => ({ ...edge, change: 'removed' }));
  return {
    version: 1,
    nodes: [
      ...new Map(
        [...before.nodes, ...after.nodes].map((node): [string, MapNode] => [node.id, node]),
      ).values(),
    ].sort((a, b) => (a.id < b.id ? -1 : 1)),
    edges: [...now, ...gone],
    missing: [...new Map([...before.missing, ...after.missing].map((one) => [one.host, one])).values()],
  };
}

const keyOf = ({ from, to, service }: MapEdge): string => JSON.stringify([from, to, service]);

const meaning = ({ rules: _, change: __, ...rest }: MapEdge): string => JSON.stringify(rest);
