import { expect, test } from '@jest/globals';
import type { AddressSet } from '../../src/policy/fleet.js';
import { includesAddress } from '../../src/rollout/admin.js';

const admin: AddressSet = {
  names: ['admin'],
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
])('%s', (address, expected) => {
  expect(includesAddress(admin, address)).toBe(expected);
});

test('anywhere includes everyone', () => {
  expect(includesAddress({ names: ['any'], any: true, v4: [], v6: [] }, '192.0.2.1')).toBe(true);
});
