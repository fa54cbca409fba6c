/** What became of every host of a rollout, and the state that each host reports, as terminal text. */
import type { Reading } from '../../host/client.js';
import { list, shortCommit, shortDigest } from '../../lib/text.js';
import { visible } from '../../lib/visible.js';
import type { Outcomes } from '../../rollout/results/model.js';
import { type ChangedHosts, type OutcomeName, outcomesView } from '../view/outcomes-view.js';
import { columns, type Paint, paint, type TextOptions } from './paint.js';
import { diffLines } from './plan.js';

const COLOURS: { readonly [name in OutcomeName]: 'green' | 'yellow' | 'red' | 'dim' } = {
  confirmed: 'green',
  unchanged: 'green',
  'rolled-back': 'yellow',
  refused: 'red',
  unreachable: 'red',
  unknown: 'red',
  'not-reached': 'dim',
};

/** The table in the order of the rollout, the verdict, and what to do when something failed. */
export function outcomesText(outcomes: Outcomes, options: TextOptions): string {
  const colours = paint(options);
  const view = outcomesView(outcomes, 'rollout');
  const table = columns(
    view.hosts.map(({ host, outcome, wave, time, reason }) => [
      visible(host),
      outcome,
      wave,
      time,
      visible(reason),
    ]),
    (row, column) => {
      const outcome = view.hosts[row]?.outcome;
      return column === 1 && outcome !== undefined ? colours[COLOURS[outcome]] : String;
    },
  );
  const verdict = colours.bold(colours[view.succeeded ? 'green' : 'red'](`${view.verdict}.`));
  return [
    `${table}${table === '' ? '' : '\n'}${verdict}\n`,
    view.stopped === undefined ? '' : `${visible(view.stopped)}\n`,
    ...view.advice.map(({ outcome, text }) => `  ${colours[COLOURS[outcome]](outcome)}: ${text}\n`),
    ...view.changed.map((group) => changesText(group, colours)),
  ].join('');
}

const changesText = ({ hosts, changes }: ChangedHosts, colours: Paint): string =>
  [
    `\n${colours.bold(visible(list(hosts, 8)))}\n`,
    ...changes.map(({ title, text }) => `  ${title}:\n${diffLines(text, '    ', colours)}`),
  ].join('');

export interface HostStatus {
  readonly host: string;
  readonly reading: Reading;
}

/** One line a host: the known-good state it runs, since when and from which commit; what is unfinished. */
export function statusText(hosts: readonly HostStatus[], options: TextOptions): string {
  const colours = paint(options);
  const rows = hosts.map(({ host, reading }) => [visible(host), ...statusCells(reading).map(visible)]);
  return columns(rows, (row, column) => {
    const read = hosts[row]?.reading;
    if (column !== 1 || read === undefined) return String;
    if (read.status !== 'read') return colours.red;
    return read.state.record.pending === undefined ? colours.green : colours.yellow;
  });
}

function statusCells(reading: Reading): readonly string[] {
  if (reading.status !== 'read') return [reading.status, '', '', reading.problem.message];
  const { current, pending, last } = reading.state.record;
  const ended =
    last === undefined ? '' : `last run ${last.outcome}${last.reason === '' ? '' : `: ${last.reason}`}`;
  const unfinished =
    pending === undefined
      ? ended
      : `${pending.owner} is in phase ${pending.phase}; rolls back by itself in ${pending.secondsLeft} s`;
  if (current === undefined)
    return [pending === undefined ? 'never deployed' : 'pending', '', '', unfinished];
  const digest = shortDigest(current.digest);
  return [pending === undefined ? digest : 'pending', shortCommit(current.commit), current.time, unfinished];
}
