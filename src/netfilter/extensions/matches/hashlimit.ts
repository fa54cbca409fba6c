/** hashlimit: a limit per source, destination or port, in packets or bytes. */
import type { Option } from '../../model.js';
import { parseRate, printRate } from '../rates.js';
import {
  type ExtensionRow,
  exclusive,
  given,
  has,
  inOrder,
  isRefusal,
  option,
  type Refusal,
  refuse,
  type ValueContext,
  type ValueType,
  valueGiven,
} from '../row.js';
import { integer, kind, parseWithin, prefix, U32, U64, u32, word } from '../values.js';

/** XT_HASHLIMIT_SCALE_v2: ticks a second. */
const SCALE = 1_000_000n;
const BURST_MAX = 1_000_000n;
const BYTE_SHIFT = 4n;
/** Seconds after which an idle entry of a byte limit is dropped, without and with a burst. */
const BYTE_EXPIRE = 15n;
const BYTE_EXPIRE_BURST = 60n;

const FACTORS: Readonly<Record<string, bigint>> = { m: 1024n * 1024n, k: 1024n };

/** The kernel keeps bytes a second as a cost of 32 bits; what comes back is the cost turned round. */
const bytesToCost = (bytes: bigint): bigint => U32 / (((bytes >> BYTE_SHIFT) & U32) + 1n);
const costToBytes = (cost: bigint): bigint => ((cost === 0n ? U32 : U32 / cost) - 1n) << BYTE_SHIFT;

/** Kept as given: its printed form depends on the other options. */
const rate: ValueType = kind(
  ['10/sec', '5/minute', '120/min', '3/hour', '512kb/s', '1000b/s', '2mb/s'],
  (text) => {
    if (byteRate(text) !== undefined) return text;
    const packets = parseRate(text);
    if (packets === undefined) return refuse(`takes a rate such as 10/sec or 512kb/s, not "${text}"`);
    return (SCALE * packets.seconds) / packets.count === 0n
      ? refuse(`cannot count as fast as "${text}"`)
      : text;
  },
);

function byteRate(text: string): bigint | undefined {
  const found = /^([1-9]\d{0,15})([mk]?)b\/s$/.exec(text);
  if (found === null) return undefined;
  const bytes = BigInt(found[1] ?? 0) * (FACTORS[found[2] ?? ''] ?? 1n);
  const cost = bytes > U64 ? 0n : bytesToCost(bytes);
  // Below 32 bytes a second the kernel would count none at all.
  return cost === 0n || costToBytes(cost) === 0n ? undefined : cost;
}

const burst: ValueType = kind(['5', '20', '1000000'], (text) => {
  const found = /^(\w+?)(mb|kb|b)?$/.exec(text);
  const value = parseWithin(found?.[1] ?? '', 1n, found?.[2] === undefined ? BURST_MAX : U64);
  return isRefusal(value)
    ? refuse(`takes a burst from 1 to ${BURST_MAX}, not "${text}"`)
    : `${value}${found?.[2] ?? ''}`;
});

const burstBytes = (text: string): bigint => {
  const found = /^(\d+)([mk]?)b?$/.exec(text);
  return BigInt(found?.[1] ?? 0) * (FACTORS[found?.[2] ?? ''] ?? 1n);
};

const MODES = ['srcip', 'srcport', 'dstip', 'dstport'];

const mode: ValueType = kind(
  ['srcip', 'dstip,srcip', 'dstport|srcip', 'srcip,srcport,dstip,dstport'],
  (text) => {
    const parts = text.split(/[,|]/).filter((part) => part !== '');
    const unknown = parts.find((part) => !MODES.includes(part));
    if (unknown !== undefined)
      return refuse(`does not accept the mode "${unknown}"`, `Write names of ${MODES.join(', ')}.`);
    return MODES.filter((name) => parts.includes(name)).join(',');
  },
);

function finish(options: readonly Option[], _context: ValueContext): readonly Option[] | Refusal {
  const limit = options.find((each) => each.flag === '--hashlimit-upto' || each.flag === '--hashlimit-above');
  const text = limit?.values[0];
  if (limit === undefined || text === undefined) return refuse('needs --hashlimit-upto or --hashlimit-above');
  const above = (limit.flag === '--hashlimit-above') !== limit.negated;
  const cost = byteRate(text);
  const printed = cost === undefined ? packetLimit(text, options) : byteLimit(cost, options);
  if (isRefusal(printed)) return printed;
  const expire = BigInt(valueGiven(options, '--hashlimit-htable-expire') ?? printed.expire);
  const interval = BigInt(valueGiven(options, '--hashlimit-rate-interval') ?? printed.interval);
  const replaced = [
    '--hashlimit-upto',
    '--hashlimit-above',
    '--hashlimit-burst',
    '--hashlimit-htable-expire',
    '--hashlimit-rate-interval',
  ];
  const rest = options.filter((each) => !replaced.includes(each.flag));
  return inOrder(
    [
      given(above ? '--hashlimit-above' : '--hashlimit-upto', printed.rate),
      ...(printed.burst === undefined ? [] : [given('--hashlimit-burst', printed.burst)]),
      ...rest.filter(
        (each) => !(HIDDEN_ZERO.includes(each.flag) && each.values[0] === '0') && each.values[0] !== '',
      ),
      ...(expire === printed.quantum ? [] : [given('--hashlimit-htable-expire', String(expire))]),
      ...(has(options, '--hashlimit-rate-match') && interval !== 1n
        ? [given('--hashlimit-rate-interval', String(interval))]
        : []),
    ],
    OPTIONS,
  );
}

