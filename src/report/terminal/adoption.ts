/** What was adopted into the policy as terminal text. */

import { FAMILY } from '../../lib/text.js';
import { visible } from '../../lib/visible.js';
import type { Adoption, Difference, HostAdoption } from '../../rollout/results/adoption.js';
import { adoptionVerdict } from '../view/totals.js';
import { type Paint, paint, type TextOptions } from './paint.js';

/** Host by host what was written into the policy and what is left, then the verdict. */
export function adoptionText(adoption: Adoption, options: TextOptions): string {
  const colours = paint(options);
  const blocks = adoption.hosts.map((host) => hostText(host, colours));
  return [...blocks, `${colours.bold(`${adoptionVerdict(adoption)}.`)}\n`].join('\n');
}

function hostText({ host, status, reason, taken, left }: HostAdoption, colours: Paint): string {
  if (status !== 'read')
    return `${colours.bold(visible(host))} ${colours.red(status)}: ${visible(reason ?? '')}\n`;
  return [
    `${colours.bold(visible(host))}\n`,
    ...taken.map(
      (one) =>
        `${itemText(one)}      ${colours.green('→')} ${visible(one.how)} ${colours.cyan(`(${visible(one.file)})`)}\n${one.note === undefined ? '' : `        ${colours.yellow(visible(one.note))}\n`}`,
    ),
    ...left.map((one) => `${itemText(one)}      ${colours.yellow('left:')} ${visible(one.why)}\n`),
  ].join('');
}

function itemText({ message, rule, families = [] }: Difference): string {
  const [only] = families;
  const family = families.length === 1 && only !== undefined ? `${FAMILY[only]}: ` : '';
  return `  ${family}${visible(message)}\n${rule === undefined ? '' : `      ${visible(rule)}\n`}`;
}
