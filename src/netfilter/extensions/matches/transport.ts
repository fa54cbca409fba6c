/** Matches on what the transport header says: ports and TCP flags. */
import type { Option } from '../../model.js';
import {
  type ExtensionRow,
  exclusive,
  given,
  has,
  isRefusal,
  option,
  type Refusal,
  refuse,
  type ValueType,
} from '../row.js';
import { flags, integer, kind, oneOf, parsePort, portRange, range } from '../values.js';

const ports = (protocol?: string) => [
  option('--sport', portRange(protocol), { aliases: ['--source-port'], not: true, hidden: '0:65535' }),
  option('--dport', portRange(protocol), { aliases: ['--destination-port'], not: true, hidden: '0:65535' }),
];

const TCP_FLAGS = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG'];

/** `ALL` and `NONE` stand for every flag and for none. */
const tcpFlags: ValueType = kind(['SYN,ACK', 'ack', 'ALL', 'NONE', 'URG,PSH,FIN'], (text, context) => {
  const parts = text.split(',').filter((part) => !['', 'NONE'].includes(part.toUpperCase()));
  const spelled = parts.flatMap((part) => (part.toUpperCase() === 'ALL' ? TCP_FLAGS : [part.toUpperCase()]));
  const unknown = spelled.find((part) => !TCP_FLAGS.includes(part));
  if (unknown !== undefined)
    return refuse(
      `does not accept the TCP flag "${unknown}"`,
      `Write names of ${TCP_FLAGS.join(', ')}, ALL or NONE.`,
    );
  return spelled.length === 0 ? 'NONE' : flags(TCP_FLAGS).parse(spelled.join(','), context);
});

/**
 * iptables-nft writes "not up to 1023" as "from 1024"; it is the same, so it is written so for both backends.
 */
function plainRange(each: Option): Option {
  const [from, to] = each.values[0]?.split(':') ?? [];
  if (!each.negated || from !== '0' || to === undefined || to === '65535' || !PORT_FLAGS.includes(each.flag))
    return each;
  return given(each.flag, to === '65534' ? '65535' : `${Number(to) + 1}:65535`);
}

const PORT_FLAGS = ['--sport', '--dport'];

function tcp(options: readonly Option[]): readonly Option[] | Refusal {
  const flagged = options.find((each) => each.flag === '--tcp-flags');
  const nothing = flagged?.values[0] === 'NONE' && (flagged.negated || flagged.values[1] !== 'NONE');
  if (nothing)
    return refuse('has no flags to compare', 'Name the flags to look at before those that must be set.');
  const spelled = options.map((each) =>
    each.flag === '--syn' ? { ...each, flag: '--tcp-flags', values: ['FIN,SYN,RST,ACK', 'SYN'] } : each,
  );
  // With a TCP option iptables-nft leaves the match as it is.
  return has(options, '--tcp-option') ? spelled : spelled.map(plainRange);
}

/** A range takes two of the fifteen slots. */
const MULTIPORT_SLOTS = 15;

const portList: ValueType = kind(['22', '80,443', '1000:2000,53', '5,5,0x10'], (text, context) => {
  const parts: string[] = [];
  let slots = 0;
  for (const part of text.split(',')) {
    const ends = part.split(':');
    const numbers = ends.map((end) => parsePort(end, context.protocol));
    const refusal = numbers.find(isRefusal);
    if (refusal !== undefined) return refusal;
    const [from = 0n, to] = numbers as bigint[];
    if (ends.length > 2 || (to !== undefined && from >= to))
      return refuse(`takes a range from low to high, not "${part}"`);
    parts.push(numbers.join(':'));
    slots += ends.length;
  }
  return slots <= MULTIPORT_SLOTS
    ? parts.join(',')
    : refuse(
        `takes at most ${MULTIPORT_SLOTS} ports and this has ${slots}; a range counts as two`,
        'Split the rule in two.',
      );
});

/** Chunk types of SCTP in the order of their numbers, with the flags that each may carry (RFC 4960, RFC 8260). */
const CHUNKS: readonly (readonly [string, string])[] = [
  ['DATA', 'IUBE'],
  ['INIT', ''],
  ['INIT_ACK', ''],
  ['SACK', ''],
  ['HEARTBEAT', ''],
  ['HEARTBEAT_ACK', ''],
  ['ABORT', 'T'],
  ['SHUTDOWN', ''],
  ['SHUTDOWN_ACK', ''],
  ['ERROR', ''],
  ['COOKIE_ECHO', ''],
  ['COOKIE_ACK', ''],
  ['ECN_ECNE', ''],
  ['ECN_CWR', ''],
  ['SHUTDOWN_COMPLETE', 'T'],
  ['I_DATA', 'IUBE'],
  ['ASCONF_ACK', ''],
  ['RE_CONFIG', ''],
  ['PAD', ''],
  ['FORWARD_TSN', ''],
  ['ASCONF', ''],
  ['I_FORWARD_TSN', ''],
];

