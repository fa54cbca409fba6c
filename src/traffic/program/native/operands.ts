/** What an nft expression compares: a field of the packet, its mark, something that is the same for all packets, or more. */
import { networkRanges, parseAddress } from '../../../lib/ip.js';
import { between, normalise, one, type Range, type Ranges } from '../../../lib/ranges.js';
import { protocolNumber } from '../../../netfilter/extensions/protocols.js';
import type { Json } from '../../../netfilter/nftables/model.js';
import { listOf, objectOf } from '../../../netfilter/nftables/read.js';
import { valueText } from '../../../netfilter/nftables/text.js';
import {
  type Field,
  interfaceNumber,
  interfaceRange,
  macNumber,
  NO_MAC,
  NO_OWNER,
  PROTOCOL,
  STATES,
  TCP_FLAGS,
  WITH_PORTS,
} from '../fields.js';
import { ALWAYS, field, NEVER, type Predicate } from '../predicate.js';
import type { NativeContext } from './context.js';

/** The values of one element that is compared with; `undefined` for what is not understood. */
type ReadValues = (value: Json) => Ranges | undefined;

export type Operand =
  | {
      readonly kind: 'field';
      readonly field: Field;
      /** nft stops at the expression where this is false, whatever the comparison is. */
      readonly given: Predicate;
      readonly read: ReadValues;
      /** A value is a set of bits: `ct state`, `tcp flags`. */
      readonly bits?: readonly string[];
      /** The bits of the field that are compared. */
      readonly mask?: number;
      /** Of protocols without ports nft reads other bytes. */
      readonly rawPorts?: true;
    }
  | { readonly kind: 'mark'; readonly mask: number }
  /** The same for every packet here; `undefined` where the value is not understood. */
  | { readonly kind: 'constant'; readonly is: (value: Json) => boolean | undefined }
  /** The type of an address. */
  | { readonly kind: 'addressType'; readonly flag: '--src-type' | '--dst-type' }
  /** One of several at random, in turn or by a hash of the packet. */
  | { readonly kind: 'choice'; readonly count: number; readonly offset: number; readonly text: string }
  | { readonly kind: 'unknown'; readonly text: string; readonly pure: boolean };

const unknown = (text: string, pure = true): Operand => ({ kind: 'unknown', text, pure });

/** What an expression is about. */
export function operandOf(expression: Json | undefined, context: NativeContext): Operand {
  const [[kind = '', of] = []] = Object.entries(objectOf(expression));
  const text = valueText(expression);
  return OPERANDS[kind]?.(of as Json, context, text) ?? unknown(text);
}

type Reader = (of: Json, context: NativeContext, text: string) => Operand | undefined;

const OPERANDS: { readonly [kind: string]: Reader } = {
  meta: (of, context, text) => META[String(objectOf(of).key)]?.(context, text),
  payload,
  ct: connection,
  fib: (of) => {
    const { result, flags } = objectOf(of);
    const [flag, more] = listOf(flags);
    const side = flag === 'saddr' ? '--src-type' : flag === 'daddr' ? '--dst-type' : undefined;
    return result === 'type' && more === undefined && side !== undefined
      ? { kind: 'addressType', flag: side }
      : undefined;
  },
  '&': (of, context) => {
    const [left, right] = listOf(of);
    const inner = operandOf(left, context);
    if (inner.kind === 'mark' && typeof right === 'number')
      return { kind: 'mark', mask: (inner.mask & right) >>> 0 };
    if (inner.kind !== 'field' || inner.bits === undefined) return undefined;
    const mask = bitsOf(right, inner.bits);
    return mask === undefined ? undefined : { ...inner, mask };
  },
  numgen: choice,
  jhash: choice,
  symhash: choice,
};

function choice(of: Json, _: NativeContext, text: string): Operand | undefined {
  const { mod, offset } = objectOf(of);
  return typeof mod === 'number'
    ? { kind: 'choice', count: mod, offset: typeof offset === 'number' ? offset : 0, text }
    : undefined;
}

/** A name that may end in `*`; a number is the index of an interface that is gone. */
const interfaces: ReadValues = (value) => {
  if (typeof value !== 'string' || value.includes('\\')) return undefined;
  return value.endsWith('*') ? [interfaceRange(`${value.slice(0, -1)}+`)] : one(interfaceNumber(value));
};

const numbers: ReadValues = (value) =>
  typeof value === 'number' && value >= 0 && Number.isInteger(value) ? one(BigInt(value)) : undefined;

