/** The map of a fleet as data: who may begin connections with whom. Plain JSON; lists are in a stable order. */
import type { Family } from '../lib/family.js';
import type { SourceLocation } from '../lib/problem.js';
import type { MapNode } from '../naming/address-names.js';

export interface FleetMap {
  readonly version: 1;
  readonly nodes: readonly MapNode[];
  readonly edges: readonly MapEdge[];
  /** Hosts whose rules are not in it, with a sentence that says why. */
  readonly missing: readonly { readonly host: string; readonly why: string }[];
}

export interface MapEdge {
  /** Ids of nodes. */
  readonly from: string;
  readonly to: string;
  /** A name of the policy (`postgres`), or protocol and port (`tcp/9100`, `everything`). */
  readonly service: string;
  readonly families: readonly Family[];
  /** The hosts of the role whose rules allow it, when not all of its hosts do. */
  readonly hosts?: readonly string[];
  /** Only some addresses of the other side. */
  readonly part?: true;
  /** It also depends on an interface, a rate or a match that is not modelled. */
  readonly conditional?: true;
  /** The rules of the other end refuse it, so nothing gets through. */
  readonly blocked?: true;
  /** The lines of the policy that let it through. */
  readonly rules: readonly SourceLocation[];
  /** Against the map that it was compared with. */
  readonly change?: 'added' | 'removed' | 'changed';
}

/** The same for edges between the same nodes for the same service. */
export const edgeKey = ({ from, to, service }: MapEdge): string => JSON.stringify([from, to, service]);

/** The nodes that edges lead to or from, or that are `present` anyway, by their ids. */
export function sortNodes(
  nodes: Iterable<MapNode>,
  edges: readonly MapEdge[],
  present: Iterable<string>,
): readonly MapNode[] {
  const shown = new Set([...edges.flatMap(({ from, to }) => [from, to]), ...present]);
  return [...nodes].filter(({ id }) => shown.has(id)).sort((a, b) => (a.id < b.id ? -1 : 1));
}
