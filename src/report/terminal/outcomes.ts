/** What became of every host of a rollout, and what each host says of itself, as terminal text. */
import type { Reading } from '../../host/client.js';
import { list, shortCommit, shortDigest } from '../../lib/text.js';
import { visible, visibleLines } from '../../lib/visible.js';
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
import { columns, type Paint, paint, type TextOptions } from './paint.js';
import { diffColour } from './plan.js';

const COLOURS: { readonly [name in OutcomeName]: 'green' | 'yellow' | 'red' | 'dim' } = {
  confirmed: 'green',
  unchanged: 'green',
  'rolled-back': 'yellow',
  refused: 'red',
  unreachable: 'red',
  unknown: 'red',
  'not-reached': 'dim',
};

/** The table in the order of the rollout, the verdict, and what now when something failed. */
export function outcomesText(outcomes: Outcomes, options: TextOptions): string {
  const colours = paint(options);
  const rows = outcomes.hosts.map((host) => [
    visible(host.host),
    host.outcome,
    waveText(host.wave),
    secondsText(host.seconds),
    reasonText(host),
  ]);
  const table = columns(rows, (row, column) => {
    const outcome = outcomes.hosts[row]?.outcome;
    return column === 1 && outcome !== undefined ? colours[COLOURS[outcome]] : plain;
  });
  const good = allDeployed(outcomes);
  const verdict = colours.bold(colours[good ? 'green' : 'red'](`${outcomesVerdict(outcomes)}.`));
  const stopped = outcomes.stopped === undefined ? '' : `${visible(outcomes.stopped)}\n`;
  return [
    `${table}${table === '' ? '' : '\n'}${verdict}\n${stopped}`,
    good ? '' : whatNow(outcomes, colours),
    ...unreviewed(outcomes).map((group) => changesText(group, colours)),
  ].join('');
}

function changesText({ hosts, since, next }: Unreviewed, colours: Paint): string {
  const half = (title: string, text: string): string =>
    `  ${title}:\n${visibleLines(text)
      .split('\n')
      .map((line) => `    ${diffColour(line, colours)}\n`)
      .join('')}`;
  return [
    `\n${colours.bold(visible(list(hosts, 8)))}\n`,
    half(SINCE, since === undefined ? NOT_KEPT : since || NOTHING),
    half(NEXT, next || NOTHING),
  ].join('');
}

/** What a host that is done adds to its outcome stands for itself. */
const reasonText = ({ phase, reason }: Outcome): string =>
  reason === '' || phase === 'done' ? visible(reason) : `${phase}: ${visible(reason)}`;

const plain = (text: string): string => text;

const whatNow = (outcomes: Outcomes, colours: Paint): string =>
  OUTCOME_ORDER.filter((name) => outcomeCount(outcomes, name) > 0)
    .map((name) => `  ${colours[COLOURS[name]](name)}: the host ${OUTCOME_MEANING[name]}\n`)
    .join('');

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
    if (column !== 1 || read === undefined) return plain;
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
