/** Sets of addresses of both families: what a text means, union, difference, and the one way in which a set is written. */
import { isIP } from 'node:net';
import { ADDRESS_BITS, formatAddress, parseAddress, parseMask, prefixLength } from '../lib/address.js';
import type { Family } from '../lib/family.js';
import type { AddressSet } from './fleet.js';

/** First and last address, both included. */
export type Range = readonly [first: bigint, last: bigint];

export interface Ranges {
  readonly v4: readonly Range[];
  readonly v6: readonly Range[];
}

export const NOTHING: Ranges = { v4: [], v6: [] };
const LAST: { readonly [family in Family]: bigint } = { v4: 2n ** 32n - 1n, v6: 2n ** 128n - 1n };
export const EVERYTHING: Ranges = { v4: [[0n, LAST.v4]], v6: [[0n, LAST.v6]] };

export const ANY: AddressSet = { names: ['any'], any: true, v4: [], v6: [] };

export interface Refused {
  readonly id: 'bad-address' | 'bad-cidr' | 'zone-id' | 'host-bits';
  readonly message: string;
  readonly hint?: string;
}

export interface Network {
  readonly family: Family;
  readonly range: Range;
}

const WIDTH: { readonly [family in Family]: bigint } = { v4: 8n, v6: 16n };

function toNumber(text: string, family: Family): bigint {
  let number = 0n;
  for (const word of parseAddress(text, family) ?? []) number = (number << WIDTH[family]) | BigInt(word);
  return number;
}

function toText(number: bigint, family: Family): string {
  const count = ADDRESS_BITS[family] / Number(WIDTH[family]);
  const mask = 2n ** WIDTH[family] - 1n;
  const words = Array.from({ length: count }, (_, index) =>
    Number((number >> (WIDTH[family] * BigInt(count - 1 - index))) & mask),
  );
  return formatAddress(words, family);
}

/**
 * One address, as iptables writes it. Octal, hexadecimal and short forms are refused: programs disagree about what
 * they mean.
 */
export function readAddress(text: string): { readonly family: Family; readonly text: string } | Refused {
  if (text.includes('%'))
    return {
      id: 'zone-id',
      message: `"${text}" has a zone.`,
      hint: 'Name an interface with in: or out: instead.',
    };
  const family = isIP(text) === 4 ? 'v4' : isIP(text) === 6 ? 'v6' : undefined;
  const words = family && parseAddress(text, family);
  if (family === undefined || words === undefined)
    return {
      id: 'bad-address',
      message: `"${text}" is no IP address.`,
      ...(text !== text.trim()
        ? { hint: 'Remove the spaces around it.' }
        : /(^|\.)0\d/.test(text)
          ? { hint: 'Write its numbers without leading zeros.' }
          : {}),
    };
  const canonical = formatAddress(words, family);
  if (canonical.startsWith('::ffff:'))
    return {
      id: 'bad-address',
      message: `"${text}" is an IPv4 address in IPv6 clothes, which no packet carries.`,
      hint: `Write ${canonical.slice(7)}.`,
    };
  return { family, text: canonical };
}

/** One address or a network in CIDR form, without bits beyond its prefix. */
export function readNetwork(text: string): Network | Refused {
  const cut = text.indexOf('/');
  const address = readAddress(cut === -1 ? text : text.slice(0, cut));
  if ('id' in address) return address;
  const { family } = address;
  const bits = ADDRESS_BITS[family];
  const first = toNumber(address.text, family);
  if (cut === -1) return { family, range: [first, first] };
  const suffix = text.slice(cut + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(suffix) || Number(suffix) > bits) {
    const mask = isIP(suffix) === 0 ? undefined : parseMask(suffix, family);
    const length = mask && prefixLength(mask, family);
    return {
      id: 'bad-cidr',
      message: `"/${suffix}" is no prefix length.`,
      hint: length === undefined ? `Write a number from 0 to ${bits}.` : `Write ${address.text}/${length}.`,
    };
  }
  const size = 1n << BigInt(bits - Number(suffix));
  const base = first - (first % size);
  if (base !== first)
    return {
      id: 'host-bits',
      message: `${text} has bits set beyond its prefix.`,
      hint: `Write ${toText(base, family)}/${suffix} for the network, or ${address.text} for the one address.`,
    };
  return { family, range: [base, base + size - 1n] };
}

