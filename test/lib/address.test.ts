import {
  formatAddress,
  formatMask,
  parseAddress,
  parseMask,
  prefixLength,
  prefixMask,
} from '../../src/lib/address.js';

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
  const words = parseAddress(text, family);
  expect(words && formatAddress(words, family)).toBe(written);
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
  expect(mask && formatMask(mask, family)).toBe(written);
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