const protocols: ReadValues = (value) => {
  const number = typeof value === 'number' ? value : protocolNumber(String(value));
  return number === undefined ? undefined : one(BigInt(number));
};

/** Names of users and groups are of the host; root is the same on all. */
const ids: ReadValues = (value) => (value === 'root' ? one(0n) : numbers(value));

const named =
  (names: { readonly [name: string]: number }): ReadValues =>
  (value) => {
    const number = typeof value === 'string' ? names[value] : undefined;
    return number === undefined ? numbers(value) : one(BigInt(number));
  };

const addresses =
  (family: 'v4' | 'v6'): ReadValues =>
  (value) => {
    const { prefix } = objectOf(value);
    if (prefix !== undefined) {
      const { addr, len } = objectOf(prefix);
      return networkRanges(`${String(addr)}/${String(len)}`, family);
    }
    const address = typeof value === 'string' ? parseAddress(value, family) : undefined;
    return address === undefined ? undefined : one(address);
  };

const hardware: ReadValues = (value) =>
  typeof value === 'string' && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(value)
    ? one(macNumber(value))
    : undefined;

/** The bits that a name, a list of names, or a number has. */
export function bitsOf(value: Json | undefined, names: readonly string[]): number | undefined {
  if (typeof value === 'number') return names === STATE_NAMES ? undefined : value;
  const { '|': or } = objectOf(value);
  const parts = or === undefined ? listOf(value) : listOf(or);
  let bits = 0;
  for (const part of parts) {
    const at = names.indexOf(String(part).toLowerCase());
    if (at >= 0) bits |= 1 << at;
    else {
      const inner = typeof part === 'object' && part !== null ? bitsOf(part, names) : undefined;
      if (inner === undefined) return undefined;
      bits |= inner;
    }
  }
  return bits;
}

const plain = (name: Field, read: ReadValues, given: Predicate = ALWAYS): Operand => ({
  kind: 'field',
  field: name,
  given,
  read,
});

const constant = ([of, number]: readonly [string, number]): Operand => ({
  kind: 'constant',
  is: (value) => (typeof value === 'string' ? value === of : value === number),
});

const PACKET_TYPES = { host: 0, unicast: 0, broadcast: 1, multicast: 2, other: 3 };
const ETHERTYPE = { v4: ['ip', 0x800], v6: ['ip6', 0x86dd] } as const;
const NFPROTO = { v4: ['ipv4', 2], v6: ['ipv6', 10] } as const;

/** No packet has an outgoing interface on arrival. In a bridge table the interfaces are the ports of the bridge. */
const outgoing = ({ site, native }: NativeContext, text: string): Operand => {
  if (native.family === 'bridge') return unknown(text);
  return site === 'arriving' ? constant(['', 0]) : plain('out', interfaces);
};

const incoming = ({ native }: NativeContext, text: string): Operand =>
  native.family === 'bridge' ? unknown(text) : plain('in', interfaces);

/** A packet that arrives may already belong to a socket; one that leaves does so unless the kernel itself sends it. */
const owner =
  (name: 'uid' | 'gid') =>
  ({ site }: NativeContext, text: string): Operand =>
    site === 'arriving' ? unknown(text) : plain(name, ids, field(name, between(0n, NO_OWNER - 1n)));

const META: { readonly [key: string]: (context: NativeContext, text: string) => Operand } = {
  iif: incoming,
  iifname: incoming,
  oif: outgoing,
  oifname: outgoing,
  mark: () => ({ kind: 'mark', mask: 0xffffffff }),
  l4proto: () => plain('protocol', protocols),
  nfproto: ({ family }) => constant(NFPROTO[family]),
  protocol: ({ family }) => constant(ETHERTYPE[family]),
  pkttype: () => plain('packetType', named(PACKET_TYPES)),
  skuid: owner('uid'),
  skgid: owner('gid'),
};

const NEVER_TRUE: Operand = { kind: 'constant', is: () => undefined };

function payload(of: Json, context: NativeContext, text: string): Operand | undefined {
  const { protocol, field: name, base, offset, len } = objectOf(of);
  if (protocol === undefined)
    return base === 'th' && len === 16 && (offset === 0 || offset === 16)
      ? ports(offset === 0 ? 'sport' : 'dport')
      : undefined;
  return PAYLOADS[String(protocol)]?.(String(name), context, text);
}

/** Ports of any protocol that has them. */
const ports = (name: 'sport' | 'dport'): Operand => ({
  kind: 'field',
  field: name,
  given: anyOf(WITH_PORTS),
  read: numbers,
  rawPorts: true,
});

