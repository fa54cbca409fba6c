/** Targets that change headers: CHECKSUM, CLASSIFY, DSCP, ECN, HL, HMARK, TCPMSS, TCPOPTSTRIP, TOS, TTL. */
import type { Option, Rule } from '../../model.js';
import { prefixed } from '../matches/ipv6.js';
import { dscp, dscpClass, rename, tos } from '../matches/packet.js';
import {
  type ExtensionRow,
  exclusive,
  given,
  has,
  inOrder,
  isRefusal,
  LEAVING,
  option,
  type Refusal,
  refuse,
  type ValueContext,
  type ValueType,
  valueGiven,
} from '../row.js';
import {
  canonicalNetwork,
  formatHex,
  hex,
  integer,
  kind,
  parseInteger,
  parseWithin,
  prefix,
  U32,
  u8,
  u32,
} from '../values.js';

const MANGLE_TABLE = ['mangle'] as const;

/** How each shorthand becomes the one operation that the kernel has: tos = (tos & ~mask) ^ value. */
function setTos(options: readonly Option[]): readonly Option[] {
  return options.map(({ flag, values: [text = ''] }) => {
    const bits = parseInteger(text) ?? 0n;
    const both = (value: bigint, mask: bigint): Option =>
      given('--set-tos', `${formatHex(value, 2)}/${formatHex(mask, 2)}`);
    if (flag === '--and-tos') return both(0n, ~bits & 255n);
    if (flag === '--or-tos') return both(bits, bits);
    return flag === '--xor-tos' ? both(bits, 0n) : given(flag, text);
  });
}

const stepped = (name: string) =>
  exclusive(
    option(`--${name}-set`, u8),
    option(`--${name}-dec`, integer(255, 1)),
    option(`--${name}-inc`, integer(255, 1)),
  );

/** Setting both TCP bits to 0 is what removing them is. Removing forgets what was asked for before it. */
function setEcn(options: readonly Option[], context: ValueContext): readonly Option[] | Refusal {
  const tcp = options.some((each) => each.flag.startsWith('--ecn-tcp'));
  if (tcp && context.protocol !== 'tcp') return refuse('changes TCP bits only with -p tcp');
  const removal = options.findIndex((each) => each.flag === '--ecn-tcp-remove');
  const kept = options.slice(removal + 1);
  const zeros = [given('--ecn-tcp-ece', '0'), given('--ecn-tcp-cwr', '0')];
  const all = inOrder(removal === -1 ? kept : [...zeros, ...kept], ECN_OPTIONS);
  const removes = zeros.every(({ flag }) => valueGiven(all, flag) === '0') && all.length === 2;
  return removes ? [given('--ecn-tcp-remove')] : all;
}

const ECN_OPTIONS = [
  option('--ecn-tcp-remove', [], { excludes: ['--ecn-tcp-cwr', '--ecn-tcp-ece'] }),
  option('--ecn-tcp-ece', integer(1)),
  option('--ecn-tcp-cwr', integer(1)),
  option('--ecn-ip-ect', integer(3)),
];

/** A class of traffic control: major and minor number in hexadecimal. */
const trafficClass: ValueType = kind(['1:1', '0001:ffff', '0:0'], (text) => {
  const found = /^(?:0x)?([0-9a-f]{1,4}):(?:0x)?([0-9a-f]{1,4})$/i.exec(text);
  const pad = (digits = ''): string => Number.parseInt(digits, 16).toString(16).padStart(4, '0');
  return found === null
    ? refuse(`takes a class such as 1:20 in hexadecimal, not "${text}"`)
    : `${pad(found[1])}:${pad(found[2])}`;
});

/** https://www.iana.org/assignments/tcp-parameters */
const TCP_OPTIONS: Readonly<Record<string, bigint>> = {
  mss: 2n,
  wscale: 3n,
  'sack-permitted': 4n,
  sack: 5n,
  timestamp: 8n,
  md5: 19n,
};

