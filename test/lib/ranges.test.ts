import fc from 'fast-check';
import {
  blocks,
  has,
  intersect,
  normalise,
  type Range,
  sizeOf,
  subtract,
  union,
} from '../../src/lib/ranges.js';

const range = fc
  .tuple(fc.bigInt({ min: 0n, max: 63n }), fc.bigInt({ min: 0n, max: 63n }))
  .map(([a, b]): Range => (a < b ? [a, b] : [b, a]));
const ranges = fc.array(range, { maxLength: 6 }).map(normalise);
const values = Array.from({ length: 64 }, (_, value) => BigInt(value));

test('sets behave as sets', () => {
  fc.assert(
    fc.property(ranges, ranges, (a, b) => {
      for (const value of values) {
        const [inA, inB] = [has(a, value), has(b, value)];
        expect(has(union(a, b), value)).toBe(inA || inB);
        expect(has(subtract(a, b), value)).toBe(inA && !inB);
        expect(has(intersect(a, b), value)).toBe(inA && inB);
      }
    }),
  );
});

test('blocks are as large as they can be', () => {
  expect(blocks([[0n, (1n << 128n) - 1n]])).toEqual([[0n, 128]]);
  expect(blocks([[1n, 8n]])).toEqual([
    [1n, 0],
    [2n, 1],
    [4n, 2],
    [8n, 0],
  ]);
});

test('blocks are aligned, and together they are the set', () => {
  fc.assert(
    fc.property(ranges, (set) => {
      const found = blocks(set);
      for (const [start, bits] of found) expect(start % (1n << BigInt(bits))).toBe(0n);
      expect(found.reduce((sum, [, bits]) => sum + (1n << BigInt(bits)), 0n)).toBe(sizeOf(set));
      expect(
        normalise(found.map(([start, bits]) => [start, start + (1n << BigInt(bits)) - 1n] as const)),
      ).toEqual(set);
    }),
  );
});
