/** The map of a fleet as terminal text: one line a flow, under the node that it leads to. */
import { groupBy } from '../../lib/group.js';
import { count } from '../../lib/text.js';
import { visible } from '../../lib/visible.js';
import type { FleetMap } from '../../map/model.js';
import { locationText } from '../view/format.js';
import { type FlowRow, flowRows, mapVerdict } from '../view/map-view.js';
import { columns, paint, type TextOptions } from './paint.js';

const SIGN = { added: '+', removed: '-', changed: '~' } as const;
const COLOUR = { added: 'green', removed: 'red', changed: 'yellow' } as const;
const MOST_LINES = 2;

/** Verdict, then the flows to each node, then the hosts that are missing. */
export function mapText(map: FleetMap, options: TextOptions): string {
  const colours = paint(options);
  const byNode = groupBy(flowRows(map, MOST_LINES), ({ toId }) => toId);
  const blocks = map.nodes.flatMap(({ id, name, kind, hosts = [] }) => {
    const rows = byNode.get(id) ?? [];
    if (rows.length === 0) return [];
    const size = kind === 'role' ? ` (${count(hosts.length, 'host')})` : '';
    const text = columns(rows.map(cells), (row, column) => {
      const change = rows[row]?.change;
      if (change !== undefined && column < 3) return colours[COLOUR[change]];
      return column === 3 ? colours.dim : String;
    });
    return [`${colours.bold(`to ${visible(name)}`)}${size}\n${text.replace(/^/gm, '  ').trimEnd()}\n`];
  });
  const missing = map.missing.map(({ host, why }) => `${visible(host)} is missing: ${visible(why)}\n`);
  return [`${colours.bold(`${mapVerdict(map)}.`)}\n`, ...blocks, missing.join('')]
    .filter((part) => part !== '')
    .join('\n');
}

const cells = ({ change, from, service, limits, lines, omittedLines }: FlowRow): readonly string[] => [
  change === undefined ? ' ' : SIGN[change],
  visible(from),
  visible(service) + limits,
  visible([...lines.map(locationText), ...(omittedLines === 0 ? [] : [`${omittedLines} more`])].join(', ')),
];