const tcpOptions: ValueType = kind(['wscale', 'timestamp,mss', '2,3,255', 'sack-permitted,sack'], (text) => {
  const numbers = text.split(',').map((part) => TCP_OPTIONS[part] ?? parseWithin(part, 2n, 255n));
  const refusal = numbers.find(isRefusal);
  if (refusal !== undefined)
    return refuse(
      `does not accept an option of "${text}"`,
      `Write numbers from 2 to 255 or names of ${Object.keys(TCP_OPTIONS).join(', ')}.`,
    );
  const unique = new Set(numbers as bigint[]);
  if (unique.size < numbers.length) return refuse(`names an option twice in "${text}"`);
  return [...unique].toSorted((a, b) => Number(a - b)).join(',');
});

const TUPLE: Readonly<Record<string, string>> = {
  src: '--hmark-src-prefix',
  dst: '--hmark-dst-prefix',
  sport: '--hmark-sport-mask',
  dport: '--hmark-dport-mask',
  proto: '--hmark-proto-mask',
  spi: '--hmark-spi-mask',
};

const tuple: ValueType = kind(['ct', 'src,dst', 'src,dst,sport,dport,proto', 'ct,src,dst'], (text) => {
  const unknown = text.split(',').find((part) => part !== 'ct' && TUPLE[part] === undefined);
  return unknown === undefined
    ? text
    : refuse(`does not accept "${unknown}"`, `Write names of ct, ${Object.keys(TUPLE).join(', ')}.`);
});

/** A field of the tuple is a mask of all ones; save prints only masks, and `ct` alone as a tuple. */
function hmark(
  options: readonly Option[],
  { family }: { readonly family: 'v4' | 'v6' },
): readonly Option[] | Refusal {
  const whole: Readonly<Record<string, string>> = {
    '--hmark-src-prefix': family === 'v4' ? '32' : '128',
    '--hmark-dst-prefix': family === 'v4' ? '32' : '128',
    '--hmark-sport-mask': '0xffff',
    '--hmark-dport-mask': '0xffff',
    '--hmark-proto-mask': '0xffff',
    '--hmark-spi-mask': '0xffffffff',
  };
  const fields = valueGiven(options, '--hmark-tuple')?.split(',') ?? [];
  const masks = fields.filter((field) => field !== 'ct').map((field) => TUPLE[field] ?? '');
  const all = [
    ...options.filter((each) => each.flag !== '--hmark-tuple' && !masks.includes(each.flag)),
    ...masks.map((flag) => given(flag, whole[flag] ?? '')),
    ...(fields.includes('ct') ? [given('--hmark-tuple', 'ct')] : []),
  ];
  const tupleAt = options.findIndex((each) => each.flag === '--hmark-tuple');
  const twice = masks.find((flag) => options.findIndex((each) => each.flag === flag) > tupleAt);
  if (twice !== undefined) return refuse(`has ${twice} twice in its tuple`);
  if (has(all, '--hmark-spi') && (has(all, '--hmark-sport') || has(all, '--hmark-dport')))
    return refuse('takes --hmark-spi or ports, not both');
  const ports = has(all, '--hmark-sport-mask') || has(all, '--hmark-dport-mask');
  if (has(all, '--hmark-spi-mask') && ports)
    return refuse('takes --hmark-spi-mask or masks of ports, not both');
  const counted = all.filter((each) => !['--hmark-rnd', '--hmark-mod', '--hmark-offset'].includes(each.flag));
  if (counted.length === 0) return refuse('needs --hmark-tuple');
  return inOrder(all, HMARK_OPTIONS);
}

const port = hex(0xffffn, 4);
const wide = hex(U32, 8);

const HMARK_OPTIONS = [
  option('--hmark-src-prefix', prefix),
  option('--hmark-dst-prefix', prefix),
  option('--hmark-sport-mask', port),
  option('--hmark-dport-mask', port),
  option('--hmark-spi-mask', wide),
  option('--hmark-sport', port),
  option('--hmark-dport', port),
  option('--hmark-spi', wide),
  option('--hmark-proto-mask', hex(0xffffn, 2)),
  option('--hmark-rnd', wide, { required: true }),
  option('--hmark-mod', integer(U32, 1), { required: true }),
  option('--hmark-offset', u32),
  option('--hmark-tuple', tuple),
];