/** `DATA:Be` asks for a set B and an unset E. */
const chunkTypes: ValueType = kind(['DATA', 'ABORT:T,DATA:Be', 'ALL', 'none', 'sack,init'], (text) => {
  const upper = text.toUpperCase();
  if (upper === 'ALL' || upper === 'NONE') return upper;
  const chosen = new Map<string, string>();
  for (const part of text.split(',')) {
    const [name = '', spelled = ''] = part.split(':');
    const chunk = CHUNKS.find(([each]) => each === name.toUpperCase());
    if (chunk === undefined)
      return refuse(
        `does not accept the chunk "${name}"`,
        `Write names of ${CHUNKS.map(([each]) => each).join(', ')}.`,
      );
    const bad = [...spelled].find((letter) => !chunk[1].includes(letter.toUpperCase()));
    if (bad !== undefined) return refuse(`does not accept the flag "${bad}" of ${chunk[0]}`);
    const both = (chosen.get(chunk[0]) ?? '') + spelled;
    chosen.set(chunk[0], both);
  }
  return CHUNKS.filter(([name]) => chosen.has(name))
    .map(([name, letters]) => {
      const spelled = chosen.get(name) ?? '';
      const kept = [...letters].flatMap((letter) =>
        spelled.includes(letter)
          ? [letter]
          : spelled.includes(letter.toLowerCase())
            ? [letter.toLowerCase()]
            : [],
      );
      return kept.length === 0 ? name : `${name}:${kept.join('')}`;
    })
    .join(',');
});

const DCCP_TYPES = [
  'REQUEST',
  'RESPONSE',
  'DATA',
  'ACK',
  'DATAACK',
  'CLOSEREQ',
  'CLOSE',
  'RESET',
  'SYNC',
  'SYNCACK',
  'INVALID',
];

/** Unlike lists of states, these names may not be cut short. */
const dccpTypes: ValueType = kind(['REQUEST', 'ack,DATA', DCCP_TYPES.join(',')], (text) => {
  const parts = text.toUpperCase().split(',');
  const unknown = parts.find((part) => !DCCP_TYPES.includes(part));
  if (unknown !== undefined)
    return refuse(`does not accept the type "${unknown}"`, `Write names of ${DCCP_TYPES.join(', ')}.`);
  return DCCP_TYPES.filter((name) => parts.includes(name)).join(',');
});

/** sctp and dccp print the full range too. */
const shownPorts = (protocol?: string) => ports(protocol).map(({ hidden: _, ...row }) => row);

export const TRANSPORT: readonly ExtensionRow[] = [
  {
    kind: 'match',
    name: 'tcp',
    protocols: ['tcp'],
    options: [
      ...ports('tcp'),
      option('--tcp-option', integer(255, 1), { not: true }),
      ...exclusive(
        option('--tcp-flags', [tcpFlags, tcpFlags], { not: true, hidden: 'NONE NONE' }),
        option('--syn', [], { not: true }),
      ),
    ],
    finish: tcp,
  },
  {
    kind: 'match',
    name: 'udp',
    protocols: ['udp'],
    options: ports(),
    finish: (options) => options.map(plainRange),
  },
  {
    kind: 'match',
    name: 'sctp',
    protocols: ['sctp'],
    options: [
      ...shownPorts('sctp'),
      option('--chunk-types', [oneOf(['any', 'all', 'only']), chunkTypes], { not: true }),
    ],
  },
  {
    kind: 'match',
    name: 'dccp',
    protocols: ['dccp'],
    options: [
      ...shownPorts(),
      option('--dccp-types', dccpTypes, { not: true }),
      option('--dccp-option', integer(255, 1), { not: true }),
    ],
  },
  {
    kind: 'match',
    name: 'tcpmss',
    protocols: ['tcp'],
    options: [option('--mss', range(65535n), { not: true, required: true })],
  },
  {
    kind: 'match',
    name: 'multiport',
    protocols: ['tcp', 'udp', 'udplite', 'sctp', 'dccp'],
    oneOf: 'any',
    options: exclusive(
      option('--sports', portList, { aliases: ['--source-ports'], not: true }),
      option('--dports', portList, { aliases: ['--destination-ports'], not: true }),
      option('--ports', portList, { not: true }),
    ),
  },
];
