/** Events of a rollout as lines of a log: the same for the terminal and for the log of a job. */
import { count } from '../../lib/text.js';
import type { RolloutEvent } from '../../rollout/results/events.js';

const MOST_HOSTS = 8;

/** One line, without its end; `undefined` for events that a log does not show. */
export function eventText(event: RolloutEvent): string | undefined {
  switch (event.kind) {
    case 'read':
      return `${event.host}: ${event.status}${event.words === '' ? '' : `: ${event.words}`}`;
    case 'wave': {
      const hosts = [...event.hosts.slice(0, MOST_HOSTS), ...(event.hosts.length > MOST_HOSTS ? ['…'] : [])];
      const wave = event.wave === 0 ? 'Canary' : `Wave ${event.wave}`;
      return `${wave}: ${count(event.hosts.length, 'host')} (${hosts.join(', ')})`;
    }
    case 'outcome': {
      const { host, outcome, phase, reason, seconds } = event.outcome;
      const why = reason === '' ? '' : ` (${phase}: ${reason})`;
      return `${host}: ${outcome} after ${seconds.toFixed(1)} s${why}`;
    }
    case 'soak':
      return `Soaking for ${event.seconds} s, then every changed host is checked again.`;
    case 'stopped':
      return event.reason;
    case 'begin':
    case 'reading':
    case 'phase':
      return undefined;
  }
}
