/** Matches that count or choose at random: connlimit, connbytes, statistic, quota, nfacct. */
import type { Option } from '../../model.js';
import {
  type ExtensionRow,
  exclusive,
  given,
  has,
  isRefusal,
  option,
  type Refusal,
  refuse,
  type ValueContext,
  type ValueType,
  valueGiven,
} from '../row.js';
import { exactly, integer, kind, parseEnds, prefix, U32, U64, u32, u64, word } from '../values.js';

function connlimit(options: readonly Option[], context: ValueContext): readonly Option[] {
  const limit = options.find((each) => each.flag.endsWith('-upto') || each.flag.endsWith('-above'));
  const above = (limit?.flag === '--connlimit-above') !== (limit?.negated ?? false);
  const everything = context.family === 'v4' ? '32' : '128';
  return [
    given(above ? '--connlimit-above' : '--connlimit-upto', limit?.values[0] ?? '0'),
    given('--connlimit-mask', valueGiven(options, '--connlimit-mask') ?? everything),
    given(has(options, '--connlimit-daddr') ? '--connlimit-daddr' : '--connlimit-saddr'),
  ];
}

/** `from:to`; an end at the limit of 64 bits is no end. */
const byteRange: ValueType = kind(['0:1000', '10', '5:', ':7', '0x10:0x20'], (text) => {
  const ends = parseEnds(text, U64);
  if (isRefusal(ends)) return ends;
  const [from, to] = text.includes(':') ? ends : [ends[0], U64];
  if (to < from) return refuse(`takes a range from low to high, not "${text}"`);
  return to === 0n || to === U64 ? String(from) : `${from}:${to}`;
});

/** The kernel turns a negated range round, and a range of one number has no other way round. */
function connbytes(options: readonly Option[]): readonly Option[] | Refusal {
  const range = options.find((each) => each.flag === '--connbytes');
  const [from, to] = range?.values[0]?.split(':') ?? [];
  return range?.negated && from === (to ?? from) && to !== undefined
    ? refuse('cannot negate a range of one number', 'Write two rules, one below and one above it.')
    : options;
}

const STEPS = 2n ** 31n;
const DIGITS = 11n;

/** The kernel keeps 31 bits of a probability; save prints them as 11 decimal digits, a half rounded to even. */
const probability: ValueType = kind(['0.5', '0.33333333349', '1', '0', '.25'], (text) => {
  const value = /^(\d+\.?\d*|\.\d+)(e-?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 0 && value <= 1)) return refuse(`takes a probability from 0 to 1, not "${text}"`);
  const scaled = BigInt(Math.round(value * Number(STEPS))) * 10n ** DIGITS;
  const rest = scaled % STEPS;
  const whole = scaled / STEPS;
  const up = rest * 2n > STEPS || (rest * 2n === STEPS && whole % 2n === 1n);
  const digits = String(up ? whole + 1n : whole).padStart(Number(DIGITS) + 1, '0');
  return `${digits.slice(0, -Number(DIGITS))}.${digits.slice(-Number(DIGITS))}`;
});

function statistic(options: readonly Option[]): readonly Option[] | Refusal {
  const nth = valueGiven(options, '--mode') === 'nth';
  const every = valueGiven(options, '--every');
  const packet = valueGiven(options, '--packet');
  if (nth ? every === undefined : !has(options, '--probability'))
    return refuse(
      nth ? 'needs --every and --packet in the mode nth' : 'needs --probability in the mode random',
    );
  if (nth && BigInt(packet ?? 0) >= BigInt(every ?? 0))
    return refuse('takes a --packet from 0 to one less than --every');
  return options;
}

export const COUNTERS: readonly ExtensionRow[] = [
  {
    kind: 'match',
    name: 'connlimit',
    oneOf: ['--connlimit-upto', '--connlimit-above'],
    options: [
      ...exclusive(
        option('--connlimit-upto', u32, { not: true }),
        option('--connlimit-above', u32, { not: true }),
      ),
      option('--connlimit-mask', prefix),
      ...exclusive(option('--connlimit-saddr'), option('--connlimit-daddr')),
    ],
    finish: connlimit,
  },
  {
    kind: 'match',
    name: 'connbytes',
    options: [
      option('--connbytes', byteRange, { not: true, required: true }),
      option('--connbytes-mode', exactly('packets', 'bytes', 'avgpkt'), { required: true }),
      option('--connbytes-dir', exactly('original', 'reply', 'both'), { required: true }),
    ],
    finish: connbytes,
  },
  {
    kind: 'match',
    name: 'statistic',
    options: [
      option('--mode', exactly('random', 'nth'), { required: true }),
      option('--probability', probability, { not: true, excludes: ['--every', '--packet'] }),
      option('--every', integer(U32, 1), { not: true, needs: ['--packet'] }),
      option('--packet', u32, { needs: ['--every'] }),
    ],
    finish: statistic,
  },
  { kind: 'match', name: 'quota', options: [option('--quota', u64, { not: true, required: true })] },
  { kind: 'match', name: 'nfacct', options: [option('--nfacct-name', word(31), { required: true })] },
];