/** The kernel takes TCPMSS only for packets that carry the option, which are those with SYN. */
function matchesSyn({ matches }: Pick<Rule, 'matches'>): Refusal | undefined {
  const flags = matches.flatMap((match) => match.options.filter((each) => each.flag === '--tcp-flags'));
  return flags.some((each) => !each.negated && each.values[1]?.split(',').includes('SYN'))
    ? undefined
    : refuse('works only on SYN packets', 'Add --tcp-flags SYN,RST SYN to the rule.');
}

/** The largest segment that fits an IP packet of 65535 bytes. */
const maximumSegment: ValueType = kind(['536', '1460'], (text, { family }) =>
  integer(65535 - (family === 'v4' ? 20 : 40)).parse(text, { family }),
);

/** The kernel translates prefixes of at most 64 bits, without host bits. */
const translated: ValueType = kind({ v4: [], v6: ['dead::/64', '1c3::/48'] }, (text, context) => {
  const printed = prefixed.parse(text, context);
  if (isRefusal(printed)) return printed;
  const fits =
    Number(printed.slice(printed.indexOf('/') + 1)) <= 64 && canonicalNetwork(printed, 'v6') === printed;
  return fits ? printed : refuse(`takes a prefix of at most 64 bits without host bits, not "${text}"`);
});

const translation = (name: string, hooks: readonly string[]): ExtensionRow => ({
  kind: 'target',
  name,
  family: 'v6',
  tables: MANGLE_TABLE,
  hooks,
  options: [
    option('--src-pfx', translated, { required: true, hidden: '::/0' }),
    option('--dst-pfx', translated, { required: true, hidden: '::/0' }),
  ],
});

export const MANGLE: readonly ExtensionRow[] = [
  {
    kind: 'target',
    name: 'TOS',
    tables: MANGLE_TABLE,
    oneOf: 'any',
    options: exclusive(
      option('--set-tos', tos),
      option('--and-tos', u8),
      option('--or-tos', u8),
      option('--xor-tos', u8),
    ),
    finish: setTos,
  },
  {
    kind: 'target',
    name: 'DSCP',
    tables: MANGLE_TABLE,
    oneOf: 'any',
    options: exclusive(option('--set-dscp', dscp), option('--set-dscp-class', dscpClass)),
    finish: rename('--set-dscp-class', '--set-dscp'),
  },
  {
    kind: 'target',
    name: 'TTL',
    family: 'v4',
    tables: MANGLE_TABLE,
    oneOf: 'any',
    options: stepped('ttl'),
  },
  { kind: 'target', name: 'HL', family: 'v6', tables: MANGLE_TABLE, oneOf: 'any', options: stepped('hl') },
  {
    kind: 'target',
    name: 'ECN',
    family: 'v4',
    tables: MANGLE_TABLE,
    oneOf: 'any',
    order: 'given',
    options: ECN_OPTIONS,
    finish: setEcn,
  },
  {
    kind: 'target',
    name: 'TCPMSS',
    protocols: ['tcp'],
    hooks: (options) => (has(options, '--clamp-mss-to-pmtu') ? LEAVING : undefined),
    suits: matchesSyn,
    oneOf: 'any',
    options: exclusive(option('--set-mss', maximumSegment), option('--clamp-mss-to-pmtu')),
  },
  {
    kind: 'target',
    name: 'TCPOPTSTRIP',
    protocols: ['tcp'],
    tables: MANGLE_TABLE,
    options: [option('--strip-options', tcpOptions)],
  },
  {
    kind: 'target',
    name: 'CLASSIFY',
    hooks: ['FORWARD', 'OUTPUT', 'POSTROUTING'],
    options: [option('--set-class', trafficClass, { required: true })],
  },
  {
    kind: 'target',
    name: 'CHECKSUM',
    tables: MANGLE_TABLE,
    options: [option('--checksum-fill', [], { required: true })],
  },
  { kind: 'target', name: 'HMARK', order: 'given', options: HMARK_OPTIONS, finish: hmark },
  translation('DNPT', ['PREROUTING', 'OUTPUT']),
  translation('SNPT', ['INPUT', 'POSTROUTING']),
];