const anyOf = (of: readonly bigint[]): Predicate =>
  field('protocol', normalise(of.map((number): Range => [number, number])));

/** The header of another family: nft stops there. */
const OTHER_FAMILY: Operand = plain('state', () => [], NEVER);

type HeaderReader = (name: string, context: NativeContext, text: string) => Operand | undefined;

const portsOf =
  (protocol: bigint): HeaderReader =>
  (name) =>
    name === 'sport' || name === 'dport' ? plain(name, numbers, anyOf([protocol])) : undefined;

const addressesOf =
  (own: 'v4' | 'v6', protocolField: string): HeaderReader =>
  (name, { family }) => {
    if (family !== own) return OTHER_FAMILY;
    if (name === 'saddr') return plain('src', addresses(own));
    if (name === 'daddr') return plain('dst', addresses(own));
    return name === protocolField ? plain('protocol', protocols) : undefined;
  };

const icmpOf =
  (own: 'v4' | 'v6', protocol: bigint, types: { readonly [name: string]: number }): HeaderReader =>
  (name, { family }) => {
    if (family !== own) return OTHER_FAMILY;
    if (name === 'type') return plain('type', named(types), anyOf([protocol]));
    return name === 'code' ? plain('code', numbers, anyOf([protocol])) : undefined;
  };

/** Names of nft (src/proto.c), RFC 792. */
const ICMP_TYPES = {
  'echo-reply': 0,
  'destination-unreachable': 3,
  'source-quench': 4,
  redirect: 5,
  'echo-request': 8,
  'router-advertisement': 9,
  'router-solicitation': 10,
  'time-exceeded': 11,
  'parameter-problem': 12,
  'timestamp-request': 13,
  'timestamp-reply': 14,
  'info-request': 15,
  'info-reply': 16,
  'address-mask-request': 17,
  'address-mask-reply': 18,
};
/** RFC 4443, RFC 4861, RFC 2710. */
const ICMPV6_TYPES = {
  'destination-unreachable': 1,
  'packet-too-big': 2,
  'time-exceeded': 3,
  'parameter-problem': 4,
  'echo-request': 128,
  'echo-reply': 129,
  'mld-listener-query': 130,
  'mld-listener-report': 131,
  'mld-listener-done': 132,
  'mld-listener-reduction': 132,
  'nd-router-solicit': 133,
  'nd-router-advert': 134,
  'nd-neighbor-solicit': 135,
  'nd-neighbor-advert': 136,
  'nd-redirect': 137,
  'router-renumbering': 138,
  'ind-neighbor-solicit': 141,
  'ind-neighbor-advert': 142,
  'mld2-listener-report': 143,
};

const TCP_FLAG_NAMES = [...TCP_FLAGS.map((name) => name.toLowerCase()), 'ecn', 'cwr'];

const PAYLOADS: { readonly [protocol: string]: HeaderReader } = {
  ip: addressesOf('v4', 'protocol'),
  ip6: addressesOf('v6', 'nexthdr'),
  tcp: (name, context, text) =>
    name === 'flags'
      ? { kind: 'field', field: 'flags', given: anyOf([PROTOCOL.TCP]), read: numbers, bits: TCP_FLAG_NAMES }
      : portsOf(PROTOCOL.TCP)(name, context, text),
  udp: portsOf(PROTOCOL.UDP),
  sctp: portsOf(132n),
  dccp: portsOf(33n),
  udplite: portsOf(136n),
  th: (name) => (name === 'sport' || name === 'dport' ? ports(name) : undefined),
  icmp: icmpOf('v4', PROTOCOL.ICMP, ICMP_TYPES),
  icmpv6: icmpOf('v6', PROTOCOL.ICMPV6, ICMPV6_TYPES),
  ether: (name, { family }) => {
    if (name === 'type') return constant(ETHERTYPE[family]);
    return name === 'saddr' ? plain('mac', hardware, field('mac', between(0n, NO_MAC - 1n))) : undefined;
  },
  arp: () => NEVER_TRUE,
};

/** By their bits (NF_CT_STATE_BIT of nf_conntrack_common.h): their order is that of the names here. */
const STATE_NAMES = STATES.map((name) => name.toLowerCase());

function connection(of: Json, { native }: NativeContext, text: string): Operand | undefined {
  const { key } = objectOf(of);
  if (key === 'state' && native.family !== 'bridge')
    return { kind: 'field', field: 'state', given: ALWAYS, read: numbers, bits: STATE_NAMES };
  return unknown(text, key !== 'count');
}
