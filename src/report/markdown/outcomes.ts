/** What became of every host of a rollout, as Markdown: job summary, and the note on the merged pull request. */

import { count, grouped, list, shortCommit } from '../../lib/text.js';
import type { Outcome, Outcomes } from '../../rollout/results/model.js';
import {
  NEXT,
  NOT_KEPT,
  NOTHING,
  OUTCOME_MEANING,
  SINCE,
  secondsText,
  type Unreviewed,
  unreviewed,
  waveText,
} from '../view/outcomes.js';
import {
  allDeployed,
  OUTCOME_ORDER,
  type OutcomeName,
  outcomeCount,
  outcomesVerdict,
} from '../view/totals.js';
import { assemble, type Budget, COMMENT_BUDGET, type Section } from './budget.js';
import { code, fence, html, prose } from './escape.js';

export interface OutcomesMarkdownOptions {
  /** Default: a comment's. */
  readonly budget?: Budget;
  readonly environment?: string;
  /** Where the whole report is, as Markdown of our own. */
  readonly elsewhere?: string;
}

const MARKS: { readonly [name in OutcomeName]: string } = {
  confirmed: '✅ confirmed',
  unchanged: '✅ unchanged',
  'rolled-back': '↩️ rolled back',
  refused: '⛔ refused',
  unreachable: '🔌 unreachable',
  unknown: '❓ unknown',
  'not-reached': '⏸️ not reached',
};

const byOutcome = (a: Outcome, b: Outcome): number =>
  OUTCOME_ORDER.indexOf(a.outcome) - OUTCOME_ORDER.indexOf(b.outcome) || a.wave - b.wave;

/** Verdict, what to do about each kind of failure, then the table with the failures first. */
export function outcomesMarkdown(outcomes: Outcomes, options: OutcomesMarkdownOptions = {}): string {
  const good = allDeployed(outcomes);
  const where = options.environment === undefined ? '' : `: ${prose(options.environment.slice(0, 100))}`;
  const commit = outcomes.commit === null ? '' : `<sub>Commit ${code(shortCommit(outcomes.commit))}.</sub>\n`;
  const sections: readonly Section[] = [
    fixed(
      `## Firewall deploy${where}\n\n> [!${good ? 'TIP' : 'CAUTION'}]\n> **${prose(outcomesVerdict(outcomes))}.**\n\n`,
    ),
    ...(outcomes.stopped === undefined ? [] : [fixed(`${prose(outcomes.stopped.slice(0, 1000))}\n\n`)]),
    ...(good ? [] : [fixed(`### What now\n\n${whatNow(outcomes)}\n`)]),
    ...(outcomes.hosts.length === 0 ? [] : [table(outcomes, options)]),
    ...changes(outcomes, options),
    fixed(commit),
  ];
  return assemble(sections, options.budget ?? COMMENT_BUDGET);
}

const fixed = (head: string): Section => ({ head, items: [], tail: '', rank: 0, left: () => '' });

const whatNow = (outcomes: Outcomes): string =>
  OUTCOME_ORDER.filter((name) => outcomeCount(outcomes, name) > 0)
    .map(
      (name) =>
        `- ${MARKS[name]} (${grouped(outcomeCount(outcomes, name))}): the host ${prose(OUTCOME_MEANING[name])}\n`,
    )
    .join('');

function table(outcomes: Outcomes, { elsewhere }: OutcomesMarkdownOptions): Section {
  return {
    head: '| Host | Outcome | Wave | Time | |\n| :-- | :-- | :-- | --: | :-- |\n',
    items: outcomes.hosts.toSorted(byOutcome).map(row),
    tail: '\n',
    rank: 1,
    left: (left) =>
      `\n_${count(left, 'more host')} did not fit here: see ${elsewhere ?? 'the whole report'}._\n`,
  };
}

function changes(outcomes: Outcomes, { elsewhere }: OutcomesMarkdownOptions): readonly Section[] {
  const groups = unreviewed(outcomes);
  if (groups.length === 0) return [];
  return [
    {
      head: '### Not as reviewed\n\n',
      items: groups.map(folded),
      tail: '',
      rank: 2,
      left: (left) =>
        `_${count(left, 'more difference')} did not fit here: see ${elsewhere ?? 'the whole report'}._\n\n`,
    },
  ];
}

function folded({ hosts, since, next }: Unreviewed): string {
  const half = (title: string, text: string | undefined, none: string): string =>
    `${title}:\n\n${text === undefined || text === '' ? none : fence(text, 'diff')}\n\n`;
  return [
    `<details><summary>${html(list(hosts, 8))}</summary>\n\n`,
    half(SINCE, since, since === undefined ? NOT_KEPT : NOTHING),
    half(NEXT, next, NOTHING),
    '</details>\n\n',
  ].join('');
}

const row = ({ host, outcome, wave, seconds, phase, reason }: Outcome): string => {
  const during = outcome === 'confirmed' || outcome === 'unchanged' ? '' : `during ${phase}`;
  const words = [during, prose(reason)].filter((part) => part !== '').join(': ');
  return `| ${code(host)} | ${MARKS[outcome]} | ${waveText(wave)} | ${secondsText(seconds)} | ${words} |\n`;
};
