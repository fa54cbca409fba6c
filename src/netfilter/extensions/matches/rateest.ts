/** The rateest match: compares what RATEEST measured with a rate or with another measurement. */
import type { Option } from '../../model.js';
import {
  type ExtensionRow,
  given,
  has,
  isRefusal,
  option,
  type Refusal,
  refuse,
  type ValueType,
  valueGiven,
} from '../row.js';
import { kind, parseWithin, U32, word } from '../values.js';

/** Bits in one of each unit; `Bps` counts bytes. */
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  bit: 1,
  kibit: 1024,
  kbit: 1000,
  mibit: 1024 ** 2,
  mbit: 1000 ** 2,
  gibit: 1024 ** 3,
  gbit: 1000 ** 3,
  tibit: 1024 ** 4,
  tbit: 1000 ** 4,
  bps: 8,
  kibps: 8 * 1024,
  kbps: 8 * 1000,
  mibps: 8 * 1024 ** 2,
  mbps: 8 * 1000 ** 2,
  gibps: 8 * 1024 ** 3,
  gbps: 8 * 1000 ** 3,
  tibps: 8 * 1024 ** 4,
  tbps: 8 * 1000 ** 4,
};

/** The kernel keeps whole bytes a second. */
const bitRate: ValueType = {
  ...kind(['8bit', '5kbit', '1MBps', '16'], (text) => {
    const found = /^(\d+(?:\.\d+)?)([a-z]*)$/i.exec(text);
    const unit = UNITS[found?.[2]?.toLowerCase() ?? '-'];
    if (found === null || unit === undefined) return refuse(`takes a rate such as 8kbit, not "${text}"`);
    const bits = Math.trunc((Number(found[1]) * unit) / 8) * 8;
    if (bits / 8 > Number(U32))
      return refuse(`takes a rate that fits 32 bits of bytes a second, not "${text}"`);
    if (bits >= 1e9) return `${(bits / 1e6).toFixed(0)}Mbit`;
    return bits >= 1e6 ? `${(bits / 1e3).toFixed(0)}Kbit` : `${bits}bit`;
  }),
  optional: true,
};

const packetRate: ValueType = {
  ...kind(['5', '0', '42'], (text) => {
    const value = parseWithin(text, 0n, U32);
    return isRefusal(value) ? value : String(value);
  }),
  optional: true,
};

const MODES = ['--rateest-lt', '--rateest-gt', '--rateest-eq'];

/** The rate stands before the mode on the left side of a delta, after it otherwise. */
function finish(options: readonly Option[]): readonly Option[] | Refusal {
  const delta = has(options, '--rateest-delta');
  const mode = options.find((each) => MODES.includes(each.flag));
  const units = ['bps', 'pps'].filter((unit) =>
    ['', '1', '2'].some((side) => has(options, `--rateest-${unit}${side}`)),
  );
  if (
    mode === undefined ||
    new Set(options.map(({ flag }) => flag).filter((flag) => MODES.includes(flag))).size > 1
  )
    return refuse(`needs one of ${MODES.join(', ')}`);
  if (units.length === 0) return refuse('needs --rateest-bps or --rateest-pps');
  const second = valueGiven(options, '--rateest2');
  const relative = second !== undefined;
  const zero = (unit: string): string => (unit === 'bps' ? '0bit' : '0');
  const side = (unit: string, number: string): string =>
    valueGiven(options, `--rateest-${unit}${number}`) ?? zero(unit);
  const right = (unit: string): string => valueGiven(options, `--rateest-${unit}`) ?? side(unit, '2');
  const compared = units.flatMap((unit) =>
    delta
      ? [given(`--rateest-${unit}1`, side(unit, '1')), mode, given(`--rateest-${unit}2`, right(unit))]
      : [mode, relative ? given(`--rateest-${unit}`) : given(`--rateest-${unit}`, right(unit))],
  );
  const name = valueGiven(options, '--rateest1') ?? '';
  return [
    ...(delta ? [given('--rateest-delta')] : []),
    given(relative ? '--rateest1' : '--rateest', name),
    ...compared,
    ...(relative ? [given('--rateest2', second)] : []),
  ];
}

export const RATEEST: ExtensionRow = {
  kind: 'match',
  name: 'rateest',
  options: [
    option('--rateest-delta'),
    option('--rateest1', word(15, 1, ['RE1']), { aliases: ['--rateest'], required: true }),
    option('--rateest-bps1', bitRate),
    option('--rateest-pps1', packetRate),
    // With both units save prints the comparison twice.
    ...MODES.map((flag) => option(flag, [], { not: true, repeatable: true })),
    option('--rateest-bps2', bitRate, { excludes: ['--rateest-bps'] }),
    option('--rateest-pps2', packetRate, { excludes: ['--rateest-pps'] }),
    option('--rateest-bps', bitRate),
    option('--rateest-pps', packetRate),
    option('--rateest2', word(15, 1, ['RE2'])),
  ],
  finish,
};
