/** Traffic that a ruleset must accept, each once dropped and once not. */
import { describe, expect, test } from '@jest/globals';
import { blockedEssentials } from '../../../src/traffic/questions/essentials.js';
import { ruleset } from '../rules.js';

const OWN = ['192.0.2.10', '2001:db8:1::10'];
const table = (name: string, ...rules: readonly string[]): string =>
  `*${name}\n${rules.map((rule) => `${rule}\n`).join('')}COMMIT\n`;
const blocked = (v4: string, v6 = '') =>
  blockedEssentials(ruleset({ v4, v6 }), OWN).map(({ id, message, location }) => [
    id,
    message.split(' is dropped by ')[0],
    location?.line,
  ]);

/** A closed host that accepts what it must. */
const SOUND = [
  ':INPUT DROP [0:0]',
  ':OUTPUT DROP [0:0]',
  '-A INPUT -i lo -j ACCEPT',
  '-A OUTPUT -o lo -j ACCEPT',
  '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  '-A OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
];
const NEIGHBOURS = ['INPUT', 'OUTPUT'].flatMap((chain) =>
  [135, 136].map((type) => `-A ${chain} -p ipv6-icmp -m icmp6 --icmpv6-type ${type} -j ACCEPT`),
);

test('a closed host that accepts them all has no problem, nor has an open one', () => {
  expect(blocked(table('filter', ...SOUND), table('filter', ...SOUND, ...NEIGHBOURS))).toEqual([]);
  expect(blocked('', '')).toEqual([]);
});

describe('dropped for sure', () => {
  test.each([
    ['loopback-blocked', 'Loopback traffic', [':INPUT DROP [0:0]']],
    [
      'established-blocked',
      'A reply to a connection of the host',
      [':INPUT DROP [0:0]', '-A INPUT -i lo -j ACCEPT'],
    ],
    ['established-blocked', 'A reply of the host', [':OUTPUT DROP [0:0]', '-A OUTPUT -o lo -j ACCEPT']],
    [
      'icmp-blocked',
      'The ICMP message that a packet is too big',
      ['-A INPUT -p icmp -m icmp --icmp-type 3/4 -j DROP'],
    ],
  ])('%s: %s', (id, what, rules) => {
    expect(blocked(table('filter', ...rules)).map((found) => found.slice(0, 2))).toContainEqual([id, what]);
  });

  test('neighbour discovery, which no connection state accepts', () => {
    expect(blocked('', table('filter', ...SOUND)).map(([id, what]) => [id, what])).toEqual([
      ['icmp-blocked', 'A neighbour solicitation'],
      ['icmp-blocked', 'A neighbour advertisement'],
      ['icmp-blocked', 'A neighbour solicitation'],
      ['icmp-blocked', 'A neighbour advertisement'],
    ]);
  });

  test('by a rule of another table, with its location', () => {
    const found = blocked(table('filter', ...SOUND) + table('mangle', '-A PREROUTING -i lo -j DROP'));
    expect(found).toEqual([['loopback-blocked', 'Loopback traffic', 10]]);
  });
});

test('traffic that an unmodelled match decides on is not reported', () => {
  expect(blocked(table('raw', '-A PREROUTING -m ttl --ttl-lt 5 -j DROP'))).toEqual([]);
});
