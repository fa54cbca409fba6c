import fc from 'fast-check';
import { equalRanges, union } from '../../src/lib/ranges.js';
import {
  addressesText,
  addressKey,
  cover,
  inFamilies,
  isWithin,
  shareOf,
  withoutFullPrefix,
} from '../../src/naming/address-sets.js';
import { EVERYTHING, rangesOf } from '../../src/policy/addresses.js';

const named = (...networks: readonly string[]) => ({ name: networks.join(), ranges: rangesOf(networks) });

test('cover() takes sets within the target that add addresses, and returns the rest', () => {
  const candidates = [
    named('10.0.0.0/8', '2001:db8::/32'),
    named('10.1.0.0/16'),
    named('192.0.2.0/25'),
    named('198.51.100.0/24'),
  ];
  const { taken, rest } = cover(rangesOf(['10.0.0.0/8', '192.0.2.0/24', '2001:db8::/32']), candidates, [
    'v4',
    'v6',
  ]);
  expect(taken.map(({ name }) => name)).toEqual(['10.0.0.0/8,2001:db8::/32', '192.0.2.0/25']);
  expect(rest).toEqual(rangesOf(['192.0.2.128/25']));
});

test('cover() ignores the addresses of other families', () => {
  const both = named('10.0.0.0/8', '2001:db8::/32');
  expect(cover(rangesOf(['10.0.0.0/8']), [both], ['v4'])).toEqual({ taken: [both], rest: rangesOf([]) });
  expect(cover(rangesOf(['10.0.0.0/8']), [both]).taken).toEqual([]);
});

test('what cover() takes and the rest are together exactly the target', () => {
  const blocks = ['10.0.0.0/8', '10.1.0.0/16', '10.1.2.0/24', '172.16.0.0/12', '192.0.2.0/24', '192.0.2.7'];
  fc.assert(
    fc.property(fc.subarray(blocks), fc.subarray(blocks), (target, candidates) => {
      const { taken, rest } = cover(
        rangesOf(target),
        candidates.map((text) => named(text)),
      );
      const all = union(rest.v4, ...taken.map(({ ranges }) => ranges.v4));
      expect(equalRanges(all, rangesOf(target).v4)).toBe(true);
    }),
  );
});

test('isWithin() and inFamilies() look at the given families alone', () => {
  const [small, large] = [rangesOf(['10.1.0.0/16', '2001:db8::/32']), rangesOf(['10.0.0.0/8'])];
  expect([isWithin(small, large, ['v4']), isWithin(small, large)]).toEqual([true, false]);
  expect(inFamilies(small, ['v6'])).toEqual(rangesOf(['2001:db8::/32']));
});

test('shareOf() is the share of each family, added up', () => {
  expect([shareOf(EVERYTHING), shareOf(rangesOf(['0.0.0.0/2', '8000::/1'])), shareOf(rangesOf([]))]).toEqual([
    2, 0.75, 0,
  ]);
});

test('a single address has no prefix length', () => {
  expect(addressesText(rangesOf(['192.0.2.1', '192.0.2.8/29']).v4, 'v4')).toEqual([
    '192.0.2.1',
    '192.0.2.8/29',
  ]);
  expect(['192.0.2.1/32', '2001:db8::1/128', '2001:db8::/32', '192.0.2.1'].map(withoutFullPrefix)).toEqual([
    '192.0.2.1',
    '2001:db8::1',
    '2001:db8::/32',
    '192.0.2.1',
  ]);
});

test('addressKey() is the same exactly for the same addresses', () => {
  const keyOf = (...networks: readonly string[]): string => addressKey(rangesOf(networks));
  expect(keyOf('10.0.0.0/9', '10.128.0.0/9')).toBe(keyOf('10.0.0.0/8'));
  expect(new Set([keyOf(), keyOf('0.0.0.1'), keyOf('::1'), keyOf('0.0.0.1', '::1')]).size).toBe(4);
});
