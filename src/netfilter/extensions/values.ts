/**
 * The kinds of values that options take, each turning any accepted spelling into the canonical one. Canonical values
 * are regular, so that they can be read again with a split:
 *
 * | kind | canonical |
 * | --- | --- |
 * | integer | decimal without leading zeros |
 * | hex, mark | lower case `0x…`; a mask as `/0x…` unless it is all ones |
 * | port, ports | `22`, `1024:65535`; a list joined by `,` in the order given |
 * | address | `10.0.0.1`, `2001:db8::1`; a range `a-b`; a network `10.0.0.0/8`, without `/32` and `/128` |
 * | names | upper case, joined by `,` in the kernel's order |
 */

import type { Family } from '../../lib/family.js';
import {
  ADDRESS_BITS,
  ALL_ADDRESSES,
  formatAddress,
  formatMask,
  type Network,
  parseAddress,
  parseMask,
  parseNetwork,
  prefixLength,
} from '../../lib/ip.js';
import { quote } from '../text/tokens.js';
import { protocolNumber } from './protocols.js';
import { isRefusal, type Refusal, refuse, type ValueContext, type ValueType } from './row.js';
import { servicePort } from './services.js';

type Examples = readonly string[] | { readonly [family in Family]: readonly string[] };

/** A kind of value from its parser and accepted spellings, the same for both families or one list each. */
export const kind = (
  examples: Examples,
  parse: (text: string, context: ValueContext) => string | Refusal,
): ValueType => ({ parse, examples: 'v4' in examples ? examples : { v4: examples, v6: examples } });

/** A non-negative integer as `strtoul` with base 0 reads it: decimal, `0x` hexadecimal or `0` octal. */
export function parseInteger(text: string): bigint | undefined {
  if (/^(0|[1-9]\d*)$/.test(text)) return BigInt(text);
  if (/^0x[0-9a-f]+$/i.test(text)) return BigInt(text);
  if (/^0[0-7]+$/.test(text)) return BigInt(`0o${text.slice(1)}`);
  return undefined;
}

/** A number that {@link parseInteger} reads, within limits. */
export function parseWithin(text: string, least: bigint, most: bigint): bigint | Refusal {
  const value = parseInteger(text);
  return value === undefined || value < least || value > most
    ? refuse(`takes a whole number from ${least} to ${most}, not "${text}"`)
    : value;
}

export const U32 = 0xffff_ffffn;
export const U64 = 0xffff_ffff_ffff_ffffn;

/** A number from `least` to `most`. */
export function integer(most: bigint | number, least: bigint | number = 0): ValueType {
  const [low, high] = [BigInt(least), BigInt(most)];
  const examples = [low, high, (low + high) / 3n].map(String);
  return kind([...examples, `0x${(high / 2n).toString(16)}`], (text) => {
    const value = parseWithin(text, low, high);
    return isRefusal(value) ? value : String(value);
  });
}

export const u8 = integer(255);
export const u16 = integer(65535);
export const u32 = integer(U32);
export const u64 = integer(U64);

/** Printed in hexadecimal, padded to `digits`. */
export const hex = (most: bigint, digits = 1): ValueType =>
  kind(['0', `0x${most.toString(16)}`, '7'], (text) => {
    const value = parseWithin(text, 0n, most);
    return isRefusal(value) ? value : formatHex(value, digits);
  });

/** `0x1f`, with zeros before it up to `digits`. */
export const formatHex = (value: bigint, digits = 1): string =>
  `0x${value.toString(16).padStart(digits, '0')}`;

/** `from:to` of integers, or one number; an open end becomes the limit. */
export function range(most: bigint, separator = ':'): ValueType {
  const examples = ['1', `2${separator}9`, `${separator}7`, `3${separator}`, `5${separator}5`];
  return kind(examples, (text) => {
    const ends = parseEnds(text, most, separator);
    if (isRefusal(ends)) return ends;
    const [from, to] = ends;
    if (from > to) return refuse(`takes a range from low to high, not "${text}"`);
    return from === to ? String(from) : `${from}${separator}${to}`;
  });
}

/** Both ends of `a`, `a:b`, `a:` or `:b`. */
export function parseEnds(text: string, most: bigint, separator = ':'): readonly [bigint, bigint] | Refusal {
  const parts = text.split(separator);
  if (parts.length > 2) return refuse(`takes a number or a range, not "${text}"`);
  const ends = parts.map((part, index) =>
    part === '' && parts.length === 2 ? (index === 0 ? 0n : most) : parseWithin(part, 0n, most),
  );
  const refusal = ends.find(isRefusal);
  if (refusal !== undefined) return refusal;
  const [from = 0n, to = from] = ends as bigint[];
  return [from, to];
}

/** Free text, at most `most` bytes and at least `least`. */
export const string = (most: number, least = 0): ValueType => ({
  print: quote,
  examples: { v4: ['plain', 'two words', `it's "q" \\ done`, 'a:b'], v6: ['plain', 'two words', 'x/y'] },
  parse: (text) => sized(text, most, least),
});

