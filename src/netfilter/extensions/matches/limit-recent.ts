/** Matches that count packets over time: limit, recent. */

import type { Family } from '../../../lib/family.js';
import type { Option } from '../../model.js';
import { parseRate, printRate } from '../rates.js';
import {
  type ExtensionRow,
  exclusive,
  given,
  has,
  inOrder,
  option,
  type Refusal,
  refuse,
  type ValueContext,
  type ValueType,
} from '../row.js';
import { host, integer, kind, U32, word } from '../values.js';

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
const RECENT_SIDES = ['--rsource', '--rdest'];

/** The largest count that the kernel can be built for; by default it remembers far fewer. */
const RECENT_HITS = 65_535;

const RECENT_MASK: { readonly [family in Family]: string } = {
  v4: '255.255.255.255',
  v6: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
};

function recent(options: readonly Option[], { family }: ValueContext): readonly Option[] | Refusal {
  const kept = options.filter((each) => !(each.flag === '--hitcount' && each.values[0] === '0'));
  const operation = kept.find((each) => RECENT_OPERATIONS.includes(each.flag));
  const counts = ['--seconds', '--hitcount', '--reap', '--rttl'].find((flag) => has(kept, flag));
  if (counts !== undefined && (operation?.flag === '--set' || operation?.flag === '--remove'))
    return refuse(`takes ${counts} only with --rcheck or --update`);
  // Of --rsource and --rdest the last counts.
  const side = options.findLast((each) => RECENT_SIDES.includes(each.flag))?.flag ?? '--rsource';
  const all = [
    ...kept.filter((each) => !RECENT_SIDES.includes(each.flag)),
    ...(has(kept, '--name') ? [] : [given('--name', 'DEFAULT')]),
    ...(has(kept, '--mask') ? [] : [given('--mask', RECENT_MASK[family])]),
    given(side),
  ];
  return inOrder(all, RECENT_OPTIONS);
}

const RECENT_OPTIONS = [
  ...exclusive(
    option('--set', [], { not: true }),
    option('--rcheck', [], { not: true }),
    option('--update', [], { not: true }),
    option('--remove', [], { not: true }),
  ),
  option('--seconds', integer(0x7fff_ffff, 1)),
  option('--reap', [], { needs: ['--seconds'] }),
  option('--hitcount', integer(RECENT_HITS)),
  option('--rttl'),
  option('--name', word(199)),
  option('--mask', host),
  option('--rsource'),
  option('--rdest'),
];

export const LIMIT_RECENT: readonly ExtensionRow[] = [
  {
    kind: 'match',
    name: 'limit',
    options: [
      option('--limit', limitRate, { implied: '3/hour' }),
      option('--limit-burst', integer(10_000, 1), { hidden: '5' }),
    ],
  },
  {
    kind: 'match',
    name: 'recent',
    oneOf: RECENT_OPERATIONS,
    order: 'given',
    options: RECENT_OPTIONS,
    finish: recent,
  },
];
