/** Matches on IPv6 extension headers and addresses. */
import { formatAddress, parseAddress, prefixLength } from '../../../lib/ip.js';
import type { Option } from '../../model.js';
import {
  type ExtensionRow,
  exclusive,
  has,
  inOrder,
  isRefusal,
  option,
  type Refusal,
  refuse,
  type ValueType,
} from '../row.js';
import { kind, networkValue, noAddress, parseWithin, range, U32, u8, u16, u32 } from '../values.js';

const WHOLE_RANGE = `0:${U32}`;

/** IPv6 options as `type` or `type:length`, at most 16. */
const headerOptions: ValueType = kind(['1:2,23:42', '149', '5:0,6'], (text) => {
  const parts = text.split(',');
  const printed = parts.map((part) => {
    const [type = '', length] = part.split(':');
    const number = parseWithin(type, 0n, 255n);
    const size = length === undefined ? 255n : parseWithin(length, 0n, 255n);
    if (isRefusal(number)) return number;
    if (isRefusal(size)) return size;
    if (number === 0n && length !== undefined) return refuse('takes no length for the padding option 0');
    return size === 255n ? String(number) : `${number}:${size}`;
  });
  const refusal = printed.find(isRefusal);
  if (refusal !== undefined) return refusal;
  return parts.length <= 16 ? printed.join(',') : refuse('takes at most 16 options');
});

/** RFC 6275 message types. */
const MOBILITY: Readonly<Record<string, string>> = {
  'binding-refresh-request': '0',
  brr: '0',
  'home-test-init': '1',
  hoti: '1',
  'careof-test-init': '2',
  coti: '2',
  'home-test': '3',
  hot: '3',
  'careof-test': '4',
  cot: '4',
  'binding-update': '5',
  bu: '5',
  'binding-acknowledgement': '6',
  ba: '6',
  'binding-error': '7',
  be: '7',
};

const mobilityTypes: ValueType = kind(['1', 'brr', '4:123', 'hoti:cot', ':5', '3:'], (text) => {
  const parts = text.split(':').map((part) => MOBILITY[part.toLowerCase()] ?? part);
  if (parts.length === 1) return range(255n).parse(parts[0] ?? '', { family: 'v6' });
  return range(255n).parse(parts.join(':'), { family: 'v6' });
});

/** Names of headers in the kernel's order of bits, with every name that is accepted for each. */
const HEADERS: readonly (readonly [string, ...string[]])[] = [
  ['hop-by-hop', 'hop', '0', 'hopopt', 'ip'],
  ['ipv6-opts', 'dst', '60'],
  ['ipv6-route', 'route', '43'],
  ['ipv6-frag', 'frag', '44'],
  ['ah', 'auth', '51'],
  ['esp', '50'],
  ['ipv6-nonxt', 'none', '59'],
  ['protocol', 'prot', '255'],
];

const headers: ValueType = kind(['hop-by-hop', 'frag,dst', 'esp,auth,none', 'route,prot'], (text) => {
  const parts = text.split(',').filter((part) => part !== '');
  const found = parts.map((part) => HEADERS.find((names) => names.includes(part)));
  const bad = found.indexOf(undefined);
  if (bad !== -1 || parts.length === 0)
    return refuse(
      `does not accept the header "${parts[bad] ?? ''}"`,
      `Write names of ${HEADERS.map(([name]) => name).join(', ')}.`,
    );
  return HEADERS.filter((names) => found.includes(names))
    .map(([name]) => name)
    .join(',');
});

const hops: ValueType = kind({ v4: [], v6: ['::1', '2001:db8::1,2001:db8::2'] }, (text) => {
  const parts = text.split(',');
  const addresses = parts.map((part) => parseAddress(part, 'v6'));
  const bad = addresses.indexOf(undefined);
  if (bad !== -1) return noAddress(parts[bad] ?? '', 'v6');
  return parts.length <= 16
    ? addresses.map((each) => formatAddress(each ?? 0n, 'v6')).join(',')
    : refuse('takes at most 16 addresses');
});

