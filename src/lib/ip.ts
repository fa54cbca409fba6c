/**
 * IPv4 and IPv6 addresses and networks as numbers, and as iptables-save writes them (`inet_ntop` of glibc).
 */
import { FAMILIES, type Family } from './family.js';
import { bitLength, blocks, has, type Range, type Ranges } from './ranges.js';

/** An address and a mask, both as numbers; the mask may have holes, and the address bits beyond it. */
export interface Network {
  readonly address: bigint;
  readonly mask: bigint;
}

export const ADDRESS_BITS: { readonly [family in Family]: number } = { v4: 32, v6: 128 };

/** The first and the last address of each family. */
export const ALL_ADDRESSES: { readonly [family in Family]: Range } = {
  v4: [0n, (1n << 32n) - 1n],
  v6: [0n, (1n << 128n) - 1n],
};

/** The family of a text that is an address or a network. */
export const familyOf = (text: string): Family => (text.includes(':') ? 'v6' : 'v4');

/** `undefined` when the text is not an address of that family. Leading zeros are refused: iptables reads them as octal. */
export function parseAddress(text: string, family: Family): bigint | undefined {
  if (family === 'v6') return parseV6(text);
  const value = parseV4(text);
  return value === undefined ? undefined : BigInt(value);
}

/** Of some addresses those of the family. */
export const parseAddresses = (texts: readonly string[], family: Family): readonly bigint[] =>
  texts.map((text) => parseAddress(text, family)).filter((address) => address !== undefined);

/** `10.0.0.1`, `2001:db8::1`. */
export const formatAddress = (address: bigint, family: Family): string =>
  family === 'v4' ? formatV4(Number(address)) : formatV6(address);

/** A prefix length, or a mask written as an address, with holes if need be. */
export function parseMask(text: string, family: Family): bigint | undefined {
  if (!isDecimal(text)) return parseAddress(text, family);
  const length = Number(text);
  return length <= ADDRESS_BITS[family] ? prefixMask(length, family) : undefined;
}

/** `24`, or `255.0.255.0` for a mask with holes. */
export function formatMask(mask: bigint, family: Family): string {
  const length = prefixLength(mask, family);
  return length === undefined ? formatAddress(mask, family) : String(length);
}

/** @param length from 0 to the bits of the family's addresses */
export const prefixMask = (length: number, family: Family): bigint =>
  ALL_ADDRESSES[family][1] ^ ((1n << BigInt(ADDRESS_BITS[family] - length)) - 1n);

/** The prefix length, or `undefined` for a mask with holes. */
export function prefixLength(mask: bigint, family: Family): number | undefined {
  const free = ALL_ADDRESSES[family][1] ^ mask;
  return (free & (free + 1n)) === 0n ? ADDRESS_BITS[family] - bitLength(free) : undefined;
}

/** `10.1.2.3/8`, `2001:db8::/32`, `10.0.2.0/255.0.255.0`, or one address. */
export function parseNetwork(text: string, family: Family): Network | undefined {
  const slash = text.indexOf('/');
  const address = parseAddress(slash === -1 ? text : text.slice(0, slash), family);
  const mask = slash === -1 ? ALL_ADDRESSES[family][1] : parseMask(text.slice(slash + 1), family);
  return address === undefined || mask === undefined ? undefined : { address, mask };
}

/** More ranges than this are too many for a mask with holes. */
const MOST_RANGES = 4096;

/**
 * The addresses of a network (see {@link parseNetwork}): several ranges where the mask has holes. `undefined` when those
 * are too many, or when the text is not a network of the family.
 */
export function networkRanges(text: string, family: Family): Ranges | undefined {
  const network = parseNetwork(text, family);
  if (network === undefined) return undefined;
  const free = ALL_ADDRESSES[family][1] ^ network.mask;
  const base = network.address & network.mask;
  if ((free & (free + 1n)) === 0n) return [[base, base | free]];
  let low = 0n;
  while ((free & (1n << low)) !== 0n) low++;
  let starts: readonly bigint[] = [base];
  for (let bit = low; bit < BigInt(ADDRESS_BITS[family]); bit++) {
    if ((free & (1n << bit)) === 0n) continue;
    starts = starts.concat(starts.map((start) => start | (1n << bit)));
    if (starts.length > MOST_RANGES) return undefined;
  }
  return starts
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((start) => [start, start + (1n << low) - 1n] as const);
}

