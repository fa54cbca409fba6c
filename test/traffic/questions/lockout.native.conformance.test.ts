/** What native nft tables mean for the proof that nobody is locked out: as nft lists them. */
import type { NftRuleset } from '../../../src/netfilter/nftables/model.js';
import { readNftables, unreadTablesText } from '../../../src/netfilter/nftables/read.js';
import type { LockoutProof } from '../../../src/traffic/model.js';
import { proveLockout } from '../../../src/traffic/questions/lockout.js';
import { nftRuleset } from '../nft.js';
import { host, ruleset } from '../rules.js';

const ADMIN = '203.0.113.0/28';
const OWN = '192.0.2.10';

function prove(nft: NftRuleset): LockoutProof {
  const rules = { ...ruleset({ v4: host(`-A INPUT -s ${ADMIN} -p tcp -m tcp --dport 22 -j ACCEPT`) }), nft };
  return proveLockout(rules, {
    admin: { any: false, names: [], v4: [ADMIN], v6: [] },
    addresses: [OWN],
    port: 22,
  });
}

const chain = (type: string, ...rules: readonly string[]): string =>
  ['table inet t {', 'chain c {', `type ${type};`, ...rules, '}', '}'].join('\n');

const PROVED: { readonly [what: string]: string } = {
  'a chain that accepts': chain('filter hook input priority 0; policy accept', 'tcp dport 80 drop'),
  'a policy that drops behind a rule for the admins': chain(
    'filter hook input priority 0; policy drop',
    'ct state established accept',
    `ip saddr ${ADMIN} tcp dport 22 accept`,
  ),
  'a chain that drops others': chain('filter hook prerouting priority -300', `ip saddr != ${ADMIN} drop`),
  'a chain of FORWARD': chain('filter hook forward priority 0; policy drop'),
  'a ban of another address':
    'table inet t { set bans { type ipv4_addr; flags timeout; elements = { 198.51.100.7 timeout 1h } ;\n}\nchain c { type filter hook input priority -1; ip saddr @bans drop ;\n}\n}',
  'a table of bridges that drops ARP':
    'table bridge t { chain c { type filter hook input priority 0; ether type arp drop ;\n}\n}',
  'an empty set':
    'table inet t { set none { type ipv4_addr;\n}\nchain c { type filter hook input priority 0; ip saddr @none drop ;\n}\n}',
};

test.each(Object.entries(PROVED))('proved beside %s', (_, text) => {
  expect(prove(nftRuleset(text))).toMatchObject({ verdict: 'proved', reasons: [] });
});

const FAILS: { readonly [what: string]: readonly [LockoutProof['verdict'], string, string] } = {
  'a policy that drops': [
    'violated',
    chain('filter hook input priority 10; policy drop', 'ct state established accept'),
    'by the policy drop of chain c in the nft table "inet t"',
  ],
  'a rule that drops': [
    'violated',
    chain('filter hook input priority 10', 'tcp dport 22 ct state new counter drop'),
    'by rule 1 of chain c in the nft table "inet t" ("tcp dport 22 ct state new drop")',
  ],
  'a verdict map': [
    'violated',
    chain('filter hook prerouting priority -150', 'tcp dport vmap { 22 : drop, 80 : accept }'),
    'in the nft table "inet t"',
  ],
  'a chain that is called': [
    'violated',
    'table ip t { chain d { tcp dport 22 reject ;\n}\nchain c { type filter hook input priority 0; jump d ;\n}\n}',
    'by rule 1 of chain d in the nft table "ip t"',
  ],
  'a ban of an admin': [
    'violated',
    `table inet t { set bans { type ipv4_addr; elements = { 203.0.113.5 } ;\n}\nchain c { type filter hook input priority -1; ip saddr @bans drop ;\n}\n}`,
    '"ip saddr @bans drop"',
  ],
  'a ban of an admin that ends': [
    'not-proven',
    `table inet t { set bans { type ipv4_addr; flags timeout; elements = { 203.0.113.5 timeout 1h } ;\n}\nchain c { type filter hook input priority -1; ip saddr @bans drop ;\n}\n}`,
    '@bans',
  ],
  'a set that rules fill': [
    'not-proven',
    'table inet t { set seen { type ipv4_addr; flags dynamic, timeout; timeout 1m;\n}\nchain c { type filter hook input priority -1; tcp dport 22 add @seen { ip saddr limit rate over 3/minute } drop ;\n}\n}',
    'add @seen',
  ],
  'an ingress chain of the device': [
    'not-proven',
    `table netdev t { chain c { type filter hook ingress device "eth0" priority -500; ip saddr ${ADMIN} drop ;\n}\n}`,
    'the interface on which they pass',
  ],
  'replies that are dropped': [
    'violated',
    chain('route hook output priority -150', 'tcp sport 22 drop'),
    'SSH replies to',
  ],
  'a limit': [
    'not-proven',
    chain('filter hook input priority 0', 'tcp dport 22 limit rate over 3/minute drop'),
    'limit rate over 3/minute',
  ],
  'a table of bridges that drops': [
    'not-proven',
    'table bridge t { chain c { type filter hook input priority 0; ether type ip drop ;\n}\n}',
    'the packet passes a bridge',
  ],
};

test.each(Object.entries(FAILS))('not proved beside %s', (_, [verdict, text, reason]) => {
  const proof = prove(nftRuleset(text));
  expect(proof.verdict).toBe(verdict);
  expect(proof.reasons.join('\n')).toContain(reason);
});

test('not proved where the tables cannot be read, with the reason', () => {
  const proof = prove(readNftables(unreadTablesText('nft is not installed')));
  expect(proof.verdict).toBe('not-proven');
  expect(proof.reasons.join('\n')).toContain('native nft tables, which cannot be read: nft is not installed');
});
