/** The map of a fleet as terminal text: one line a flow, under the node that is reached. */

import { groupBy } from '../../lib/group.js';
import { count, FAMILY } from '../../lib/text.js';
import { visible } from '../../lib/visible.js';
import type { FleetMap, MapEdge } from '../../map/model.js';
import { serviceText } from '../view/arrows.js';
import { locationText } from '../view/format.js';
import { mapVerdict } from '../view/map-words.js';
import { columns, paint, type TextOptions } from './paint.js';

const SIGN = { added: '+', removed: '-', changed: '~' } as const;
const COLOUR = { added: 'green', removed: 'red', changed: 'yellow' } as const;

export function mapText(map: FleetMap, options: TextOptions): string {
  const colours = paint(options);
  const nodes = new Map(map.nodes.map((node) => [node.id, node]));
  const sizes = new Map(
    map.nodes
      .filter(({ kind }) => kind === 'role' || kind === 'host')
      .map(({ id, hosts = [] }) => [id, hosts.length]),
  );
  const nameOf = (id: string): string => visible(nodes.get(id)?.name ?? id);
  const cells = (edge: MapEdge): readonly string[] => [
    edge.change === undefined ? ' ' : SIGN[edge.change],
    nameOf(edge.from),
    `${visible(serviceText(edge, sizes))}${edge.families.length === 1 ? ` ${edge.families.map((one) => FAMILY[one]).join('')} only` : ''}${edge.blocked ? ' (refused at the other end)' : ''}`,
    placesText(edge),
  ];
  const reached = groupBy(map.edges, ({ to }) => to);
  const blocks = map.nodes.flatMap(({ id: to, kind, hosts = [] }) => {
    const edges = reached.get(to) ?? [];
    if (edges.length === 0) return [];
    const size = kind === 'role' ? ` (${count(hosts.length, 'host')})` : '';
    const text = columns(edges.map(cells), (row, column) => {
      const change = edges[row]?.change;
      if (change !== undefined && column < 3) return colours[COLOUR[change]];
      return column === 3 ? colours.dim : (plain) => plain;
    });
    return [`${colours.bold(`to ${nameOf(to)}`)}${size}\n${text.replace(/^/gm, '  ').trimEnd()}\n`];
  });
  const missing = map.missing
    .map(({ host, why }) => `${visible(host)} is not in it: ${visible(why)}\n`)
    .join('');
  return [`${colours.bold(`${mapVerdict(map)}.`)}\n`, ...blocks, missing]
    .filter((part) => part !== '')
    .join('\n');
}

const MOST_LINES = 2;

function placesText({ rules }: MapEdge): string {
  const shown = rules.slice(0, MOST_LINES).map(locationText);
  const more = rules.length > MOST_LINES ? [`${rules.length - MOST_LINES} more`] : [];
  return visible([...shown, ...more].join(', '));
}
