/** A map in one sentence. */

import { count, grouped } from '../../lib/text.js';
import type { FleetMap } from '../../map/model.js';

/** `12 flows between 7 nodes; 2 added, 1 removed`. */
export function mapVerdict({ nodes, edges, missing }: FleetMap): string {
  const of = (wanted: string): number => edges.filter(({ change }) => change === wanted).length;
  const now = edges.length - of('removed');
  const changes = (['added', 'removed', 'changed'] as const)
    .filter((kind) => of(kind) > 0)
    .map((kind) => `${grouped(of(kind))} ${kind}`);
  const parts = [
    `${count(now, 'flow')} between ${count(nodes.length, 'node')}`,
    ...(changes.length === 0 ? [] : [changes.join(', ')]),
    ...(missing.length === 0 ? [] : [`${count(missing.length, 'host')} not in it`]),
  ];
  return parts.join('; ');
}
