/** Matches on addresses, sets, interfaces and marks of the packet itself. */

import { formatAddress, parseAddress } from '../../../lib/ip.js';
import type { Option } from '../../model.js';
import {
  ARRIVING,
  type ExtensionRow,
  exclusive,
  has,
  isRefusal,
  LEAVING,
  option,
  type Refusal,
  refuse,
  type ValueType,
} from '../row.js';
import { flags, kind, mac, mark, noAddress, parseWithin, string, U32, u64, word } from '../values.js';

const addressRange: ValueType = kind(
  { v4: ['10.0.0.1-10.0.0.9', '192.0.2.1'], v6: ['2001:db8::1-2001:db8::f', '::1'] },
  (text, { family }) => {
    const cut = text.indexOf('-');
    const [from, to] = cut === -1 ? [text, text] : [text.slice(0, cut), text.slice(cut + 1)];
    const [low, high] = [parseAddress(from, family), parseAddress(to, family)];
    if (low === undefined) return noAddress(from, family);
    if (high === undefined) return noAddress(to, family);
    return `${formatAddress(low, family)}-${formatAddress(high, family)}`;
  },
);

const ADDRESS_TYPES = [
  'UNSPEC',
  'UNICAST',
  'LOCAL',
  'BROADCAST',
  'ANYCAST',
  'MULTICAST',
  'BLACKHOLE',
  'UNREACHABLE',
  'PROHIBIT',
  'THROW',
  'NAT',
  'XRESOLVE',
];

/** The kernel's IPv6 routes know the first of these types only. */
const ADDRESS_TYPES_V6 = ['UNSPEC', 'UNICAST', 'LOCAL', 'ANYCAST', 'MULTICAST', 'UNREACHABLE'];

const addressTypes: ValueType = {
  examples: { v4: flags(ADDRESS_TYPES).examples.v4, v6: flags(ADDRESS_TYPES_V6).examples.v6 },
  parse: (text, context) =>
    flags(context.family === 'v4' ? ADDRESS_TYPES : ADDRESS_TYPES_V6).parse(text, context),
};

/** Ids of users are numbers: a name means another number on another host, but root is 0 everywhere. */
const ids: ValueType = kind(['0', 'root', '1000-2000', '1000:1010', '33'], (text) => {
  if (text === 'root') return '0';
  const parts = text.split(/[-:]/);
  const numbers = parts.map((part) => parseWithin(part, 0n, U32 - 1n));
  if (parts.length > 2 || numbers.some(isRefusal))
    return refuse(
      `takes a number or a range of numbers, not "${text}"`,
      'Write the id: names differ from host to host.',
    );
  const [from, to = from] = numbers;
  return from === to ? String(from) : `${from}-${to}`;
});

/** One `src` or `dst` for each dimension of the set. */
const directions: ValueType = kind(['src', 'dst', 'src,dst', 'dst,dst'], (text) => {
  const parts = text.split(',');
  const fits = parts.length <= 6 && parts.every((part) => part === 'src' || part === 'dst');
  return fits ? text : refuse(`takes src and dst, at most six with commas, not "${text}"`);
});

/** IPSET_MAXNAMELEN with its final zero byte is 32. */
export const setName = word(31, 1, ['set4', 'set-a']);
export const setDirections = directions;

function counters(options: readonly Option[]): readonly Option[] | Refusal {
  return has(options, '--return-nomatch') && !has(options, '--match-set')
    ? refuse('needs --match-set')
    : options;
}

const counter = (name: string) =>
  exclusive(
    option(`--${name}-eq`, u64, { not: true }),
    option(`--${name}-lt`, u64),
    option(`--${name}-gt`, u64),
  );

export const PACKET: readonly ExtensionRow[] = [
  {
    kind: 'match',
    name: 'comment',
    options: [option('--comment', string(255), { required: true })],
  },
  {
    kind: 'match',
    name: 'set',
    oneOf: ['--match-set'],
    options: [
      option('--match-set', [setName, directions], { aliases: ['--set'], not: true }),
      option('--return-nomatch'),
      option('--update-counters', [], { not: true, hidden: '' }),
      option('--update-subcounters', [], { not: true, hidden: '' }),
      ...counter('packets'),
      ...counter('bytes'),
    ],
    finish: counters,
  },
  { kind: 'match', name: 'mark', options: [option('--mark', mark, { not: true, required: true })] },
  {
    kind: 'match',
    name: 'mac',
    hooks: ['PREROUTING', 'INPUT', 'FORWARD'],
    options: [option('--mac-source', mac, { not: true, required: true })],
  },
  {
    kind: 'match',
    name: 'iprange',
    oneOf: 'any',
    options: [
      option('--src-range', addressRange, { not: true }),
      option('--dst-range', addressRange, { not: true }),
    ],
  },
  {
    kind: 'match',
    name: 'addrtype',
    hooks: (options) =>
      has(options, '--limit-iface-in') ? ARRIVING : has(options, '--limit-iface-out') ? LEAVING : undefined,
    oneOf: ['--src-type', '--dst-type'],
    options: [
      option('--src-type', addressTypes, { not: true }),
      option('--dst-type', addressTypes, { not: true }),
      ...exclusive(option('--limit-iface-in'), option('--limit-iface-out')),
    ],
  },
  {
    kind: 'match',
    name: 'owner',
    hooks: ['OUTPUT', 'POSTROUTING'],
    oneOf: 'any',
    options: [
      option('--socket-exists', [], { not: true }),
      option('--uid-owner', ids, { not: true }),
      option('--gid-owner', ids, { not: true }),
      option('--suppl-groups', [], { after: ['--gid-owner'] }),
    ],
  },
];
