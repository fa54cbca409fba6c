/** Exact arithmetic on sets of addresses: what is left of some networks without others. */
import { ADDRESS_BITS, formatAddress, parseAddress, type Words } from '../lib/address.js';
import type { Family } from '../lib/family.js';

/** First and last address, as numbers. */
interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

/** The networks that make up `from` without `except`: as few as there can be, in the order of their addresses. */
export function subtract(
  from: readonly string[],
  except: readonly string[],
  family: Family,
): readonly string[] {
  const holes = except.map((cidr) => range(cidr, family));
  const untouched = from.filter((cidr) => {
    const { first, last } = range(cidr, family);
    return holes.every((hole) => hole.last < first || last < hole.first);
  });
  if (untouched.length === from.length) return from;
  return from.flatMap((cidr) => {
    const left = holes.reduce<readonly Range[]>(
      (parts, hole) => parts.flatMap((part) => without(part, hole)),
      [range(cidr, family)],
    );
    return left.flatMap((part) => networks(part, family));
  });
}

function range(cidr: string, family: Family): Range {
  const [address = '', length = String(ADDRESS_BITS[family])] = cidr.split('/');
  const words = parseAddress(address, family);
  if (words === undefined) throw new Error(`${cidr} is no ${family} network`);
  const size = 1n << BigInt(ADDRESS_BITS[family] - Number(length));
  const first = (number(words, family) / size) * size;
  return { first, last: first + size - 1n };
}

function without(part: Range, hole: Range): readonly Range[] {
  if (hole.last < part.first || part.last < hole.first) return [part];
  return [
    ...(part.first < hole.first ? [{ first: part.first, last: hole.first - 1n }] : []),
    ...(hole.last < part.last ? [{ first: hole.last + 1n, last: part.last }] : []),
  ];
}

/** The largest aligned networks that fill a range. */
function networks(part: Range, family: Family): readonly string[] {
  const bits = ADDRESS_BITS[family];
  const found: string[] = [];
  for (let { first } = part; first <= part.last; ) {
    let host = 0;
    while (
      host < bits &&
      first % (1n << BigInt(host + 1)) === 0n &&
      first + (1n << BigInt(host + 1)) - 1n <= part.last
    )
      host++;
    found.push(`${formatAddress(words(first, family), family)}/${bits - host}`);
    first += 1n << BigInt(host);
  }
  return found;
}

const WORD_BITS: { readonly [family in Family]: bigint } = { v4: 8n, v6: 16n };

const number = (parts: Words, family: Family): bigint =>
  parts.reduce((sum, word) => (sum << WORD_BITS[family]) | BigInt(word), 0n);

function words(value: bigint, family: Family): Words {
  const width = WORD_BITS[family];
  const count = ADDRESS_BITS[family] / Number(width);
  return Array.from({ length: count }, (_, index) =>
    Number((value >> (BigInt(count - 1 - index) * width)) & ((1n << width) - 1n)),
  );
}
