/** Matches that count packets over time. */
import type { Option } from '../model.js';
import {
  type ExtensionRow,
  exclusive,
  given,
  has,
  option,
  type Refusal,
  refuse,
  type ValueContext,
  type ValueType,
} from '../row.js';
import { host, integer, kind, U32, u32, word } from '../values.js';
import { HASHLIMIT } from './hashlimit.js';
import { parseRate, printRate } from './rates.js';

/** Ticks a second of xt_limit (XT_LIMIT_SCALE). */
const LIMIT_SCALE = 10_000n;

const limitRate: ValueType = kind(
  ['5/minute', '3/hour', '60/min', '10', '7/sec', '2/d', '90/minute'],
  (text) => {
    const rate = parseRate(text);
    if (rate === undefined) return refuse(`takes a rate such as 5/minute, not "${text}"`);
    const period = (LIMIT_SCALE * rate.seconds) / rate.count;
    if (period === 0n) return refuse(`cannot count as fast as "${text}"`, 'Write at most 10000/second.');
    return period > U32 ? refuse(`takes a faster rate than "${text}"`) : printRate(period, LIMIT_SCALE).text;
  },
);

const RECENT_OPERATIONS = ['--set', '--rcheck', '--update', '--remove'];

function recent(options: readonly Option[], _context: ValueContext): readonly Option[] | Refusal {
  const negated = options.some((each) => each.negated);
  const checks = has(options, '--rcheck') || has(options, '--update');
  if (has(options, '--rttl') && !checks) return refuse('takes --rttl only with --rcheck or --update');
  const kept = options.filter(
    (each) => !(['--seconds', '--hitcount'].includes(each.flag) && each.values[0] === '0'),
  );
  const last =
    kept.findLast((each) => each.flag === '--rsource' || each.flag === '--rdest')?.flag ?? '--rsource';
  return [
    ...kept
      .filter((each) => each.flag !== '--rsource' && each.flag !== '--rdest')
      .map((each) => ({ ...each, negated: negated && RECENT_OPERATIONS.includes(each.flag) })),
    given(last),
  ];
}

export const RATE: readonly ExtensionRow[] = [
  {
    kind: 'match',
    name: 'limit',
    options: [
      option('--limit', limitRate, { implied: '3/hour' }),
      option('--limit-burst', integer(10_000), { hidden: '5' }),
    ],
  },
  HASHLIMIT,
  {
    kind: 'match',
    name: 'recent',
    oneOf: RECENT_OPERATIONS,
    options: [
      ...exclusive(
        option('--set', [], { not: true }),
        option('--rcheck', [], { not: true }),
        option('--update', [], { not: true }),
        option('--remove', [], { not: true }),
      ),
      option('--seconds', integer(U32, 1)),
      option('--reap', [], { needs: ['--seconds'] }),
      option('--hitcount', u32),
      option('--rttl', [], { excludes: ['--set', '--remove'] }),
      option('--name', word(199), { implied: 'DEFAULT' }),
      option('--mask', host, {
        implied: { v4: '255.255.255.255', v6: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff' },
      }),
      option('--rsource'),
      option('--rdest'),
    ],
    finish: recent,
  },
];
