/** What became of every host of a rollout, as Markdown: job summary, and the note on the merged pull request. */
import { grouped, list, shortCommit } from '../../lib/text.js';
import type { Outcomes } from '../../rollout/results/model.js';
import { type ChangedHosts, type OutcomeName, type OutcomeRow, outcomesView } from '../view/outcomes-view.js';
import { assemble, COMMENT_BUDGET } from './budget.js';
import { clip, code, fence, html, prose } from './escape.js';
import { fixed, heading, type MarkdownOptions, notShown } from './sections.js';

const MARKS: { readonly [name in OutcomeName]: string } = {
  confirmed: '✅ confirmed',
  unchanged: '✅ unchanged',
  'rolled-back': '↩️ rolled back',
  refused: '⛔ refused',
  unreachable: '🔌 unreachable',
  unknown: '❓ unknown',
  'not-reached': '⏸️ not reached',
};

/** Verdict, what to do about each kind of failure, then the table with the failures first. */
export function outcomesMarkdown(outcomes: Outcomes, options: MarkdownOptions = {}): string {
  const view = outcomesView(outcomes, 'worst-first');
  const advice = view.advice.map(
    ({ outcome, hosts, text }) => `- ${MARKS[outcome]} (${grouped(hosts)}): ${prose(text)}\n`,
  );
  return assemble(
    [
      heading('Firewall deploy', options, view.succeeded ? 'TIP' : 'CAUTION', view.verdict),
      fixed(view.stopped === undefined ? '' : `${prose(clip(view.stopped, 1000))}\n\n`),
      fixed(advice.length === 0 ? '' : `### What now\n\n${advice.join('')}\n`),
      {
        head:
          view.hosts.length === 0
            ? ''
            : '| Host | Outcome | Wave | Time | |\n| :-- | :-- | :-- | --: | :-- |\n',
        items: view.hosts.map(tableRow),
        tail: view.hosts.length === 0 ? '' : '\n',
        rank: 1,
        left: (number) => `\n_${notShown('host', options)(number)}_\n`,
      },
      {
        head: view.changed.length === 0 ? '' : '### Not as reviewed\n\n',
        items: view.changed.map(changesBlock),
        tail: '',
        rank: 2,
        left: (number) => `_${notShown('difference', options)(number)}_\n\n`,
      },
      fixed(view.commit === null ? '' : `<sub>Commit ${code(shortCommit(view.commit))}.</sub>\n`),
    ],
    options.budget ?? COMMENT_BUDGET,
  );
}

const tableRow = ({ host, outcome, wave, time, reason }: OutcomeRow): string =>
  `| ${code(host)} | ${MARKS[outcome]} | ${wave} | ${time} | ${prose(reason)} |\n`;

const changesBlock = ({ hosts, changes }: ChangedHosts): string =>
  [
    `<details><summary>${html(list(hosts, 8))}</summary>\n\n`,
    ...changes.map(({ title, text, isDiff }) => `${title}:\n\n${isDiff ? fence(text, 'diff') : text}\n\n`),
    '</details>\n\n',
  ].join('');
