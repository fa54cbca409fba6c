/** Drift as terminal text. */

import { count, FAMILY } from '../../lib/text.js';
import { visible } from '../../lib/visible.js';
import type { Drift, DriftItem, HostDrift } from '../../rollout/results/model.js';
import { DRIFT_PLACES } from '../view/drift.js';
import { locationText } from '../view/format.js';
import { driftTotals, driftVerdict } from '../view/totals.js';
import { type Paint, paint, type TextOptions } from './paint.js';

/** The hosts that differ, the hosts that could not be read, and the verdict. */
export function driftText(drift: Drift, options: TextOptions): string {
  const colours = paint(options);
  const totals = driftTotals(drift);
  const clean = totals.clean === totals.hosts;
  const blocks = drift.hosts
    .filter(({ status }) => status !== 'clean')
    .map((host) => (host.status === 'drifted' ? hostText(host, colours) : unreadText(host, colours)));
  const { chains, rules } = totals.ignored;
  const ignored =
    chains + rules === 0
      ? ''
      : colours.dim(
          `Not compared: ${count(rules, 'rule')} and ${count(chains, 'chain')} that are not the policy's.\n`,
        );
  const verdict = colours.bold(colours[clean ? 'green' : 'yellow'](`${driftVerdict(totals)}.`));
  const due = (drift.due ?? []).map(
    ({ message, source }) =>
      `${colours.yellow(visible(message))}${source === undefined ? '' : ` ${colours.cyan(`(${visible(locationText(source))})`)}`}\n`,
  );
  return [...blocks, ...(due.length === 0 ? [] : [due.join('')]), `${verdict}\n${ignored}`].join('\n');
}

const unreadText = ({ host, status, reason }: HostDrift, colours: Paint): string =>
  `${colours.bold(visible(host))} ${colours.red(status)}: ${visible(reason ?? '')}\n`;

function hostText(host: HostDrift, colours: Paint): string {
  const places = DRIFT_PLACES.filter(({ key }) => host[key].length > 0).map(
    ({ key, title }) => `  ${title}\n${host[key].map((item) => itemText(item, colours)).join('')}`,
  );
  return `${colours.bold(visible(host.host))} ${colours.yellow('drifted')}\n${places.join('')}`;
}

const SIGNS: { readonly [kind in DriftItem['kind']]?: '+' | '-' } = { extra: '+', missing: '-' };

function itemText(item: DriftItem, colours: Paint): string {
  const family = item.family === undefined ? '' : `${FAMILY[item.family]}: `;
  const location =
    item.source === undefined ? '' : ` ${colours.cyan(`(${visible(locationText(item.source))})`)}`;
  const sign = SIGNS[item.kind] ?? ' ';
  const rule = item.rule === undefined ? '' : `      ${sign} ${visible(item.rule)}\n`;
  return `    ${family}${visible(item.message)}${location}\n${rule === '' ? '' : signColour(sign, colours)(rule)}`;
}

const signColour = (sign: string, colours: Paint): ((text: string) => string) =>
  sign === '+' ? colours.green : sign === '-' ? colours.red : colours.dim;
