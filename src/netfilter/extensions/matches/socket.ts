/** Matches on local state: owner, socket, cgroup, cpu, osf, cluster, ipvs. */
import type { Option } from '../../model.js';
import {
  type ExtensionRow,
  exclusive,
  isRefusal,
  option,
  type Refusal,
  refuse,
  type ValueType,
  valueGiven,
} from '../row.js';
import {
  formatHex,
  integer,
  kind,
  network,
  oneOf,
  parseInteger,
  parseWithin,
  portRange,
  protocol,
  string,
  U32,
  u32,
  word,
} from '../values.js';

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

/** How the kernel sent a packet to a real server of IPVS. */
const IPVS_METHODS = ['GATE', 'IPIP', 'MASQ'];

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

export const SOCKET: readonly ExtensionRow[] = [
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
  { kind: 'match', name: 'cpu', options: [option('--cpu', u32, { not: true, required: true })] },
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
