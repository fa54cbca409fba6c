/** Matches on addresses, sets and interfaces: set, mac, iprange, addrtype, devgroup, physdev, rpfilter. */

import { formatAddress, parseAddress } from '../../../lib/ip.js';
import type { Option } from '../../model.js';
import {
  ARRIVING,
  type ExtensionRow,
  exclusive,
  has,
  LEAVING,
  option,
  type Refusal,
  refuse,
  type ValueType,
} from '../row.js';
import { flags, interfaceName, kind, mac, noAddress, u64, word } from '../values.js';
import { lookedUp } from './packet.js';

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

/** What an interface stands for is known only where packets have one on that side. */
const sides =
  (arriving: string, leaving: string) =>
  (options: readonly Option[]): readonly string[] | undefined => {
    const [one, other] = [has(options, arriving), has(options, leaving)];
    if (one && other) return ['FORWARD'];
    return one ? ARRIVING : other ? LEAVING : undefined;
  };

/** The bridge port by which a packet will leave is not known in OUTPUT. */
function physdevHooks(options: readonly Option[]): readonly string[] | undefined {
  const bridged = options.some((each) => each.flag === '--physdev-is-bridged' && !each.negated);
  const leaving = has(options, '--physdev-out') || has(options, '--physdev-is-out');
  return leaving && !bridged ? ['PREROUTING', 'INPUT', 'FORWARD', 'POSTROUTING'] : undefined;
}

export const ADDRESS_INTERFACE: readonly ExtensionRow[] = [
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
    name: 'devgroup',
    hooks: sides('--src-group', '--dst-group'),
    oneOf: 'any',
    options: [
      option('--src-group', lookedUp('default'), { not: true }),
      option('--dst-group', lookedUp('default'), { not: true }),
    ],
  },
  {
    kind: 'match',
    name: 'physdev',
    hooks: physdevHooks,
    oneOf: 'any',
    options: [
      option('--physdev-is-in', [], { not: true }),
      option('--physdev-in', interfaceName, { not: true }),
      option('--physdev-is-out', [], { not: true }),
      option('--physdev-out', interfaceName, { not: true }),
      option('--physdev-is-bridged', [], { not: true }),
    ],
  },
  {
    kind: 'match',
    name: 'rpfilter',
    tables: ['raw', 'mangle'],
    hooks: ['PREROUTING'],
    options: [option('--loose'), option('--validmark'), option('--accept-local'), option('--invert')],
  },
];