/** A network with its prefix length always printed, and its host bits kept. */
export const prefixed: ValueType = kind(
  { v4: ['10.0.0.0/8', '10.1.2.3'], v6: ['a::/64', 'b::/128', 'c::/0', '2001:db8::1'] },
  (text, { family }) => {
    const parsed = networkValue(text, family);
    if (isRefusal(parsed)) return parsed;
    const length = prefixLength(parsed.mask, family);
    return length === undefined
      ? refuse(`takes a prefix length, not "${text}"`)
      : `${formatAddress(parsed.address, family)}/${length}`;
  },
);

function routing(options: readonly Option[]): readonly Option[] | Refusal {
  const zero = options.some((each) => each.flag === '--rt-type' && !each.negated && each.values[0] === '0');
  const needsZero = has(options, '--rt-0-res') || has(options, '--rt-0-addrs');
  return needsZero && !zero ? refuse('takes the options of type 0 only with --rt-type 0') : options;
}

const compared = (name: string) => [
  option(`--srh-${name}-eq`, u8, { not: true }),
  option(`--srh-${name}-gt`, u8, { not: true }),
  option(`--srh-${name}-lt`, u8, { not: true }),
];

const SRH_FIELDS = ['hdr-len', 'segs-left', 'last-entry'];

const SRH_OPTIONS = [
  option('--srh-next-hdr', u8, { not: true }),
  ...SRH_FIELDS.flatMap(compared),
  option('--srh-tag', u16, { not: true }),
  option('--srh-psid', prefixed, { not: true }),
  option('--srh-nsid', prefixed, { not: true }),
  option('--srh-lsid', prefixed, { not: true }),
];

/** The kernel has one number for each field, so the last one given is compared in every way that is asked for. */
function segmentRouting(options: readonly Option[]): readonly Option[] {
  const shared = options.map((each) => {
    const field = SRH_FIELDS.find((name) => each.flag.startsWith(`--srh-${name}-`));
    const last = field && options.findLast((other) => other.flag.startsWith(`--srh-${field}-`));
    return last ? { ...each, values: last.values } : each;
  });
  return inOrder(shared, SRH_OPTIONS);
}

const ids = (flag: string) => option(flag, range(U32), { not: true, hidden: WHOLE_RANGE });

export const IPV6: readonly ExtensionRow[] = [
  {
    kind: 'match',
    name: 'rt',
    family: 'v6',
    options: [
      option('--rt-type', u32, { not: true }),
      ids('--rt-segsleft'),
      option('--rt-len', u32, { not: true }),
      option('--rt-0-res', [], { after: ['--rt-type'] }),
      option('--rt-0-addrs', hops, { after: ['--rt-type'] }),
      option('--rt-0-not-strict', [], { after: ['--rt-0-addrs'] }),
    ],
    finish: routing,
  },
  {
    kind: 'match',
    name: 'frag',
    family: 'v6',
    options: [
      ids('--fragid'),
      option('--fraglen', u32, { not: true }),
      option('--fragres'),
      option('--fragfirst'),
      ...exclusive(option('--fragmore'), option('--fraglast')),
    ],
  },
  {
    kind: 'match',
    name: 'hbh',
    family: 'v6',
    options: [option('--hbh-len', u32, { not: true }), option('--hbh-opts', headerOptions)],
  },
  {
    kind: 'match',
    name: 'dst',
    family: 'v6',
    options: [option('--dst-len', u32, { not: true }), option('--dst-opts', headerOptions)],
  },
  {
    kind: 'match',
    name: 'mh',
    family: 'v6',
    protocols: ['mobility-header'],
    options: [option('--mh-type', mobilityTypes, { not: true, hidden: '0:255' })],
  },
  {
    kind: 'match',
    name: 'ah',
    family: 'v6',
    options: [ids('--ahspi'), option('--ahlen', u32, { not: true, hidden: '0' }), option('--ahres')],
  },
  { kind: 'match', name: 'eui64', family: 'v6', hooks: ['PREROUTING', 'INPUT', 'FORWARD'], options: [] },
  {
    kind: 'match',
    name: 'ipv6header',
    family: 'v6',
    options: [option('--header', headers, { not: true, required: true }), option('--soft')],
  },
  {
    kind: 'match',
    name: 'srh',
    family: 'v6',
    order: 'given',
    options: SRH_OPTIONS,
    finish: segmentRouting,
  },
];
