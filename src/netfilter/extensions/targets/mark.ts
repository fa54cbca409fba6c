/** Targets that mark or track: MARK, CONNMARK, CT, NOTRACK, SET, SECMARK, CONNSECMARK. */
import type { Option } from '../../model.js';
import { setDirections, setName } from '../matches/address-interface.js';
import {
  type ExtensionRow,
  exclusive,
  given,
  has,
  isRefusal,
  LEAVING,
  option,
  type Refusal,
  refuse,
  type ValueType,
} from '../row.js';
import { formatHex, fullMark, integer, kind, parseMark, U32, u32, word } from '../values.js';

/** How each shorthand becomes the one operation that the kernel has: mark = (mark & ~mask) ^ value. */
const AS_XMARK: Readonly<Record<string, (value: bigint, mask: bigint) => readonly [bigint, bigint]>> = {
  '--set-xmark': (value, mask) => [value, mask],
  '--set-mark': (value, mask) => [value, value | mask],
  '--and-mark': (value) => [0n, ~value & U32],
  '--or-mark': (value) => [value, value],
  '--xor-mark': (value) => [value, 0n],
};

const toXmark = (each: Option): Option => {
  const operation = AS_XMARK[each.flag];
  const parsed = parseMark(each.values[0] ?? '');
  if (operation === undefined || isRefusal(parsed)) return each;
  const [value, mask] = operation(...parsed);
  return given('--set-xmark', `${formatHex(value)}/${formatHex(mask)}`);
};

const MARKS = [
  option('--set-xmark', fullMark),
  option('--set-mark', fullMark),
  option('--and-mark', u32),
  option('--or-mark', u32),
  option('--xor-mark', u32),
];

const ALL_ONES = '0xffffffff';

/** `--mask` is both masks at once; of options that set the same thing the last counts. */
function connmark(options: readonly Option[]): readonly Option[] | Refusal {
  const operation = options.find((each) => each.flag in AS_XMARK || COPIES.includes(each.flag));
  if (operation === undefined) return refuse('needs an operation');
  const shift = options.findLast((each) => each.flag.endsWith('-shift-mark'));
  const shifts = shift === undefined || shift.values[0] === '0' ? [] : [shift];
  const mask = (flag: string, from: readonly Option[]): string | undefined =>
    from.findLast((each) => each.flag === flag || each.flag === '--mask')?.values[0];
  if (COPIES.includes(operation.flag))
    return [
      operation,
      given('--nfmask', mask('--nfmask', options) ?? ALL_ONES),
      given('--ctmask', mask('--ctmask', options) ?? ALL_ONES),
      ...shifts,
    ];
  const set = toXmark(operation);
  const later = mask('--ctmask', options.slice(options.indexOf(operation)));
  const [value = '', own = ''] = set.values[0]?.split('/') ?? [];
  return [given(set.flag, `${value}/${later ?? own}`), ...shifts];
}

const COPIES = ['--save-mark', '--restore-mark'];

const hexMask: ValueType = kind(['0xff', '255'], (text) => {
  const parsed = parseMark(text);
  return isRefusal(parsed) || text.includes('/')
    ? refuse(`takes a mask, not "${text}"`)
    : formatHex(parsed[0]);
});

const CT_EVENTS = [
  'new',
  'related',
  'destroy',
  'reply',
  'assured',
  'protoinfo',
  'helper',
  'mark',
  'natseqinfo',
  'secmark',
];

const events = (names: readonly string[]): ValueType =>
  kind([...names, names.toReversed().join(',')], (text) => {
    const parts = text.split(',');
    const unknown = parts.find((part) => !names.includes(part));
    if (unknown !== undefined)
      return refuse(`does not accept the event "${unknown}"`, `Write names of ${names.join(', ')}.`);
    return names.filter((name) => parts.includes(name)).join(',');
  });

const zone: ValueType = kind(['1', '65535', 'mark'], (text, context) =>
  text.toLowerCase() === 'mark' ? 'mark' : integer(65535).parse(text, context),
);

function setTarget(options: readonly Option[]): readonly Option[] | Refusal {
  const mapped = ['--map-mark', '--map-prio', '--map-queue'].some((flag) => has(options, flag));
  if (has(options, '--map-set') && !mapped)
    return refuse('needs --map-mark, --map-prio or --map-queue with --map-set');
  return options;
}

export const MARK: readonly ExtensionRow[] = [
  {
    kind: 'target',
    name: 'MARK',
    oneOf: 'any',
    options: exclusive(...MARKS),
    finish: (options) => options.map(toXmark),
  },
  {
    kind: 'target',
    name: 'CONNMARK',
    order: 'given',
    oneOf: [...MARKS.map((row) => row.flag), '--save-mark', '--restore-mark'],
    options: [
      ...exclusive(...MARKS, option('--save-mark'), option('--restore-mark')),
      option('--nfmask', hexMask, { excludes: ['--mask'] }),
      option('--ctmask', hexMask, { excludes: ['--mask'] }),
      option('--mask', hexMask),
      option('--left-shift-mark', integer(31)),
      option('--right-shift-mark', integer(31)),
    ],
    finish: connmark,
  },
  {
    kind: 'target',
    name: 'CT',
    tables: ['raw'],
    options: [
      option('--notrack'),
      option('--helper', word(15)),
      option('--timeout', word(31)),
      option('--ctevents', events(CT_EVENTS)),
      option('--expevents', events(['new'])),
      ...exclusive(
        option('--zone-orig', zone, { hidden: '0' }),
        option('--zone-reply', zone, { hidden: '0' }),
        option('--zone', zone, { hidden: '0' }),
      ),
    ],
  },
  { kind: 'target', name: 'NOTRACK', tables: ['raw'], options: [] },
  {
    kind: 'target',
    name: 'SET',
    tables: (options) => (has(options, '--map-set') ? ['mangle'] : undefined),
    hooks: (options) => (has(options, '--map-prio') || has(options, '--map-queue') ? LEAVING : undefined),
    oneOf: ['--add-set', '--del-set', '--map-set'],
    options: [
      option('--add-set', [setName, setDirections]),
      option('--exist', [], { needs: ['--add-set'] }),
      option('--timeout', integer(U32 - 1n), { needs: ['--add-set'] }),
      option('--del-set', [setName, setDirections]),
      option('--map-set', [setName, setDirections]),
      option('--map-mark', [], { needs: ['--map-set'] }),
      option('--map-prio', [], { needs: ['--map-set'] }),
      option('--map-queue', [], { needs: ['--map-set'] }),
    ],
    finish: setTarget,
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
];
