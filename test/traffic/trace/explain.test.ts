import type { Explanation, Packet } from '../../../src/traffic/model.js';
import { explainPacket } from '../../../src/traffic/trace/explain.js';
import { host, ruleset, table } from '../rules.js';

const WEB: Packet = {
  hook: 'INPUT',
  src: '198.51.100.7',
  dst: '203.0.113.10',
  protocol: 'tcp',
  sport: 40000,
  dport: 443,
};
const HTTPS = '-A INPUT -p tcp -m tcp --dport 443 -m conntrack --ctstate NEW -j ACCEPT';
const explain = (v4: string, packet: Partial<Packet> = {}): Explanation =>
  explainPacket(ruleset({ v4 }), { ...WEB, ...packet });
const path = (explanation: Explanation): readonly string[] =>
  (explanation.path ?? []).map(({ rule, effect }) => `${rule.table} ${rule.chain} ${rule.number}: ${effect}`);

test('explainPacket() names the rule that accepts or drops', () => {
  expect(explain(host(HTTPS))).toMatchObject({ verdict: 'accept', rule: { chain: 'INPUT', number: 4 } });
  expect(explain(host(HTTPS), { dport: 80 })).toMatchObject({
    verdict: 'drop',
    rule: { number: 6, text: '-j DROP' },
  });
});

test('the policy is rule number 0', () => {
  expect(explain(table('filter', [], { INPUT: 'DROP' }))).toMatchObject({
    verdict: 'drop',
    rule: { table: 'filter', chain: 'INPUT', number: 0, text: '-P INPUT DROP' },
  });
});

test('the path enters chains and returns', () => {
  const rules = table('filter', [
    '-A INPUT -j WEB',
    '-A INPUT -j DROP',
    '-A WEB -p udp -j ACCEPT',
    '-A WEB -p tcp -j RETURN',
  ]);
  expect(path(explain(rules))).toEqual([
    'filter INPUT 1: jump WEB',
    'filter WEB 2: return',
    'filter INPUT 2: drop',
  ]);
});

test('nat comes before filter', () => {
  const nat = table('nat', ['-A PREROUTING -p tcp -m tcp --dport 443 -j REDIRECT --to-ports 8443']);
  const explanation = explain(nat + host(HTTPS));
  expect(explanation.verdict).toBe('drop');
  expect(path(explanation)[0]).toBe('nat PREROUTING 1: now to this host port 8443');
});

test('an established packet skips the nat table', () => {
  const nat = table('nat', ['-A PREROUTING -p tcp -m tcp --dport 443 -j REDIRECT --to-ports 8443']);
  expect(explain(nat + host(HTTPS), { state: 'ESTABLISHED' })).toMatchObject({
    verdict: 'accept',
    rule: { number: 2 },
    assumptions: [expect.any(String), 'Its connection is not translated by nat.'],
  });
});

test('a verdict that depends on a limit is unknown and names it', () => {
  const explanation = explain(host(HTTPS.replace('-j', '-m limit --limit 5/min -j')));
  expect(explanation).toMatchObject({ verdict: 'unknown', rule: { number: 4 } });
  expect(explanation.assumptions).toContain('It depends on "-m limit --limit 5/min", which is not modelled.');
});

test('an unmodelled match that does not change the verdict leaves it certain', () => {
  const twice = [HTTPS.replace('-j', '-m ttl --ttl-eq 64 -j'), HTTPS];
  expect(explain(host(...twice)).verdict).toBe('accept');
});

test('IPv6 neighbour discovery is UNTRACKED', () => {
  const packet: Packet = { hook: 'INPUT', src: 'fe80::1', dst: 'fe80::2', protocol: 'ipv6-icmp', type: 135 };
  const rule = (state: string): string => host(`-A INPUT -m conntrack --ctstate ${state} -j ACCEPT`);
  expect(explainPacket(ruleset({ v6: rule('NEW') }), packet).verdict).toBe('drop');
  expect(explainPacket(ruleset({ v6: rule('UNTRACKED') }), packet).verdict).toBe('accept');
});
