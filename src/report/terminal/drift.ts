/** Drift as terminal text. */
import { FAMILY } from '../../lib/text.js';
import { visible } from '../../lib/visible.js';
import type { Drift, DriftItem } from '../../rollout/results/model.js';
import { type DriftedHost, driftView } from '../view/drift-view.js';
import { locationText } from '../view/format.js';
import { type Paint, paint, type TextOptions } from './paint.js';

/** The hosts that differ, the hosts that could not be read, and the verdict. */
export function driftText(drift: Drift, options: TextOptions): string {
  const colours = paint(options);
  const view = driftView(drift);
  const unread = view.unread.map(
    ({ host, state, reason }) => `${colours.bold(visible(host))} ${colours.red(state)}: ${visible(reason)}\n`,
  );
  const expiring = view.expiring.map(
    ({ message, source }) =>
      `${colours.yellow(visible(message))}${source === undefined ? '' : ` ${colours.cyan(`(${visible(locationText(source))})`)}`}\n`,
  );
  return [
    ...view.drifted.map((host) => hostText(host, colours)),
    ...unread,
    ...(expiring.length === 0 ? [] : [expiring.join('')]),
    `${colours.bold(colours[view.clean ? 'green' : 'yellow'](`${view.verdict}.`))}\n${view.ignored === '' ? '' : colours.dim(`${view.ignored}\n`)}`,
  ].join('\n');
}

function hostText({ host, places }: DriftedHost, colours: Paint): string {
  const blocks = places.map(
    ({ title, items }) => `  ${title}\n${items.map((item) => itemText(item, colours)).join('')}`,
  );
  return `${colours.bold(visible(host))} ${colours.yellow('drifted')}\n${blocks.join('')}`;
}

const SIGNS: { readonly [kind in DriftItem['kind']]?: '+' | '-' } = { extra: '+', missing: '-' };

function itemText({ kind, family, message, rule, source }: DriftItem, colours: Paint): string {
  const location = source === undefined ? '' : ` ${colours.cyan(`(${visible(locationText(source))})`)}`;
  const sign = SIGNS[kind] ?? ' ';
  const colour = sign === '+' ? colours.green : sign === '-' ? colours.red : colours.dim;
  return `    ${family === undefined ? '' : `${FAMILY[family]}: `}${visible(message)}${location}\n${rule === undefined ? '' : colour(`      ${sign} ${visible(rule)}\n`)}`;
}