/** Sorted, without overlaps, neighbours joined. */
export function unite(ranges: readonly Range[]): readonly Range[] {
  const sorted = ranges.toSorted((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  const joined: [bigint, bigint][] = [];
  for (const [first, last] of sorted) {
    const before = joined[joined.length - 1];
    if (before !== undefined && first <= before[1] + 1n) {
      if (last > before[1]) before[1] = last;
    } else joined.push([first, last]);
  }
  return joined;
}

/** What of `ranges` is not in `taken`; both sorted as `unite` leaves them. */
function without(ranges: readonly Range[], taken: readonly Range[]): readonly Range[] {
  const rest: Range[] = [];
  let next = 0;
  for (const [first, last] of ranges) {
    let from = first;
    while ((taken[next]?.[1] ?? from) < from) next++;
    for (let index = next; index < taken.length; index++) {
      const [cutFirst, cutLast] = taken[index] as Range;
      if (cutFirst > last) break;
      if (cutFirst > from) rest.push([from, cutFirst - 1n]);
      if (cutLast + 1n > from) from = cutLast + 1n;
    }
    if (from <= last) rest.push([from, last]);
  }
  return rest;
}

export const uniteRanges = (all: readonly Ranges[]): Ranges => ({
  v4: unite(all.flatMap(({ v4 }) => v4)),
  v6: unite(all.flatMap(({ v6 }) => v6)),
});

export const subtractRanges = (a: Ranges, b: Ranges): Ranges => ({
  v4: without(a.v4, b.v4),
  v6: without(a.v6, b.v6),
});

/** The fewest CIDR blocks that are exactly these ranges. */
function blocks(ranges: readonly Range[], family: Family): readonly string[] {
  const found: string[] = [];
  for (const [first, last] of ranges) {
    let from = first;
    while (from <= last) {
      let length = ADDRESS_BITS[family];
      let size = 1n;
      while (length > 0 && from % (size * 2n) === 0n && from + size * 2n - 1n <= last) {
        size *= 2n;
        length--;
      }
      found.push(`${toText(from, family)}/${length}`);
      from += size;
    }
  }
  return found;
}

const isAll = (ranges: readonly Range[], family: Family): boolean =>
  ranges.length === 1 && ranges[0]?.[0] === 0n && ranges[0][1] === LAST[family];

/** The set in its canonical form. */
export const toSet = (names: readonly string[], ranges: Ranges): AddressSet =>
  isAll(ranges.v4, 'v4') && isAll(ranges.v6, 'v6')
    ? { names, any: true, v4: [], v6: [] }
    : { names, any: false, v4: blocks(ranges.v4, 'v4'), v6: blocks(ranges.v6, 'v6') };

const KNOWN = new WeakMap<AddressSet, Ranges>();

export function toRanges(set: AddressSet): Ranges {
  const known = KNOWN.get(set) ?? readRanges(set);
  KNOWN.set(set, known);
  return known;
}

function readRanges({ any, v4, v6 }: AddressSet): Ranges {
  if (any) return EVERYTHING;
  const read = (texts: readonly string[]): readonly Range[] =>
    texts.flatMap((text) => {
      const network = readNetwork(text);
      return 'id' in network ? [] : [network.range];
    });
  return { v4: read(v4), v6: read(v6) };
}

/** `a` without the addresses of `b`; it keeps the names of `a`. */
export const subtract = (a: AddressSet, b: AddressSet): AddressSet =>
  toSet(a.names, subtractRanges(toRanges(a), toRanges(b)));

/** Whether every address of `a` is in `b`. */
export function isWithin(a: AddressSet, b: AddressSet): boolean {
  if (b.any) return true;
  const rest = subtractRanges(toRanges(a), toRanges(b));
  return rest.v4.length === 0 && rest.v6.length === 0;
}

/** The families of which the set has addresses. */
export const familiesOf = ({ any, v4, v6 }: AddressSet): readonly Family[] => [
  ...(any || v4.length > 0 ? (['v4'] as const) : []),
  ...(any || v6.length > 0 ? (['v6'] as const) : []),
];
