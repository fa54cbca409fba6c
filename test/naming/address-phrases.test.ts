import fc from 'fast-check';
import type { Family } from '../../src/lib/family.js';
import { equalRanges, type Ranges, subtract, union } from '../../src/lib/ranges.js';
import { createNaming, type Piece } from '../../src/naming/address-phrases.js';
import { rangesOf } from '../../src/policy/addresses.js';

const names = {
  networks: {
    app: ['10.1.0.0/16', '2001:db8:1::/48'],
    'app-dmz': ['10.1.9.0/24'],
    vpn: ['10.60.0.0/22'],
    odd: ['192.0.2.3/32', '192.0.2.8/29'],
  },
  hosts: { 'web-1': ['192.0.2.10', '2001:db8::10'], 'db-1': ['192.0.2.20', '192.0.2.21'] },
  services: { metrics: ['tcp/9100', 'tcp/9187'] },
};
const { addresses, service } = createNaming(names);
const phrase = (networks: readonly string[], families: readonly Family[] = ['v4']): string => {
  const { of, but } = addresses(networks.length === 0 ? undefined : rangesOf(networks), families);
  const text = (pieces: readonly Piece[]): string => pieces.map(({ text: one }) => one).join('+');
  return `${of.length === 0 ? 'anywhere' : text(of)}${but.length === 0 ? '' : ` but ${text(but)}`}`;
};

test.each([
  [[], 'anywhere'],
  [['10.1.0.0/16'], 'app'],
  [['10.1.0.0/16', '10.60.0.0/22'], 'app+vpn'],
  [
    [
      '10.1.0.0/21',
      '10.1.8.0/24',
      '10.1.10.0/23',
      '10.1.12.0/22',
      '10.1.16.0/20',
      '10.1.32.0/19',
      '10.1.64.0/18',
      '10.1.128.0/17',
    ],
    'app but app-dmz',
  ],
  [['192.0.2.10/32'], 'web-1'],
  // One address of a host that has two is not the host.
  [['192.0.2.20/32'], '192.0.2.20'],
  [['192.0.2.20/31'], 'db-1'],
  [['198.51.100.0/24'], '198.51.100.0/24'],
  [['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'], 'private'],
])('%j is %s', (networks, text) => {
  expect(phrase(networks)).toBe(text);
});

test('a name of the policy is not used for half the internet', () => {
  const wide = createNaming({ ...names, networks: { vpn: ['0.0.0.0/1'], six: ['2000::/3'] } });
  expect(wide.addresses(rangesOf(['0.0.0.0/1']), ['v4']).of.map(({ text }) => text)).toEqual(['0.0.0.0/1']);
  expect(wide.addresses(rangesOf(['2000::/3']), ['v6']).of.map(({ text }) => text)).toEqual(['internet']);
});

test('a network of both families is named where both are there', () => {
  expect(phrase(['10.1.0.0/16', '2001:db8:1::/48'], ['v4', 'v6'])).toBe('app');
  expect(phrase(['10.1.0.0/16', '2001:db8:2::/48'], ['v4', 'v6'])).toBe('10.1.0.0/16+2001:db8:2::/48');
});

test('the phrase is exactly the addresses', () => {
  const blocks = [
    '10.1.0.0/16',
    '10.1.9.0/24',
    '10.60.0.0/22',
    '192.0.2.0/28',
    '192.0.2.20/32',
    '0.0.0.0/1',
    '203.0.113.7/32',
  ];
  const ranges = (texts: readonly string[]): Ranges => rangesOf(texts).v4;
  const meaning = (pieces: readonly Piece[]): Ranges =>
    union(
      ...pieces.map(({ text }) => {
        const members = names.networks[text as keyof typeof names.networks] ??
          names.hosts[text as keyof typeof names.hosts] ??
          BUILT_IN[text] ?? [text];
        return ranges(members.filter((member) => !member.includes(':')));
      }),
    );
  const BUILT_IN: Readonly<Record<string, readonly string[]>> = {
    private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'],
    loopback: ['127.0.0.0/8'],
    'link-local': ['169.254.0.0/16'],
    multicast: ['224.0.0.0/4'],
  };
  fc.assert(
    fc.property(fc.subarray(blocks, { minLength: 1 }), fc.subarray(blocks), (with_, without) => {
      const wanted = subtract(ranges(with_), ranges(without));
      fc.pre(wanted.length > 0);
      const { of, but } = addresses({ v4: wanted, v6: [] }, ['v4']);
      fc.pre(![...of, ...but].some(({ text }) => text === 'internet'));
      const whole = of.length === 0 ? [[0n, 2n ** 32n - 1n] as const] : meaning(of);
      expect(equalRanges(subtract(whole, meaning(but)), wanted)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('a service of the policy or a built-in one is named when it is exactly these ports', () => {
  const tcp = (...dport: readonly string[]) => ({ protocol: 'tcp', dport, type: [] });
  expect(service([tcp('9100', '9187')])).toBe('metrics');
  expect(service([tcp('443')])).toBe('https');
  expect(service([tcp('53'), { protocol: 'udp', dport: ['53'], type: [] }])).toBe('dns');
  expect(service([tcp('9187')])).toBeUndefined();
  expect(service([tcp()])).toBeUndefined();
});
