/** What the Markdown reports have in common: options, heading, and lists that say how many items did not fit. */
import { count } from '../../lib/text.js';
import type { Budget, Section } from './budget.js';
import { clip, type LinkTo, prose } from './escape.js';

export interface MarkdownOptions {
  /** Default: a comment's. */
  readonly budget?: Budget;
  /** Which of several fleets this is, in the heading. */
  readonly environment?: string;
  readonly linkTo?: LinkTo;
  /** Where the whole report is, as Markdown: `the [job summary](…)`. */
  readonly elsewhere?: string;
}

/** A section that is always shown. */
export const fixed = (head: string): Section => ({ head, items: [], tail: '', rank: 0, left: () => '' });

/** GitHub shows each kind of alert in its own colour: green, blue, violet, amber, red. */
export type Alert = 'TIP' | 'NOTE' | 'IMPORTANT' | 'WARNING' | 'CAUTION';

/** The heading of a report, and its verdict as an alert. */
export const heading = (
  title: string,
  { environment }: MarkdownOptions,
  alert: Alert,
  verdict: string,
): Section =>
  fixed(
    `## ${title}${environment === undefined ? '' : `: ${prose(clip(environment, 100))}`}\n\n> [!${alert}]\n> **${prose(clip(verdict, 600))}.**\n\n`,
  );

/** The sentence for a number of things that did not fit. */
export const notShown =
  (noun: string, { elsewhere = 'the whole report' }: MarkdownOptions) =>
  (number: number): string =>
    `${count(number, `more ${noun}`)} did not fit here: see ${elsewhere}.`;

/** Items below a heading; nothing at all without items. */
export function listSection(
  head: string,
  items: readonly string[],
  tail: string,
  rank: number,
  left: (number: number) => string,
): Section {
  return items.length === 0
    ? fixed('')
    : { head, items, tail, rank, left: (number) => `- _${left(number)}_\n` };
}
