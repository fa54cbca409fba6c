/** Matches on what the transport header says: ports and TCP flags. */
import type { Option } from '../model.js';
import { type ExtensionRow, exclusive, isRefusal, option, refuse, type ValueType } from '../row.js';
import { flags, integer, kind, parsePort, portRange } from '../values.js';

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
      `does not know the TCP flag "${unknown}"`,
      `Write names of ${TCP_FLAGS.join(', ')}, ALL or NONE.`,
    );
  return spelled.length === 0 ? 'NONE' : flags(TCP_FLAGS).parse(spelled.join(','), context);
});

const synToFlags = (options: readonly Option[]): readonly Option[] =>
  options.map((each) =>
    each.flag === '--syn'
      ? { flag: '--tcp-flags', negated: each.negated, values: ['FIN,SYN,RST,ACK', 'SYN'] }
      : each,
  );

/** A range takes two of the fifteen slots. */
const MULTIPORT_SLOTS = 15;

const portList: ValueType = kind(['22', '80,443', '1000:2000,53', 'http,https'], (text, context) => {
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
    finish: synToFlags,
  },
  { kind: 'match', name: 'udp', protocols: ['udp'], options: ports() },
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
