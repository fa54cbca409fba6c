/** Progress of a rollout: a line that is rewritten on a terminal, lines of a log, and the journal. */
import { appendFileSync } from 'node:fs';
import { messageOf } from '../lib/problem.js';
import { eventText } from '../report/terminal/events.js';
import { type Progress, progressLine } from '../report/terminal/progress.js';
import type { OnEvent, RolloutEvent } from '../rollout/results/events.js';
import type { Io } from './io.js';

export interface EventReporter {
  readonly onEvent: OnEvent;
  /** Clears the progress line. */
  readonly end: () => void;
}

/**
 * Reports events on standard error.
 * @param title what is being done: `reading`, `deploying`
 */
export function eventReporter(io: Io, title: string): EventReporter {
  let line: Progress | undefined;
  // A log gets lines instead.
  const progress = (total: number): void => {
    line = io.stderr.isTTY === true ? progressLine(io.stderr, title, total) : undefined;
  };
  const print = (event: RolloutEvent): void => {
    const text = eventText(event);
    // Hosts that were read without a problem are in the report.
    if (text === undefined || (event.kind === 'read' && event.words === '')) return;
    line?.end();
    io.stderr.write(`${text}\n`);
  };
  const onEvent: OnEvent = (event) => {
    if (event.kind === 'read') line?.done(event.host, event.status);
    if (event.kind === 'outcome') line?.done(event.outcome.host, event.outcome.outcome);
    print(event);
    if (event.kind === 'begin' || event.kind === 'wave') progress(event.hosts.length);
    if (event.kind === 'reading') line?.at(event.host, 'reading');
    if (event.kind === 'phase') line?.at(event.host, event.phase);
  };
  return { onEvent, end: () => line?.end() };
}

/**
 * Appends every event to a file as one line of JSON, before the next one can happen: the file survives this process.
 * @throws Error that names the file when it cannot be written
 */
export const journal =
  (file: string, onEvent: OnEvent): OnEvent =>
  (event) => {
    const line = `${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`;
    try {
      appendFileSync(file, line);
    } catch (thrown) {
      throw new Error(`${file}: ${messageOf(thrown)}`);
    }
    onEvent(event);
  };
