/** The explanation of one packet as terminal text: verdict, rule, path through the rules, and hints. */

import { count } from '../../lib/text.js';
import { visible } from '../../lib/visible.js';
import type { Explanation, Packet } from '../../traffic/model.js';
import { packetText } from '../../traffic/trace/sentences.js';
import { locationText, ruleText } from '../view/format.js';
import { columns, type Paint, paint, type TextOptions } from './paint.js';

const VERDICTS = { accept: 'Accepted', drop: 'Dropped', reject: 'Rejected', unknown: 'Unknown' } as const;
const COLOURS = { accept: 'green', drop: 'red', reject: 'red', unknown: 'yellow' } as const;

/** Verdict and packet, the rules on its path, hints, and assumptions. */
export function explanationText(packet: Packet, answer: Explanation, options: TextOptions): string {
  const colours = paint(options);
  const open = answer.assumptions.filter((text) => /^(?:It depends on|More than) /.test(text));
  const parts = [
    `${colours.bold(colours[COLOURS[answer.verdict]](VERDICTS[answer.verdict]))}${by(answer)}\n` +
      colours.dim(`${visible(packetLine(packet))}\n`),
    pathText(answer, colours),
    bullets([...open, ...(answer.hints ?? []), ...anomalyLines(answer)]),
    colours.dim(assumed(answer.assumptions.filter((text) => !open.includes(text)))),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

const packetLine = (packet: Packet): string =>
  `${packet.hook}: ${packetText(packet)}, ${packet.state ?? 'NEW'}`;

function by({ rule, verdict }: Explanation): string {
  if (rule === null) return '.';
  const location = rule.source === undefined ? '' : ` (${locationText(rule.source)})`;
  const verb = verdict === 'unknown' ? ': depends on' : ' by';
  return visible(`${verb} ${rule.reason ?? ruleText(rule)}${location}.`);
}

/** A line for every rule that matched: location, effect, text. Policies that accept in tables other than filter are left out. */
function pathText({ path = [] }: Explanation, colours: Paint): string {
  const shown = path.filter(
    ({ rule, effect }) => rule.number > 0 || rule.table === 'filter' || effect !== 'accept',
  );
  const rows = shown.map(({ rule, effect }) => [
    visible(`  ${rule.table} ${rule.chain} ${rule.number === 0 ? 'policy' : rule.number}`),
    visible(effect),
    visible(rule.number === 0 ? '' : rule.text),
  ]);
  return columns(rows, (row, column) =>
    column === 2 ? colours.dim : column === 1 && row === rows.length - 1 ? colours.bold : String,
  );
}

/** The most anomalies listed for one packet; JSON has all of them. */
const MOST_ANOMALIES = 5;

function anomalyLines({ anomalies = [] }: Explanation): readonly string[] {
  const shown = anomalies.slice(0, MOST_ANOMALIES).map(({ location, message, hint }) => {
    const where = location === undefined ? '' : `${locationText(location)}: `;
    return `${where}${message}${hint === undefined ? '' : ` ${hint}`}`;
  });
  const more = anomalies.length - shown.length;
  return more === 0 ? shown : [...shown, `${count(more, 'more rule')} that would match it are unreachable.`];
}

const assumed = (assumptions: readonly string[]): string =>
  assumptions.length === 0 ? '' : `Assumed: ${visible(assumptions.join(' '))}\n`;

const bullets = (sentences: readonly string[]): string =>
  sentences.map((sentence) => `- ${visible(sentence)}\n`).join('');
