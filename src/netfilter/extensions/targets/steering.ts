/** Targets that hand packets on, copy them, measure or label them. */
import type { Option } from '../../model.js';
import {
  type ExtensionRow,
  exclusive,
  isRefusal,
  option,
  type Refusal,
  refuse,
  type ValueType,
} from '../row.js';
import {
  fullMark,
  host,
  integer,
  interfaceName,
  kind,
  oneOf,
  parseEnds,
  parsePort,
  string,
  u8,
  u16,
  u32,
  word,
} from '../values.js';

/** At least two queues, the last but one at most 65534. */
const queues: ValueType = kind(['0:3', '10:65534'], (text) => {
  const ends = parseEnds(text, 65534n);
  if (isRefusal(ends)) return ends;
  return text.includes(':') && ends[0] < ends[1]
    ? ends.join(':')
    : refuse(`takes a range of queues such as 0:3, not "${text}"`);
});

function nfqueue(options: readonly Option[]): readonly Option[] {
  const numbered = options.some((each) => each.flag === '--queue-num' || each.flag === '--queue-balance');
  return numbered ? options : [{ flag: '--queue-num', negated: false, values: ['0'] }, ...options];
}

const port: ValueType = kind(['8080', 'http'], (text) => {
  const number = parsePort(text, undefined);
  return isRefusal(number) ? number : String(number);
});

/** Packets cannot be sent to no address. */
const gateway: ValueType = kind({ v4: ['10.1.2.3'], v6: ['2001:db8::1'] }, (text, context) => {
  const address = host.parse(text, context);
  return address === '0.0.0.0' || address === '::' ? refuse('takes a non-zero address') : address;
});

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

export const STEERING: readonly ExtensionRow[] = [
  {
    kind: 'target',
    name: 'NFQUEUE',
    options: [
      ...exclusive(option('--queue-num', u16), option('--queue-balance', queues)),
      option('--queue-bypass'),
      option('--queue-cpu-fanout', [], { needs: ['--queue-balance'] }),
    ],
    finish: nfqueue,
  },
  {
    kind: 'target',
    name: 'TEE',
    options: [option('--gateway', gateway, { required: true }), option('--oif', interfaceName)],
  },
  {
    kind: 'target',
    name: 'TPROXY',
    tables: ['mangle'],
    hooks: ['PREROUTING'],
    protocols: ['tcp', 'udp'],
    options: [
      option('--on-port', port, { required: true }),
      option('--on-ip', host, { implied: { v4: '0.0.0.0', v6: '::' } }),
      option('--tproxy-mark', fullMark, { implied: '0x0/0x0' }),
    ],
  },
  {
    kind: 'target',
    name: 'SYNPROXY',
    protocols: ['tcp'],
    hooks: ['INPUT', 'FORWARD'],
    options: [
      option('--sack-perm'),
      option('--timestamp'),
      option('--wscale', u8),
      option('--mss', u16),
      option('--ecn'),
    ],
  },
  {
    kind: 'target',
    name: 'AUDIT',
    options: [option('--type', oneOf(['accept', 'drop', 'reject']), { required: true })],
  },
  {
    kind: 'target',
    name: 'SECMARK',
    tables: ['mangle', 'security'],
    options: [option('--selctx', word(255, 1, ['system_u:object_r:ssh_packet_t:s0']), { required: true })],
  },
  {
    kind: 'target',
    name: 'CONNSECMARK',
    tables: ['mangle', 'security'],
    oneOf: 'any',
    options: exclusive(option('--save'), option('--restore')),
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
