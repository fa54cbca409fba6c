/** What happens to the hosts, told while it happens: a progress line, lines for a log, and the journal. */
import { appendFileSync } from 'node:fs';
import { count } from '../lib/text.js';
import { type Progress, progressLine } from '../report/terminal/progress.js';
import type { OnEvent } from '../rollout/results/events.js';
import type { Io } from './io.js';

export interface EventReporter {
  readonly onEvent: OnEvent;
  /** Takes the progress line away. */
  readonly end: () => void;
}

/** @param title What is being done: `reading`, `deploying`. */
export function eventReporter(io: Io, title: string): EventReporter {
  let line: Progress | undefined;
  const say = (words: string): void => {
    line?.end();
    io.stderr.write(`${words}\n`);
  };
  // A log gets sentences instead: what ended well when reading is not worth one.
  const progress = (total: number): void => {
    line = io.stderr.isTTY === true ? progressLine(io.stderr, title, total) : undefined;
  };
  const onEvent: OnEvent = (event) => {
    switch (event.kind) {
      case 'begin':
        progress(event.hosts.length);
        return;
      case 'reading':
        line?.at(event.host, 'reading');
        return;
      case 'read':
        line?.done(event.host, event.status);
        if (event.words !== '') say(`${event.host}: ${event.status}: ${event.words}`);
        return;
      case 'wave':
        say(
          `${event.wave === 0 ? 'Canary' : `Wave ${event.wave}`}: ${count(event.hosts.length, 'host')} (${event.hosts.slice(0, 8).join(', ')}${event.hosts.length > 8 ? ', …' : ''})`,
        );
        progress(event.hosts.length);
        return;
      case 'phase':
        line?.at(event.host, event.phase);
        return;
      case 'outcome': {
        const { host, outcome, reason } = event.outcome;
        line?.done(host, outcome);
        say(`${host}: ${outcome}${reason === '' ? '' : `: ${reason}`}`);
        return;
      }
      case 'soak':
        say(`Waiting ${event.seconds} s, then every host that changed is asked again.`);
        return;
      case 'stopped':
        say(event.reason);
    }
  };
  return { onEvent, end: () => line?.end() };
}

/** Every event as one line of JSON, written before the next one can happen: it survives this process. */
export const journal =
  (file: string, onEvent: OnEvent): OnEvent =>
  (event) => {
    const line = `${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`;
    try {
      appendFileSync(file, line);
    } catch (thrown) {
      throw new Error(`${file}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    }
    onEvent(event);
  };
