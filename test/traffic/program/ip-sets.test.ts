/** Sets of programs that ban: members that expire, and very many of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readRuleset } from '../../../src/compile/render.js';
import type { Ruleset } from '../../../src/netfilter/model.js';
import { compareTraffic } from '../../../src/traffic/questions/compare.js';
import { proveLockout } from '../../../src/traffic/questions/lockout.js';
import { explainPacket } from '../../../src/traffic/trace/explain.js';
import { host, ruleset } from '../rules.js';

const CASES = join(import.meta.dirname, '../../cases');
const text = (name: string): string => readFileSync(join(CASES, name), 'utf8');

function read(v4: string, sets: string): Ruleset {
  const found = readRuleset({ v4, v6: '', sets }, 'web-1');
  if (!found.ok) throw new Error(JSON.stringify(found.problems));
  return found.value;
}

const prove = (rules: Ruleset, admin: string) =>
  proveLockout(rules, {
    admin: { any: false, names: [], v4: [admin], v6: [] },
    addresses: ['192.0.2.10'],
    port: 22,
  });

describe('09-crowdsec-min', () => {
  const rules = read(text('09-crowdsec-min.v4'), text('09-crowdsec-min.sets'));

  test('an admin who is not banned is let in', () => {
    expect(prove(rules, '203.0.113.0/28')).toMatchObject({ verdict: 'proved', reasons: [] });
  });

  test('a member is refused as long as it has not expired, which is not known', () => {
    const at = (src: string) =>
      explainPacket(rules, { hook: 'INPUT', src, dst: '192.0.2.10', protocol: 'tcp', dport: 443 });
    expect(at('192.0.2.7').verdict).toBe('accept');
    expect(at('198.51.100.7')).toMatchObject({ verdict: 'unknown' });
    expect(at('198.51.100.7').assumptions.join()).toContain('--match-set crowdsec-blacklists');
  });
});

test('an admin who is banned for a time: not proved, with the set', () => {
  const rules = read(
    text('09-crowdsec-min.v4'),
    `${text('09-crowdsec-min.sets')}add crowdsec-blacklists 203.0.113.3 timeout 60\n`,
  );
  const { verdict, reasons } = prove(rules, '203.0.113.0/28');
  expect(verdict).toBe('not-proven');
  expect(reasons.join()).toContain('--match-set crowdsec-blacklists');
});

test('a member for ever is a member, and nomatch with timeouts is not known', () => {
  const set = 'create bans hash:net family inet hashsize 1024 maxelem 65536 timeout 300\n';
  const rule = '-A INPUT -m set --match-set bans src -j DROP';
  const verdict = (members: string): string => {
    const rules = ruleset({ v4: host(rule, '-A INPUT -j ACCEPT'), sets: set + members });
    const packet = {
      hook: 'INPUT',
      src: '198.51.100.7',
      dst: '192.0.2.10',
      protocol: 'udp',
      dport: 9,
    } as const;
    return explainPacket(rules, packet).verdict;
  };
  expect(verdict('add bans 198.51.100.7 timeout 0\n')).toBe('drop');
  expect(verdict('add bans 198.51.100.8 timeout 9\n')).toBe('accept');
  expect(verdict('add bans 198.51.0.0/16 timeout 9\nadd bans 198.51.100.0/24 timeout 9 nomatch\n')).toBe(
    'unknown',
  );
});

test('100,000 members: read, proved and compared', () => {
  const members = Array.from(
    { length: 100_000 },
    (_, index) => `add bans 10.${index >> 14}.${(index >> 6) & 255}.${(index & 63) * 4} timeout 60\n`,
  );
  const sets = `create bans hash:net family inet hashsize 1024 maxelem 200000 timeout 300\n${members.join('')}`;
  const rules = (...more: readonly string[]): Ruleset =>
    ruleset({
      v4: host(
        '-A INPUT -m set --match-set bans src -j DROP',
        '-A INPUT -s 203.0.113.0/28 -p tcp -m tcp --dport 22 -j ACCEPT',
        ...more,
      ),
      sets,
    });
  const [before, after] = [rules(), rules('-A INPUT -p tcp -m tcp --dport 443 -j ACCEPT')];
  expect(prove(before, '203.0.113.0/28')).toMatchObject({ verdict: 'proved' });
  const diff = compareTraffic(before, after);
  expect(diff).toMatchObject({ proved: true });
  expect(diff.opened).toHaveLength(1);
  expect(diff.possiblyOpened).toHaveLength(1);
}, 60_000);
