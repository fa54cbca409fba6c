/** Rule diffs as text, for every kind of report. */

import { FAMILY, grouped } from '../../lib/text.js';
import type { SetDiff } from '../../netfilter/model.js';
import type { StateDiff } from '../../rollout/results/model.js';

/** `+2 −1`, `4 moved`. */
export const ruleCounts = (added: number, removed: number, moved: number): string =>
  [
    ...(added + removed > 0 || moved === 0 ? [`+${grouped(added)} −${grouped(removed)}`] : []),
    ...(moved > 0 ? [`${grouped(moved)} moved`] : []),
  ].join(', ');

/** The counts of a diff, members of sets included. */
export function diffCounts({ v4, v6, sets }: StateDiff): string {
  const sum = (of: 'added' | 'removed'): number =>
    [v4, v6, ...sets].reduce((total, part) => total + part[of].length, 0);
  return ruleCounts(sum('added'), sum('removed'), v4.moved.length + v6.moved.length);
}

/** Unified text: both families, or one for both when they change alike; then the members of sets. */
export function diffText({ v4, v6, sets }: StateDiff): string {
  const families =
    v4.text === v6.text
      ? [titled(v4.text, `${FAMILY.v4} and ${FAMILY.v6}`)]
      : [titled(v4.text, FAMILY.v4), titled(v6.text, FAMILY.v6)];
  return [...families, ...sets.map(setText)].filter((text) => text !== '').join('\n');
}

/**
 * A unified diff with one title for each chain instead of two file names, and a space after the sign: `--A` is hard to
 * read. Line numbers of further hunks mean nothing for rules.
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
