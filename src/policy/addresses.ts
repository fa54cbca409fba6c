/** Addresses and networks as the policy writes them, and sets of addresses of both families. */
import type { Family } from '../lib/family.js';
import {
  ADDRESS_BITS,
  ALL_ADDRESSES,
  familyOf,
  formatAddress,
  networkRanges,
  networksText,
  parseAddress,
  parseMask,
  prefixLength,
} from '../lib/ip.js';
import type { Problem } from '../lib/problem.js';
import { isEmpty, normalise, type Range, type Ranges, subtract as subtractOne } from '../lib/ranges.js';
import type { AddressSet } from './fleet.js';

/** Addresses as numbers, by family. */
export type FamilyRanges = { readonly [family in Family]: Ranges };

export const EVERYTHING: FamilyRanges = { v4: [ALL_ADDRESSES.v4], v6: [ALL_ADDRESSES.v6] };

/** Every address of both families. */
export const ANY: AddressSet = { names: ['any'], any: true, v4: [], v6: [] };

/** Why a text is invalid. */
export type Invalid = Pick<Problem, 'id' | 'message' | 'hint'>;

export interface Network {
  readonly family: Family;
  readonly range: Range;
}

/**
 * Parses one address. Octal, hexadecimal and short forms are errors: programs disagree about their meaning.
 * @returns the address as iptables writes it, and as a number
 */
export function readAddress(
  text: string,
): { readonly family: Family; readonly text: string; readonly value: bigint } | Invalid {
  if (text.includes('%'))
    return {
      id: 'zone-id',
      message: `"${text}" has a zone ID.`,
      hint: 'Use "in" or "out" for the interface.',
    };
  const family = familyOf(text);
  const value = parseAddress(text, family);
  if (value === undefined)
    return {
      id: 'bad-address',
      message: `"${text}" is not a valid IP address.`,
      hint:
        text !== text.trim()
          ? 'Remove the spaces around it.'
          : /(^|\.)0\d/.test(text)
            ? 'Remove the leading zeros of its numbers.'
            : undefined,
    };
  const canonical = formatAddress(value, family);
  if (canonical.startsWith('::ffff:'))
    return {
      id: 'bad-address',
      message: `"${text}" is an IPv4-mapped IPv6 address, which no packet carries.`,
      hint: `Write ${canonical.slice(7)}.`,
    };
  return { family, text: canonical, value };
}

/** Parses one address, or a network in CIDR form without host bits. */
export function readNetwork(text: string): Network | Invalid {
  const cut = text.indexOf('/');
  const address = readAddress(cut === -1 ? text : text.slice(0, cut));
  if ('id' in address) return address;
  const { family, value: first } = address;
  const bits = ADDRESS_BITS[family];
  if (cut === -1) return { family, range: [first, first] };
  const suffix = text.slice(cut + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(suffix) || Number(suffix) > bits) {
    const mask = parseMask(suffix, family);
    const length = mask === undefined ? undefined : prefixLength(mask, family);
    return {
      id: 'bad-cidr',
      message: `"/${suffix}" is not a valid prefix length.`,
      hint: length === undefined ? `Write a number from 0 to ${bits}.` : `Write ${address.text}/${length}.`,
    };
  }
  const size = 1n << BigInt(bits - Number(suffix));
  const base = first - (first % size);
  if (base !== first)
    return {
      id: 'host-bits',
      message: `${text} has host bits set.`,
      hint: `Write ${formatAddress(base, family)}/${suffix} for the network, or ${address.text} for the single address.`,
    };
  return { family, range: [base, base + size - 1n] };
}

/** The addresses of several networks in the form of {@link readNetwork}; invalid texts are ignored. */
export function rangesOf(texts: readonly string[]): FamilyRanges {
  const found: { readonly [family in Family]: Range[] } = { v4: [], v6: [] };
  for (const text of texts) {
    const network = readNetwork(text);
    if (!('id' in network)) found[network.family].push(network.range);
  }
  return { v4: normalise(found.v4), v6: normalise(found.v6) };
}

/** The union of several sets. */
export const uniteRanges = (all: readonly FamilyRanges[]): FamilyRanges => ({
  v4: normalise(all.flatMap(({ v4 }) => v4)),
  v6: normalise(all.flatMap(({ v6 }) => v6)),
});

/** The addresses of `a` that are not in `b`. */
export const subtractRanges = (a: FamilyRanges, b: FamilyRanges): FamilyRanges => ({
  v4: subtractOne(a.v4, b.v4),
  v6: subtractOne(a.v6, b.v6),
});

const isAll = (ranges: Ranges, family: Family): boolean =>
  ranges.length === 1 && ranges[0]?.[0] === 0n && ranges[0][1] === ALL_ADDRESSES[family][1];

/** The addresses as a set in canonical form: `any`, or the fewest CIDR blocks. */
export const toSet = (names: readonly string[], { v4, v6 }: FamilyRanges): AddressSet =>
  isAll(v4, 'v4') && isAll(v6, 'v6')
    ? { names, any: true, v4: [], v6: [] }
    : { names, any: false, v4: networksText(v4, 'v4'), v6: networksText(v6, 'v6') };

const KNOWN = new WeakMap<AddressSet, FamilyRanges>();

/** The addresses of a set as numbers. */
export function toRanges(set: AddressSet): FamilyRanges {
  const known = KNOWN.get(set) ?? (set.any ? EVERYTHING : { v4: read(set, 'v4'), v6: read(set, 'v6') });
  KNOWN.set(set, known);
  return known;
}

const read = (set: AddressSet, family: Family): Ranges =>
  normalise(set[family].flatMap((text) => networkRanges(text, family) ?? []));

/** `a` without the addresses of `b`, with the names of `a`. */
export const subtract = (a: AddressSet, b: AddressSet): AddressSet =>
  toSet(a.names, subtractRanges(toRanges(a), toRanges(b)));

/** Whether every address of `a` is in `b`. */
export function isWithin(a: AddressSet, b: AddressSet): boolean {
  if (b.any) return true;
  const rest = subtractRanges(toRanges(a), toRanges(b));
  return isEmpty(rest.v4) && isEmpty(rest.v6);
}

/** The families of which the set has addresses. */
export const familiesOf = ({ any, v4, v6 }: AddressSet): readonly Family[] => [
  ...(any || v4.length > 0 ? (['v4'] as const) : []),
  ...(any || v6.length > 0 ? (['v6'] as const) : []),
];