/** A name that is printed without quotes. */
export const word = (most: number, least = 1, examples: readonly string[] = ['name', 'a-b_c.1']): ValueType =>
  kind(examples, (text) =>
    /[\s"]/.test(text)
      ? refuse(`takes a name without spaces and quotes, not "${text}"`)
      : sized(text, most, least),
  );

function sized(text: string, most: number, least: number): string | Refusal {
  const bytes = Buffer.byteLength(text);
  if (bytes < least) return refuse('takes a non-empty text');
  if (bytes <= most) return text;
  return refuse(
    `takes at most ${most} bytes and this has ${bytes}`,
    'Shorten it: iptables truncates it silently.',
  );
}

/** One of a list of names; `accepts` maps other spellings (lower case) to them. */
export const oneOf = (names: readonly string[], accepts: Readonly<Record<string, string>> = {}): ValueType =>
  kind([...names, ...Object.keys(accepts)], (text) => {
    const found =
      names.find((name) => name.toLowerCase() === text.toLowerCase()) ?? accepts[text.toLowerCase()];
    return found ?? refuse(`does not accept "${text}"`, `Write one of ${names.join(', ')}.`);
  });

/** One of a list of names, compared with case. */
export const exactly = (...names: readonly string[]): ValueType =>
  kind(names, (text) =>
    names.includes(text) ? text : refuse(`does not accept "${text}"`, `Write one of ${names.join(', ')}.`),
  );

/** A list of flags, printed once each in the kernel's order; names may be abbreviated. */
export const flags = (names: readonly string[], none?: string): ValueType =>
  kind([...names, names.toReversed().join(','), (names[0] ?? '').toLowerCase()], (text) => {
    const chosen = new Set<string>();
    for (const part of text.split(',')) {
      const lower = part.toLowerCase();
      if (none !== undefined && lower !== '' && none.toLowerCase().startsWith(lower)) continue;
      const name =
        part === '' ? undefined : names.find((candidate) => candidate.toLowerCase().startsWith(lower));
      if (name === undefined)
        return refuse(
          `does not accept "${part}"`,
          `Write names of ${names.join(', ')}, with commas and no spaces.`,
        );
      chosen.add(name);
    }
    return names.filter((name) => chosen.has(name)).join(',') || (none ?? '');
  });

/** A port number, or the name of a service of the protocol. */
export function parsePort(text: string, protocol: string | undefined): bigint | Refusal {
  if (/^0\d/.test(text)) return refuse(`takes a port without leading zeros, not "${text}"`);
  const value = parseInteger(text);
  if (value !== undefined && value <= 65535n) return value;
  const known = value === undefined ? servicePort(text, protocol) : undefined;
  if (known !== undefined) return BigInt(known);
  return refuse(
    value === undefined
      ? `does not accept the service "${text}"`
      : `takes a port from 0 to 65535, not "${text}"`,
    value === undefined ? 'Write the port number: service names differ from host to host.' : undefined,
  );
}

function parsePorts(
  text: string,
  protocol: string | undefined,
  separator = ':',
): readonly [bigint, bigint] | Refusal {
  const cut = text.indexOf(separator);
  if (cut === -1) {
    const port = parsePort(text, protocol);
    return isRefusal(port) ? port : [port, port];
  }
  const from = cut === 0 ? 0n : parsePort(text.slice(0, cut), protocol);
  const to = cut === text.length - 1 ? 65535n : parsePort(text.slice(cut + 1), protocol);
  if (isRefusal(from)) return from;
  if (isRefusal(to)) return to;
  return from > to ? refuse(`takes a range from low to high, not "${text}"`) : [from, to];
}

const PORT_EXAMPLES = ['22', '1024:65535', ':1023', '8000:', '7:7'];

/** Examples of names and numbers for the protocol. */
const portExamples = (protocol?: string): readonly string[] =>
  ({ tcp: [...PORT_EXAMPLES, 'http', 'ssh:http', '0x50'], sctp: [...PORT_EXAMPLES, 'amqp'] })[
    protocol ?? ''
  ] ?? [...PORT_EXAMPLES, 'domain'];

/** `22`, `1024:65535`. With a protocol only its service names count; without, any, but then no hexadecimal numbers. */
export const portRange = (protocol?: string): ValueType =>
  kind(portExamples(protocol), (text) => {
    if (protocol === undefined && /0x/i.test(text)) return refuse(`takes decimal numbers, not "${text}"`);
    const ends = parsePorts(text, protocol);
    if (isRefusal(ends)) return ends;
    return ends[0] === ends[1] ? String(ends[0]) : `${ends[0]}:${ends[1]}`;
  });

export const protocol: ValueType = kind(['tcp', '17', 'ICMP', 'gre'], (text) => {
  const number = protocolNumber(text);
  return number === undefined ? unknownProtocol(text) : String(number);
});

const unknownProtocol = (text: string): Refusal =>
  refuse(`does not accept the protocol "${text}"`, 'Write its number, from 0 to 255.');

export { protocolNumber };

const NO_ADDRESS: { readonly [family in Family]: string } = {
  v4: 'Write it as a.b.c.d in decimal without leading zeros; names are not resolved.',
  v6: 'Write it in full or with one "::"; names are not resolved.',
};

/** The refusal of an address. */
export const noAddress = (text: string, family: Family): Refusal =>
  refuse(`takes an IP${family} address, not "${text}"`, NO_ADDRESS[family]);

const HOSTS: { readonly [family in Family]: readonly string[] } = {
  v4: ['10.1.2.3', '192.0.2.255', '0.0.0.0'],
  v6: ['2001:DB8:0:0:0::1', '::ffff:1.2.3.4', 'fe80::1', '::'],
};

/** A single address. */
export const host: ValueType = kind(HOSTS, (text, { family }) => {
  const address = parseAddress(text, family);
  return address === undefined ? noAddress(text, family) : formatAddress(address, family);
});

/** `address/mask`, the host's bits cleared when `clear`; a full mask is omitted. */
export const network = (clear: boolean): ValueType =>
  kind(
    {
      v4: ['10.1.2.3', '10.1.2.3/8', '192.0.2.0/255.255.255.0', '0.0.0.0/0'],
      v6: ['2001:db8::1', '2001:db8::/32', 'fe80::/10'],
    },
    (text, { family }) => {
      const network = networkValue(text, family);
      if (isRefusal(network)) return network;
      const { address, mask } = network;
      const written = formatAddress(clear ? address & mask : address, family);
      return mask === ALL_ADDRESSES[family][1] ? written : `${written}/${formatMask(mask, family)}`;
    },
  );

/** A network, or what is wrong with the text. */
export function networkValue(text: string, family: Family): Network | Refusal {
  const network = parseNetwork(text, family);
  if (network !== undefined) return network;
  const [address = ''] = text.split('/', 1);
  return parseAddress(address, family) === undefined
    ? noAddress(address, family)
    : refuse(
        `has an invalid mask in "${text}"`,
        `Write a prefix length from 0 to ${ADDRESS_BITS[family]} or a mask as an address.`,
      );
}

/** `10.1.2.3/8` → `10.0.0.0/8`: host bits cleared, the mask always written. */
export function canonicalNetwork(text: string, family: Family): string | Refusal {
  const network = networkValue(text, family);
  if (isRefusal(network)) return network;
  const { address, mask } = network;
  return `${formatAddress(address & mask, family)}/${formatMask(mask, family)}`;
}

export const prefix: ValueType = kind(
  { v4: ['0', '24', '32'], v6: ['0', '64', '128'] },
  (text, { family }) => {
    const mask = parseMask(text, family);
    const length = mask === undefined ? undefined : prefixLength(mask, family);
    return length === undefined ? refuse(`takes a prefix length, not "${text}"`) : String(length);
  },
);

/** `value/mask` of 32 bits, the mask omitted when it is all ones. */
export const mark: ValueType = kind(['5', '0x10/0xff', '0xffffffff', '7/7'], (text) => {
  const parsed = parseMark(text);
  return isRefusal(parsed) ? parsed : formatMark(parsed[0], parsed[1]);
});

/** A mark whose mask is always printed. */
export const fullMark: ValueType = kind(['5', '0x10/0xff'], (text) => {
  const parsed = parseMark(text);
  return isRefusal(parsed) ? parsed : `${formatHex(parsed[0])}/${formatHex(parsed[1])}`;
});

/** `value/mask` of 32 bits; the default mask is all ones. */
export function parseMark(text: string): readonly [bigint, bigint] | Refusal {
  const cut = text.indexOf('/');
  const value = parseWithin(cut === -1 ? text : text.slice(0, cut), 0n, U32);
  const mask = cut === -1 ? U32 : parseWithin(text.slice(cut + 1), 0n, U32);
  if (isRefusal(value)) return value;
  return isRefusal(mask) ? mask : [value, mask];
}

const formatMark = (value: bigint, mask: bigint): string =>
  mask === U32 ? formatHex(value) : `${formatHex(value)}/${formatHex(mask)}`;

export const mac: ValueType = kind(['00:16:3E:00:00:01', '0:1:2:a:b:c'], (text) => {
  const parts = text.split(':');
  if (parts.length !== 6 || !parts.every((part) => /^[0-9a-f]{1,2}$/i.test(part)))
    return refuse(`takes a MAC address of six bytes, not "${text}"`);
  return parts.map((part) => part.toLowerCase().padStart(2, '0')).join(':');
});

/** An interface name of at most 15 bytes; a trailing `+` matches every name that starts so. */
export const interfaceName: ValueType = kind(['eth0', 'br-+', 'wlan0.10'], (text) => {
  if (text === '') return refuse('takes a non-empty interface name');
  return /[\s/"]/.test(text)
    ? refuse(`takes an interface name without spaces and slashes, not "${text}"`)
    : sized(text, 15, 1);
});
