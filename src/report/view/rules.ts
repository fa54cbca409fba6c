/** Rule diffs as text, for every kind of report. */

import { FAMILY } from '../../lib/text.js';
import type { SetDiff } from '../../netfilter/model.js';
import type { DiffGroup } from './group.js';

/** Unified text: both families one after the other, or once when they change alike; then the members of sets. */
export function diffText({ v4, v6, sets }: Pick<DiffGroup, 'v4' | 'v6' | 'sets'>): string {
  const families =
    v4.text === v6.text
      ? [titled(v4.text, `${FAMILY.v4} and ${FAMILY.v6}`)]
      : [titled(v4.text, FAMILY.v4), titled(v6.text, FAMILY.v6)];
  return [...families, ...sets.map(setText)].filter((text) => text !== '').join('\n');
}

/**
 * A unified diff with one title for each chain instead of two file names, and with a space after the sign: iptables'
 * own `-A` right behind a minus is hard to read. The line numbers of further hunks say nothing about rules.
 */
const titled = (text: string, family: string): string =>
  text
    .replace(/^([-+ ])(?=-[APN] )/gm, '$1 ')
    .replace(/^--- (.*)\n\+\+\+ .*\n@@ -\d.*$/gm, (_, chain: string) => `@@ ${family} ${chain} @@`)
    .replace(/^--- (.*)\n\+\+\+ .*$/gm, (_, chain: string) => `@@ ${family} ${chain} @@`)
    .replace(/^@@ -\d.*$/gm, '  …')
    .trimEnd();

const setText = ({ name, added, removed, options }: SetDiff): string =>
  [
    `@@ ipset ${name} @@`,
    ...(options === undefined ? [] : [`- create ${options.before}`, `+ create ${options.after}`]),
    ...removed.map((member) => `- ${member}`),
    ...added.map((member) => `+ ${member}`),
  ].join('\n');
