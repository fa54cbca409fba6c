/** What becomes of one packet as terminal text: the verdict, the rule, its way, and what people ask next. */

import { count } from '../../lib/text.js';
import { visible } from '../../lib/visible.js';
import type { Explanation, Packet } from '../../traffic/model.js';
import { packetText } from '../../traffic/trace/sentences.js';
import { locationText, ruleReason, ruleText } from '../view/format.js';
import { columns, type Paint, paint, type TextOptions } from './paint.js';

const VERDICTS = { accept: 'Accepted', drop: 'Dropped', reject: 'Rejected', unknown: 'Unknown' } as const;
const COLOURS = { accept: 'green', drop: 'red', reject: 'red', unknown: 'yellow' } as const;

export function explanationText(packet: Packet, answer: Explanation, options: TextOptions): string {
  const colours = paint(options);
  const open = answer.assumptions.filter((text) => /^(?:It depends on|More than) /.test(text));
  const parts = [
    `${colours.bold(colours[COLOURS[answer.verdict]](VERDICTS[answer.verdict]))}${by(answer)}\n` +
      colours.dim(`${visible(packetLine(packet))}\n`),
    way(answer, colours),
    bullets([...open, ...(answer.hints ?? []), ...anomalyLines(answer)]),
    colours.dim(granted(answer.assumptions.filter((text) => !open.includes(text)))),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

const packetLine = (packet: Packet): string =>
  `${packet.hook}: ${packetText(packet)}, ${packet.state ?? 'NEW'}`;

function by({ rule, verdict }: Explanation): string {
  if (rule === null) return '.';
  const location = rule.source === undefined ? '' : ` (${locationText(rule.source)})`;
  const word = verdict === 'unknown' ? ': it hangs on' : ' by';
  return visible(`${word} ${ruleReason(rule) ?? ruleText(rule)}${location}.`);
}

/** A line for every rule that matched: where it stands, what it did, what it says. Tables that let it pass say nothing. */
function way({ path = [] }: Explanation, colours: Paint): string {
  const told = path.filter(
    ({ rule, effect }) => rule.number > 0 || rule.table === 'filter' || effect !== 'accept',
  );
  const rows = told.map(({ rule, effect }) => [
    visible(`  ${rule.table} ${rule.chain} ${rule.number === 0 ? 'policy' : rule.number}`),
    visible(effect),
    visible(rule.number === 0 ? '' : rule.text),
  ]);
  return columns(rows, (row, column) =>
    column === 2 ? colours.dim : column === 1 && row === rows.length - 1 ? colours.bold : String,
  );
}

/** The most that are told of one packet; JSON has all of them. */
const MOST_ANOMALIES = 5;

function anomalyLines({ anomalies = [] }: Explanation): readonly string[] {
  const told = anomalies.slice(0, MOST_ANOMALIES).map(({ location, message, hint }) => {
    const where = location === undefined ? '' : `${locationText(location)}: `;
    return `${where}${message}${hint === undefined ? '' : ` ${hint}`}`;
  });
  const more = anomalies.length - told.length;
  return more === 0
    ? told
    : [...told, `${count(more, 'more rule')} that would match it can match no packet.`];
}

const granted = (assumptions: readonly string[]): string =>
  assumptions.length === 0 ? '' : `Taken for granted: ${visible(assumptions.join(' '))}\n`;

const bullets = (sentences: readonly string[]): string =>
  sentences.map((sentence) => `- ${visible(sentence)}\n`).join('');
