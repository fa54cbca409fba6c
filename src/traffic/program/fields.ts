/**
 * The fields of a packet and of what the kernel knows about it. Every field is a number in a range, so that one
 * representation serves addresses, ports, names of interfaces and states alike.
 */

import type { Family } from '../../lib/family.js';
import { ALL_ADDRESSES, networkRanges } from '../../lib/ip.js';
import { between, normalise, type Range, type Ranges } from '../../lib/ranges.js';
import { protocolName } from '../../netfilter/extensions/protocols.js';
import type { ConnectionState } from '../model.js';

/**
 * In the order of the decision diagram: small and common ones first, ports after addresses. `originalDst` and
 * `originalDport` are what the packet had before nat, and `translated` is whether nat has changed them.
 */
export const FIELDS = [
  'state',
  'translated',
  'in',
  'out',
  'protocol',
  'mark',
  'packetType',
  'src',
  'mac',
  'dst',
  'originalDst',
  'dport',
  'originalDport',
  'sport',
  'flags',
  'type',
  'code',
  'uid',
  'gid',
] as const;
export type Field = (typeof FIELDS)[number];

/** UNTRACKED comes last: rules and the kernel set it, no packet arrives with it. */
export const STATES: readonly ConnectionState[] = ['NEW', 'ESTABLISHED', 'RELATED', 'INVALID', 'UNTRACKED'];
/** The states by their index in {@link STATES}. */
export const STATE = { NEW: 0n, ESTABLISHED: 1n, RELATED: 2n, INVALID: 3n, UNTRACKED: 4n } as const;
export const PROTOCOL = { ICMP: 1n, TCP: 6n, UDP: 17n, ICMPV6: 58n } as const;
export const PACKET_TYPES: readonly string[] = ['unicast', 'broadcast', 'multicast', 'otherhost'];
/** In the order of their bits in the header. */
export const TCP_FLAGS: readonly string[] = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG'];

/** IFNAMSIZ is 16 with the final zero. */
const NAME_BYTES = 16;
const NAME_BITS = NAME_BYTES * 8;
/** One more than any id: the packet belongs to no socket. */
export const NO_OWNER = 1n << 32n;
/** One more than any address: the packet came over a device without one, such as lo or a tunnel. */
export const NO_MAC = 1n << 48n;
/** Marks are indices into the list of marks that the rules can set; see marks.ts. */
export const MARKS = 128n;

const LAST: { readonly [field in Exclude<Field, 'src' | 'dst' | 'originalDst'>]: bigint } = {
  state: BigInt(STATES.length - 1),
  translated: 1n,
  in: (1n << BigInt(NAME_BITS)) - 1n,
  out: (1n << BigInt(NAME_BITS)) - 1n,
  protocol: 255n,
  mark: MARKS - 1n,
  packetType: BigInt(PACKET_TYPES.length - 1),
  mac: NO_MAC,
  dport: 65535n,
  originalDport: 65535n,
  sport: 65535n,
  flags: 63n,
  type: 255n,
  code: 255n,
  uid: NO_OWNER,
  gid: NO_OWNER,
};

/** Every value that the field can have. */
export const domain = (field: Field, family: Family): Range =>
  field === 'src' || field === 'dst' || field === 'originalDst' ? ALL_ADDRESSES[family] : [0n, LAST[field]];

const nameNumber = (bytes: Uint8Array, fill: number): bigint =>
  Array.from({ length: NAME_BYTES }, (_, index) => bytes[index] ?? fill).reduce(
    (sum, byte) => (sum << 8n) | BigInt(byte),
    0n,
  );

/** `eth0` is one value, `eth+` every name with that prefix, `+` every name. */
export function interfaceRange(pattern: string): Range {
  const bytes = Buffer.from(pattern.replace(/\+$/, ''));
  return pattern.endsWith('+')
    ? [nameNumber(bytes, 0), nameNumber(bytes, 255)]
    : [nameNumber(bytes, 0), nameNumber(bytes, 0)];
}

/** The number of one interface name. */
export const interfaceNumber = (name: string): bigint => nameNumber(Buffer.from(name), 0);
export const LOOPBACK = interfaceNumber('lo');

/** `eth0`, `eth+`; `undefined` for a range that is neither. */
export function interfaceText([from, to]: Range): string | undefined {
  const low = nameBytes(from);
  const name = Buffer.from(low).toString();
  if (from === to) return name;
  return interfaceRange(`${name}+`)[1] === to && interfaceRange(`${name}+`)[0] === from
    ? `${name}+`
    : undefined;
}

function nameBytes(value: bigint): Uint8Array {
  const bytes = Uint8Array.from({ length: NAME_BYTES }, (_, index) =>
    Number((value >> BigInt((NAME_BYTES - 1 - index) * 8)) & 255n),
  );
  const end = bytes.indexOf(0);
  return end === -1 ? bytes : bytes.subarray(0, end);
}

/** The index of a connection state, `undefined` for another word. */
export const stateNumber = (state: string): bigint | undefined => {
  const index = STATES.indexOf(state as ConnectionState);
  return index === -1 ? undefined : BigInt(index);
};

/** `SYN,ACK` → its bits; `NONE` and the empty text are 0. */
export function flagBits(text: string): bigint {
  const names = text.toUpperCase().split(',');
  if (names.includes('ALL')) return 63n;
  return names.reduce((bits, name) => {
    const at = TCP_FLAGS.indexOf(name.trim());
    return at === -1 ? bits : bits | (1n << BigInt(at));
  }, 0n);
}

/** Bits → `SYN,ACK`, or `NONE`. */
export const flagText = (bits: bigint): string =>
  TCP_FLAGS.filter((_, index) => (bits & (1n << BigInt(index))) !== 0n).join(',') || 'NONE';

/** The name of a protocol, its number where it has none. */
export const protocolText = (value: bigint): string => (value === 0n ? '0' : protocolName(Number(value)));

/** `00:16:3e:00:00:01` as a number. */
export const macNumber = (text: string): bigint => BigInt(`0x${text.replaceAll(':', '')}`);
/** The inverse of {@link macNumber}. */
export const macText = (value: bigint): string =>
  (value.toString(16).padStart(12, '0').match(/../g) ?? []).join(':');

/** `22`, `1000:2000`, `1000-2000`. */
export function parseNumbers(text: string): Ranges | undefined {
  const ends = text.split(/[:-]/).map((end) => (/^\d+$/.test(end) ? BigInt(end) : undefined));
  const [from, to = from] = ends;
  return from === undefined || to === undefined || ends.length > 2 ? undefined : between(from, to);
}

/** `443`, `1000-2000`. */
export const numbersText = (ranges: Ranges): readonly string[] =>
  ranges.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`));

/** tcp, udp, sctp, dccp, udplite. */
export const WITH_PORTS: readonly bigint[] = [6n, 17n, 132n, 33n, 136n];

/** The protocols that satisfy `holds`. */
export const protocolNumbers = (holds: (number: bigint) => boolean): Ranges =>
  normalise(
    Array.from({ length: 256 }, (_, number) => BigInt(number))
      .filter(holds)
      .map((number) => [number, number] as const),
  );

/** Every Linux host has these addresses. */
export const LOOPBACK_NETWORK: { readonly [family in Family]: Ranges } = {
  v4: networkRanges('127.0.0.0/8', 'v4') ?? [],
  v6: networkRanges('::1', 'v6') ?? [],
};
export const LOOPBACK_ADDRESS: { readonly [family in Family]: bigint } = { v4: 0x7f000001n, v6: 1n };
