/** Sets of numbers as sorted, disjoint, non-adjacent ranges with both ends included. */
/** The first and the last number. */
export type Range = readonly [bigint, bigint];
export type Ranges = readonly Range[];

const NOTHING: Ranges = [];

/** One number. */
export const one = (value: bigint): Ranges => [[value, value]];
/** All numbers from one to another; nothing when `from` is above `to`. */
export const between = (from: bigint, to: bigint): Ranges => (from > to ? NOTHING : [[from, to]]);
/** These numbers, in any order. */
export const ofValues = (values: readonly bigint[]): Ranges =>
  normalise(values.map((value) => [value, value] as const));

/** Sorts, and joins ranges that overlap or touch. */
export function normalise(ranges: readonly Range[]): Ranges {
  if (ranges.length < 2) return ranges;
  const sorted = ranges.toSorted((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  const joined: [bigint, bigint][] = [];
  for (const [from, to] of sorted) {
    const last = joined.at(-1);
    if (last !== undefined && from <= last[1] + 1n) {
      if (to > last[1]) last[1] = to;
    } else joined.push([from, to]);
  }
  return joined;
}

/** The numbers in any of the sets. */
export const union = (...sets: readonly Ranges[]): Ranges => unionOf(sets);
/** {@link union} of a list, which may be longer than a call can have arguments. */
export const unionOf = (sets: readonly Ranges[]): Ranges => normalise(sets.flat());

/** The numbers of `within` that are not in `ranges`. */
export function subtract(within: Ranges, ranges: Ranges): Ranges {
  const rest: Range[] = [];
  let index = 0;
  for (const [from, to] of within) {
    let next = from;
    while (index < ranges.length && (ranges[index]?.[1] ?? 0n) < from) index++;
    for (let at = index; at < ranges.length; at++) {
      const [low, high] = ranges[at] as Range;
      if (low > to) break;
      if (low > next) rest.push([next, low - 1n]);
      if (high >= next) next = high + 1n;
    }
    if (next <= to) rest.push([next, to]);
  }
  return rest;
}

/** The numbers in both sets. */
export const intersect = (a: Ranges, b: Ranges): Ranges => subtract(a, subtract(a, b));

/** Whether the set has no number. */
export const isEmpty = (ranges: Ranges): boolean => ranges.length === 0;

/** Whether both sets have the same numbers. */
export const equalRanges = (a: Ranges, b: Ranges): boolean =>
  a.length === b.length && a.every(([from, to], index) => from === b[index]?.[0] && to === b[index]?.[1]);

/** Whether the number is in the set. */
export function has(ranges: Ranges, value: bigint): boolean {
  let [low, high] = [0, ranges.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const [from, to] = ranges[middle] as Range;
    if (value < from) high = middle - 1;
    else if (value > to) low = middle + 1;
    else return true;
  }
  return false;
}

/** How many numbers the set has. */
export const sizeOf = (ranges: Ranges): bigint =>
  ranges.reduce((sum, [from, to]) => sum + to - from + 1n, 0n);

/** The fewest aligned blocks of powers of two: `[first value, number of free low bits]`. */
export function blocks(ranges: Ranges): readonly (readonly [bigint, number])[] {
  const found: (readonly [bigint, number])[] = [];
  for (const [from, to] of ranges) {
    let next = from;
    while (next <= to) {
      const bits = Math.min(lowZeros(next), bitLength(to - next + 1n) - 1);
      found.push([next, bits]);
      next += 1n << BigInt(bits);
    }
  }
  return found;
}

/** How many binary digits a number has: 0 for 0. */
export function bitLength(value: bigint): number {
  const hex = value.toString(16);
  return hex.length * 4 - (Math.clz32(Number.parseInt(hex.charAt(0), 16)) - 28);
}

/** How many of its low binary digits are 0. */
const lowZeros = (value: bigint): number =>
  value === 0n ? Number.POSITIVE_INFINITY : bitLength(value & -value) - 1;
