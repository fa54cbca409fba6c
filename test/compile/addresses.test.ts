import fc from 'fast-check';
import { subtract } from '../../src/compile/addresses.js';

test.each([
  ['a host out of a network', ['10.0.0.0/30'], ['10.0.0.1/32'], ['10.0.0.0/32', '10.0.0.2/31']],
  ['a half', ['10.0.0.0/8'], ['10.128.0.0/9'], ['10.0.0.0/9']],
  ['everything', ['10.0.0.0/8'], ['0.0.0.0/0'], []],
  ['nothing of it', ['10.0.0.0/8'], ['11.0.0.0/8'], ['10.0.0.0/8']],
  ['the last address there is', ['255.255.255.254/31'], ['255.255.255.255/32'], ['255.255.255.254/32']],
])('%s', (_, from, except, left) => {
  expect(subtract(from, except, 'v4')).toEqual(left);
});

test('IPv6 in networks as large as can be', () => {
  expect(subtract(['2000::/3'], ['2001:db8::/32'], 'v6').slice(0, 2)).toEqual(['2000::/16', '2001::/21']);
  expect(subtract(['::/0'], ['8000::/1'], 'v6')).toEqual(['::/1']);
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
      const left = members(subtract([from], except, 'v4'));
      const out = members(except);
      expect([...left].toSorted()).toEqual([...members([from])].filter((each) => !out.has(each)).toSorted());
    }),
  );
});