/** The fewest networks that hold exactly these addresses, each with its prefix length. */
export const networksText = (ranges: Ranges, family: Family): readonly string[] =>
  blocks(ranges).map(([start, bits]) => `${formatAddress(start, family)}/${ADDRESS_BITS[family] - bits}`);

/**
 * Whether an address is in a set of networks.
 * @param address of either family, as SSH_CONNECTION gives it: IPv4-mapped counts as IPv4, a zone is ignored
 */
export function includesAddress(
  networks: { readonly any: boolean; readonly v4: readonly string[]; readonly v6: readonly string[] },
  address: string,
): boolean {
  if (networks.any) return true;
  const bare = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  return FAMILIES.some((family) => {
    const value = parseAddress(bare, family);
    return (
      value !== undefined && networks[family].some((text) => has(networkRanges(text, family) ?? [], value))
    );
  });
}

const DOT = 46;

function parseV4(text: string): number | undefined {
  // Digit by digit: sets have 100,000 addresses.
  let [value, octet, digits, dots] = [0, 0, 0, 0];
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === DOT) {
      if (digits === 0 || ++dots > 3) return undefined;
      value = value * 256 + octet;
      octet = 0;
      digits = 0;
      continue;
    }
    if (code < 48 || code > 57 || (digits > 0 && octet === 0)) return undefined;
    octet = octet * 10 + code - 48;
    if (++digits > 3 || octet > 255) return undefined;
  }
  return digits > 0 && dots === 3 ? value * 256 + octet : undefined;
}

function isDecimal(text: string): boolean {
  if (text.length === 0 || (text.length > 1 && text.charCodeAt(0) === 48)) return false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 48 || code > 57) return false;
  }
  return true;
}

function parseV6(text: string): bigint | undefined {
  const gap = text.indexOf('::');
  if (gap !== -1 && text.indexOf('::', gap + 1) !== -1) return undefined;
  const head = parseGroups(gap === -1 ? text : text.slice(0, gap), gap === -1);
  const tail = gap === -1 ? [] : parseGroups(text.slice(gap + 2), true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (gap === -1 ? missing !== 0 : missing < 1) return undefined;
  return join(tail, join(head, 0n) << BigInt(missing * 16));
}

const join = (groups: readonly number[], first: bigint): bigint =>
  groups.reduce((address, group) => (address << 16n) | BigInt(group), first);

/** Colon-separated groups; the last may be a dotted IPv4 address when it ends the text. */
function parseGroups(text: string, last: boolean): readonly number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (part.includes('.')) {
      const v4 = last && index === parts.length - 1 ? parseV4(part) : undefined;
      if (v4 === undefined) return undefined;
      groups.push(Math.floor(v4 / 65536), v4 % 65536);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

const formatV4 = (value: number): string =>
  `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;

/** Several times as fast as shifting an address eight times; holds nothing between calls. */
const BYTES = new DataView(new ArrayBuffer(16));
const GROUP_OFFSETS = [0, 2, 4, 6, 8, 10, 12, 14];

/** RFC 5952 with glibc's two exceptions: `::a.b.c.d` and `::ffff:a.b.c.d` keep their dots. */
function formatV6(address: bigint): string {
  BYTES.setBigUint64(0, address >> 64n);
  BYTES.setBigUint64(8, address);
  const groups = GROUP_OFFSETS.map((offset) => BYTES.getUint16(offset));
  const { start, length } = longestZeroRun(groups);
  const isMapped = length === 5 && groups[5] === 0xffff;
  if (start === 0 && (length === 6 || isMapped))
    return `${isMapped ? '::ffff:' : '::'}${formatV4(Number(address & 0xffff_ffffn))}`;
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  return length < 2 ? hex(groups) : `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

function longestZeroRun(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: -1, length: 0 };
  let start = -1;
  for (let index = 0; index <= groups.length; index++) {
    if (groups[index] === 0) {
      if (start === -1) start = index;
    } else if (start !== -1) {
      if (index - start > best.length) best = { start, length: index - start };
      start = -1;
    }
  }
  return best;
}