const HIDDEN_ZERO = ['--hashlimit-htable-size', '--hashlimit-htable-max'];

interface Printed {
  readonly rate: string;
  readonly burst?: string;
  /** Milliseconds: what the table expires after, and what save takes for granted. */
  readonly expire: bigint;
  readonly quantum: bigint;
  readonly interval: bigint;
}

function packetLimit(text: string, options: readonly Option[]): Printed | Refusal {
  const given = parseRate(text);
  if (given === undefined) return refuse(`takes a rate such as 10/sec, not "${text}"`);
  const period = (SCALE * given.seconds) / given.count;
  const counted = has(options, '--hashlimit-rate-match') ? period / given.seconds : period;
  if (counted === 0n) return refuse(`cannot count as fast as "${text}"`);
  const printed = printRate(counted, SCALE);
  const size = valueGiven(options, '--hashlimit-burst') ?? '5';
  if (size.endsWith('b') && burstBytes(size) > BURST_MAX)
    return refuse(`takes a burst from 1 to ${BURST_MAX}, not "${size}"`);
  return {
    rate: printed.text,
    burst: String(burstBytes(size)),
    expire: given.seconds * 1000n,
    quantum: printed.seconds * 1000n,
    interval: given.seconds,
  };
}

function byteLimit(cost: bigint, options: readonly Option[]): Printed | Refusal {
  const bytes = costToBytes(cost);
  const size = valueGiven(options, '--hashlimit-burst');
  const unit = (['m', 'k'] as const).find((name) => {
    const factor = FACTORS[name] ?? 1n;
    return bytes >= factor && bytesToCost(bytes & ~(factor - 1n)) === cost;
  });
  const rate = `${bytes / (FACTORS[unit ?? ''] ?? 1n)}${unit ?? ''}b/s`;
  if (size === undefined)
    return { rate, expire: BYTE_EXPIRE * 1000n, quantum: BYTE_EXPIRE * 1000n, interval: 1n };
  const wanted = burstBytes(size);
  if (wanted < bytes) return refuse(`takes a burst of at least ${bytes}b, not "${size}"`);
  const total = bytes * ((wanted + bytes - 1n) / bytes);
  const burstUnit = (['m', 'k'] as const).find((name) => total >= (FACTORS[name] ?? 1n));
  return {
    rate,
    burst: `${total / (FACTORS[burstUnit ?? ''] ?? 1n)}${burstUnit ?? ''}b`,
    expire: BYTE_EXPIRE_BURST * 1000n,
    quantum: BYTE_EXPIRE_BURST * 1000n,
    interval: 1n,
  };
}

/** HASHLIMIT_MAX_SIZE: the kernel cuts larger numbers down to this. */
const TABLE_MAX = 1_048_576n;

const tableSize: ValueType = kind(u32.examples, (text) => {
  const value = parseWithin(text, 0n, U32);
  return isRefusal(value) ? value : String(value < TABLE_MAX ? value : TABLE_MAX);
});

const interval: ValueType = kind(['1', '10', '3600'], (text) =>
  /^[1-9]\d{0,8}$/.test(text) ? text : refuse(`takes a number of seconds in decimal, not "${text}"`),
);

const OPTIONS = [
  ...exclusive(
    option('--hashlimit-upto', rate, { aliases: ['--hashlimit'], not: true }),
    option('--hashlimit-above', rate, { not: true }),
  ),
  option('--hashlimit-burst', burst),
  option('--hashlimit-mode', mode),
  option('--hashlimit-name', word(254), { required: true }),
  option('--hashlimit-htable-size', tableSize),
  option('--hashlimit-htable-max', tableSize),
  option('--hashlimit-htable-gcinterval', integer(U32, 1), { hidden: '1000' }),
  option('--hashlimit-htable-expire', integer(U32, 1)),
  option('--hashlimit-srcmask', prefix, { hidden: { v4: '32', v6: '128' } }),
  option('--hashlimit-dstmask', prefix, { hidden: { v4: '32', v6: '128' } }),
  option('--hashlimit-rate-match'),
  option('--hashlimit-rate-interval', interval),
];

export const HASHLIMIT: ExtensionRow = {
  kind: 'match',
  name: 'hashlimit',
  oneOf: ['--hashlimit-upto', '--hashlimit-above'],
  options: OPTIONS,
  finish,
};
