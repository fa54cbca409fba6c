/** Targets that record or signal activity: AUDIT, IDLETIMER, RATEEST, LED. */
import type { Option } from '../../model.js';
import { type ExtensionRow, option, type Refusal, refuse, type ValueType } from '../row.js';
import { integer, kind, oneOf, string, u32, word } from '../values.js';

/** xt_rateest counts in microseconds. */
const SECOND = 1_000_000;

/** `250ms` → `250.0ms`. */
const printTime = (time: number): string => {
  if (time >= SECOND) return `${(time / SECOND).toFixed(1)}s`;
  return time >= SECOND / 1000 ? `${(time / (SECOND / 1000)).toFixed(1)}ms` : `${time}us`;
};

const TIME_UNITS: Readonly<Record<string, number>> = { '': 1, us: 1, ms: SECOND / 1000, s: SECOND };

const time: ValueType = kind(['250ms', '1s', '500.0ms'], (text) => {
  const found = /^(\d+(?:\.\d+)?)(us|ms|s)?(?:ecs?)?$/.exec(text);
  if (found === null) return refuse(`takes a time such as 250ms, not "${text}"`);
  return String(Math.trunc(Number(found[1]) * (TIME_UNITS[found[2] ?? ''] ?? 1)));
});

/** The kernel knows intervals of a quarter of a second doubled up to five times, and averages over powers of two. */
function rateest(options: readonly Option[]): readonly Option[] | Refusal {
  const microseconds = (flag: string): number =>
    Number(options.find((each) => each.flag === flag)?.values[0] ?? 0);
  const wanted = microseconds('--rateest-interval');
  const doubled = [0, 1, 2, 3, 4, 5].find((power) => wanted <= 2 ** power * (SECOND / 4));
  if (doubled === undefined) return refuse('takes an interval of at most 8s');
  const average = microseconds('--rateest-ewmalog');
  let log = 1;
  while (log < 32 && wanted / -Math.log(1 - 1 / 2 ** log) <= average) log++;
  log--;
  if (log === 0 || log >= 31) return refuse('takes a longer --rateest-ewmalog for this interval');
  const interval = 2 ** doubled * (SECOND / 4);
  const printed: Readonly<Record<string, number>> = {
    '--rateest-interval': interval,
    '--rateest-ewmalog': interval * 2 ** log,
  };
  return options.map((each) => {
    const value = printed[each.flag];
    return value === undefined ? each : { ...each, values: [printTime(value)] };
  });
}

/** The kernel counts milliseconds in a signed integer. */
const IDLE_SECONDS = 2_147_482;

export const ACTIVITY: readonly ExtensionRow[] = [
  {
    kind: 'target',
    name: 'AUDIT',
    options: [option('--type', oneOf(['accept', 'drop', 'reject']), { required: true })],
  },
  {
    kind: 'target',
    name: 'IDLETIMER',
    options: [
      option('--timeout', integer(IDLE_SECONDS, 1), { required: true }),
      option('--label', word(27, 1, ['timer']), { required: true }),
      option('--alarm'),
    ],
  },
  {
    kind: 'target',
    name: 'RATEEST',
    options: [
      option('--rateest-name', word(15, 1, ['RE1']), { required: true }),
      option('--rateest-interval', time, { required: true }),
      option('--rateest-ewmalog', time, { required: true }),
    ],
    finish: rateest,
  },
  {
    kind: 'target',
    name: 'LED',
    options: [
      option(
        '--led-trigger-id',
        { ...string(18), print: (id) => `"${id.replace(/["\\]/g, '\\$&')}"` },
        { required: true },
      ),
      option(
        '--led-delay',
        kind(['inf', '500', '0'], (text, context) =>
          text.toLowerCase().startsWith('inf') ? 'inf' : u32.parse(text, context),
        ),
        { hidden: '0' },
      ),
      option('--led-always-blink'),
    ],
  },
];
