import fc from 'fast-check';
import type { Family } from '../../src/lib/family.js';
import {
  formatAddress,
  formatMask,
  includesAddress,
  networkRanges,
  networksText,
  parseAddress,
  parseMask,
  prefixLength,
  prefixMask,
} from '../../src/lib/ip.js';
import { normalise, subtract } from '../../src/lib/ranges.js';

test.each([
  ['v4', '10.0.0.1', '10.0.0.1'],
  ['v4', '255.255.255.255', '255.255.255.255'],
  ['v6', '2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
  ['v6', '::', '::'],
  ['v6', '::1', '::1'],
  ['v6', '1::', '1::'],
  ['v6', '1:0:0:2:0:0:0:3', '1:0:0:2::3'],
  ['v6', '1:0:0:2:3:0:0:4', '1::2:3:0:0:4'],
  ['v6', '1:2:3:4:5:6:0:8', '1:2:3:4:5:6:0:8'],
  ['v6', '::ffff:1.2.3.4', '::ffff:1.2.3.4'],
  ['v6', '::ffff:102:304', '::ffff:1.2.3.4'],
  ['v6', '::1.2.3.4', '::1.2.3.4'],
  ['v6', '64:ff9b::1.2.3.4', '64:ff9b::102:304'],
] as const)('%s %s is written %s', (family, text, written) => {
  const address = parseAddress(text, family);
  expect(address === undefined ? undefined : formatAddress(address, family)).toBe(written);
});

test.each([
  ['v4', '10.0.0'],
  ['v4', '10.0.0.256'],
  ['v4', '010.0.0.1'],
  ['v4', '10.0.0.1 '],
  ['v4', '10.0.0.-1'],
  ['v4', '0x0a.0.0.1'],
  ['v4', '::1'],
  ['v6', '1::2::3'],
  ['v6', '1:2:3:4:5:6:7'],
  ['v6', '1:2:3:4:5:6:7:8:9'],
  ['v6', '1:2:3:4:5:6:7::8'],
  ['v6', 'fe80::1%eth0'],
  ['v6', '12345::'],
  ['v6', '::1.2.3'],
  ['v6', '1.2.3.4::'],
  ['v6', ''],
] as const)('%s %s is no address', (family, text) => {
  expect(parseAddress(text, family)).toBeUndefined();
});

test.each([
  ['v4', '24', '24'],
  ['v4', '0', '0'],
  ['v4', '255.255.255.0', '24'],
  ['v4', '0.0.0.0', '0'],
  ['v4', '255.0.255.0', '255.0.255.0'],
  ['v4', '0.0.0.255', '0.0.0.255'],
  ['v6', '64', '64'],
  ['v6', 'ffff:ffff::', '32'],
  ['v6', 'ffff:0:ffff::', 'ffff:0:ffff::'],
  ['v6', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe', '127'],
] as const)('%s mask %s is written %s', (family, text, written) => {
  const mask = parseMask(text, family);
  expect(mask === undefined ? undefined : formatMask(mask, family)).toBe(written);
});

test('every prefix length survives as a mask', () => {
  for (const [family, bits] of [
    ['v4', 32],
    ['v6', 128],
  ] as const)
    for (let length = 0; length <= bits; length++)
      expect(prefixLength(prefixMask(length, family), family)).toBe(length);
  expect(parseMask('33', 'v4')).toBeUndefined();
  expect(parseMask('129', 'v6')).toBeUndefined();
});

const without = (from: readonly string[], except: readonly string[], family: Family): readonly string[] => {
  const [all, out] = [from, except].map((texts) =>
    normalise(texts.flatMap((text) => networkRanges(text, family) ?? [])),
  );
  return networksText(subtract(all ?? [], out ?? []), family);
};

test.each([
  ['a host out of a network', ['10.0.0.0/30'], ['10.0.0.1/32'], ['10.0.0.0/32', '10.0.0.2/31']],
  ['a half', ['10.0.0.0/8'], ['10.128.0.0/9'], ['10.0.0.0/9']],
  ['everything', ['10.0.0.0/8'], ['0.0.0.0/0'], []],
  ['nothing of it', ['10.0.0.0/8'], ['11.0.0.0/8'], ['10.0.0.0/8']],
  ['the last address there is', ['255.255.255.254/31'], ['255.255.255.255/32'], ['255.255.255.254/32']],
])('subtracting networks: %s', (_, from, except, left) => {
  expect(without(from, except, 'v4')).toEqual(left);
});

test('what is left is written in as few networks as possible', () => {
  expect(without(['2000::/3'], ['2001:db8::/32'], 'v6').slice(0, 2)).toEqual(['2000::/16', '2001::/21']);
  expect(without(['::/0'], ['8000::/1'], 'v6')).toEqual(['::/1']);
});

/** Networks of the last byte alone, so that membership can be counted out. */
const cidr = fc
  .tuple(fc.nat(255), fc.integer({ min: 24, max: 32 }))
  .map(([byte, length]) => `10.0.0.${byte - (byte % 2 ** (32 - length))}/${length}`);

const members = (cidrs: readonly string[]): ReadonlySet<number> =>
  new Set(
    cidrs.flatMap((each) => {
      const [address = '', length = '32'] = each.split('/');
      const first = Number(address.split('.')[3]);
      return Array.from({ length: 2 ** (32 - Number(length)) }, (_, index) => first + index);
    }),
  );

test('what is left is exactly what was there and was not taken out', () => {
  fc.assert(
    fc.property(cidr, fc.array(cidr, { maxLength: 6 }), (from, except) => {
      const left = members(without([from], except, 'v4'));
      const out = members(except);
      expect([...left].toSorted()).toEqual([...members([from])].filter((each) => !out.has(each)).toSorted());
    }),
  );
});

const admin = {
  any: false,
  v4: ['10.0.0.0/8', '203.0.113.7/32'],
  v6: ['2001:db8:a::/48'],
};

test.each([
  ['10.1.2.3', true],
  ['203.0.113.7', true],
  ['203.0.113.8', false],
  ['2001:db8:a:1::1', true],
  ['2001:db8:b::1', false],
  ['::ffff:10.1.2.3', true],
  ['no address', false],
])('includesAddress(admin, %j) is %j', (address, expected) => {
  expect(includesAddress(admin, address)).toBe(expected);
});

test('every address is in the set of all', () => {
  expect(includesAddress({ any: true, v4: [], v6: [] }, '192.0.2.1')).toBe(true);
});
