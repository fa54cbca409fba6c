/** Matches on what the host knows about a packet: sockets, processors, devices, groups, routes. */
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
  valueGiven,
} from '../row.js';
import {
  formatHex,
  integer,
  interfaceName,
  kind,
  network,
  oneOf,
  parseInteger,
  portRange,
  protocol,
  string,
  U32,
  u32,
  word,
} from '../values.js';
import { lookedUp } from './header.js';

const hexadecimal: ValueType = kind(['0xfeedcafe', '7'], (text) => {
  const value = parseInteger(text);
  return value === undefined || value > U32 ? refuse(`takes a number, not "${text}"`) : formatHex(value, 8);
});

/** Nodes of a cluster are bits; save prints the mask even for one node. */
function cluster(options: readonly Option[]): readonly Option[] | Refusal {
  const node = options.find(
    (each) => each.flag === '--cluster-local-node' || each.flag === '--cluster-local-nodemask',
  );
  if (node === undefined) return refuse('needs --cluster-local-node or --cluster-local-nodemask');
  const total = BigInt(valueGiven(options, '--cluster-total-nodes') ?? 0);
  const value = BigInt(node.values[0] ?? 0);
  const mask = node.flag === '--cluster-local-node' ? 1n << (value - 1n) : value;
  if (mask >= 1n << total) return refuse('names a node beyond --cluster-total-nodes');
  return [
    { flag: '--cluster-local-nodemask', negated: node.negated, values: [formatHex(mask, 8)] },
    ...options.filter((each) => each !== node),
  ];
}

/** A bit from 0 to 127, or its name in the host's connlabel.conf; save prints either in quotes. */
const label: ValueType = {
  ...kind(['40', '0', '127'], (text, context) =>
    /^[a-z_][\w.-]*$/i.test(text) ? text : integer(127).parse(text, context),
  ),
  print: (value) => `"${value}"`,
};

/** How the kernel sent a packet to a real server of IPVS. */
const IPVS_METHODS = ['GATE', 'IPIP', 'MASQ'];

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

export const LOCAL: readonly ExtensionRow[] = [
  {
    kind: 'match',
    name: 'socket',
    hooks: ['PREROUTING', 'INPUT'],
    options: [option('--transparent'), option('--nowildcard'), option('--restore-skmark')],
  },
  {
    kind: 'match',
    name: 'cgroup',
    hooks: ['INPUT', 'OUTPUT', 'POSTROUTING'],
    oneOf: 'any',
    options: exclusive(
      option('--path', string(511, 1), { not: true }),
      option('--cgroup', u32, { not: true }),
    ),
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
  { kind: 'match', name: 'cpu', options: [option('--cpu', u32, { not: true, required: true })] },
  { kind: 'match', name: 'helper', options: [option('--helper', string(29), { not: true, required: true })] },
  {
    kind: 'match',
    name: 'connlabel',
    options: [option('--label', label, { not: true, required: true }), option('--set')],
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
  {
    kind: 'match',
    name: 'osf',
    family: 'v4',
    protocols: ['tcp'],
    hooks: ['PREROUTING', 'INPUT', 'FORWARD'],
    options: [
      option('--genre', word(31, 1, ['Linux', 'unknown']), { not: true, required: true }),
      option('--ttl', integer(2)),
      option('--log', integer(2)),
    ],
  },
  {
    kind: 'match',
    name: 'cluster',
    options: [
      ...exclusive(
        option('--cluster-local-node', integer(32, 1), { not: true }),
        option('--cluster-local-nodemask', integer(U32, 1), { not: true }),
      ),
      option('--cluster-total-nodes', integer(32, 1), { required: true }),
      option('--cluster-hash-seed', hexadecimal, { required: true }),
    ],
    finish: cluster,
  },
  {
    kind: 'match',
    name: 'ipvs',
    oneOf: 'any',
    options: [
      option('--ipvs', [], { not: true }),
      option('--vproto', protocol, { not: true }),
      option('--vaddr', network(false), { not: true }),
      option('--vport', portRange(), { not: true }),
      option('--vdir', oneOf(['ORIGINAL', 'REPLY'])),
      option('--vmethod', oneOf(IPVS_METHODS), { not: true }),
      option('--vportctl', portRange(), { not: true }),
    ],
    finish: ipvs,
  },
];

/** `--ipvs` goes without saying beside any other option. */
function ipvs(options: readonly Option[]): readonly Option[] | Refusal {
  const others = options.filter((each) => each.flag !== '--ipvs');
  if (others.length === 0) return options;
  return options.some((each) => each.flag === '--ipvs' && each.negated)
    ? refuse('takes ! --ipvs only alone')
    : others;
}
