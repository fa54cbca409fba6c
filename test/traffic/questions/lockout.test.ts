import type { AddressSet } from '../../../src/policy/fleet.js';
import type { LockoutProof } from '../../../src/traffic/model.js';
import { proveLockout } from '../../../src/traffic/questions/lockout.js';
import { host, ruleset, table } from '../rules.js';

const admin: AddressSet = { names: ['admin'], any: false, v4: ['203.0.113.0/24'], v6: ['2001:db8:a::/48'] };
const SSH = '-A INPUT -s 203.0.113.0/24 -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -j ACCEPT';
const SSH6 = SSH.replace('203.0.113.0/24', '2001:db8:a::/48');
const DISCOVERY = [135, 136].map(
  (type) => `-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type ${type} -m hl --hl-eq 255 -j ACCEPT`,
);

const prove = (v4: string, client = '203.0.113.9'): LockoutProof =>
  proveLockout(ruleset({ v4 }), { admin, addresses: ['198.51.100.1'], port: 22, client });

test('a baseline that accepts administrators is proved', () => {
  expect(prove(host(SSH))).toEqual({ verdict: 'proved', reasons: [], accepted: false });
});

test('a refused network is a violation with an example packet and the rule', () => {
  const proof = prove(host());
  expect(proof.verdict).toBe('violated');
  expect(proof.reasons[0]).toBe(
    'New SSH connections from 203.0.113.0/24 would be dropped, for example tcp 203.0.113.1:40000 to 198.51.100.1:22, by "-A INPUT -j DROP" (filter) at rules.v4:8.',
  );
});

test("the run's own address must be accepted too", () => {
  const proof = prove(host(SSH), '192.0.2.1');
  expect(proof.verdict).toBe('violated');
  expect(proof.reasons).toEqual([
    expect.stringContaining('192.0.2.1 (the address of this run) would be dropped'),
  ]);
});

test.each([
  ['a rate limit', host(`${SSH.replace('-j', '-m limit --limit 3/min -j')}`), '-m limit --limit 3/min'],
  ['an interface', host(SSH.replace('-s', '-i eth0 -s')), 'the interface on which they pass'],
  [
    'a redirect',
    table('nat', ['-A PREROUTING -p tcp -m tcp --dport 22 -j REDIRECT --to-ports 22']) + host(SSH),
    'REDIRECT',
  ],
])('%s makes it not proven, and the reason names it', (_, rules, reason) => {
  const proof = prove(rules);
  expect(proof.verdict).toBe('not-proven');
  expect(proof.reasons[0]).toContain(reason);
});

test.each([
  ['raw drops', table('raw', ['-A PREROUTING -s 203.0.113.0/25 -j DROP']) + host(SSH), 'New SSH connections'],
  [
    'connections are not tracked',
    table('raw', ['-A PREROUTING -p tcp -j NOTRACK']) + host(SSH),
    'New SSH connections',
  ],
  [
    'nat sends SSH to another host',
    table('nat', ['-A PREROUTING -p tcp -m tcp --dport 22 -j DNAT --to-destination 10.0.0.5']) + host(SSH),
    'New SSH connections',
  ],
  [
    'replies may not leave',
    `${host(SSH).replace('COMMIT', '-A OUTPUT -p tcp -m tcp --sport 22 -j DROP\nCOMMIT')}`,
    'SSH replies',
  ],
  [
    'established sessions are dropped',
    host(SSH).replace('RELATED,ESTABLISHED', 'RELATED'),
    'Packets of established SSH sessions',
  ],
])('violated when %s', (_, rules, sentence) => {
  const proof = prove(rules);
  expect(proof.verdict).toBe('violated');
  expect(proof.reasons.join('\n')).toContain(sentence);
});

describe('both families', () => {
  const question = { admin, addresses: ['198.51.100.1', '2001:db8::1'], port: 22 };

  test('IPv6 needs neighbour discovery', () => {
    const proof = proveLockout(ruleset({ v4: host(SSH), v6: host(SSH6) }), question);
    expect(proof.verdict).toBe('violated');
    expect(proof.reasons[0]).toContain('IPv6 neighbour discovery');
    const rules = ruleset({ v4: host(SSH), v6: host(SSH6, ...DISCOVERY) });
    expect(proveLockout(rules, question).verdict).toBe('proved');
  });

  test('a family that only one side has needs no proof', () => {
    const only = { ...question, addresses: ['198.51.100.1'] };
    expect(proveLockout(ruleset({ v4: host(SSH), v6: host() }), only).verdict).toBe('proved');
    const neither = { ...only, admin: { ...admin, v4: [] } };
    expect(proveLockout(ruleset({ v4: host(SSH) }), neither).verdict).toBe('not-proven');
  });
});

test('admin: any does not include loopback addresses', () => {
  const anywhere = { names: ['any'], any: true, v4: [], v6: [] };
  const rules = host(
    '-A INPUT -s 127.0.0.0/8 -j DROP',
    '-A INPUT -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -j ACCEPT',
  );
  const question = { admin: anywhere, addresses: ['198.51.100.1'], port: 22 };
  expect(proveLockout(ruleset({ v4: rules }), question).verdict).toBe('proved');
});

test('a spent budget is not proven', () => {
  const proof = proveLockout(
    ruleset({ v4: host('-A INPUT -p tcp -m tcp --dport 22 -m limit --limit 9/min -j DROP', SSH) }),
    { admin, addresses: ['198.51.100.1'], port: 22 },
    { budget: { nodes: 20, milliseconds: 1000 } },
  );
  expect(proof).toMatchObject({ verdict: 'not-proven' });
  expect(proof.reasons[0]).toContain('more than 20 nodes');
});
