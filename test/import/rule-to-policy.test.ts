/** ruleToPolicy(): one iptables rule as one entry of a policy file. */
import { expect, test } from '@jest/globals';
import { type RuleContext, ruleToPolicy } from '../../src/import/rule-to-policy.js';
import type { Family } from '../../src/lib/family.js';
import { parseSets } from '../../src/netfilter/sets.js';
import { parseRules } from '../../src/netfilter/text/parse.js';
import { fleetOf } from '../policy/policy.js';

const location = { kind: 'host' as const, file: 'rules.v4', line: 1, column: 1 };

function entry(text: string, more: Partial<RuleContext> = {}) {
  const families: readonly Family[] = more.families ?? ['v4'];
  const context = { table: 'filter', chain: 'INPUT', families, reason: 'Imported', ...more } as const;
  const parsed = parseRules(text, { ...context, family: families[0] ?? 'v4', location });
  const [rule] = parsed.ok ? parsed.value : [];
  if (rule === undefined) throw new Error(`${text} is not a rule`);
  return ruleToPolicy(rule, context);
}

const interfaces = new Map([['public', 'eth0']]);
const sets = parseSets(
  'create office hash:net family inet hashsize 1024 maxelem 65536\nadd office 10.1.0.0/16\nadd office 192.0.2.7\n',
  'sets',
);

test.each<readonly [string, object, Partial<RuleContext>?]>([
  ['-p tcp -m tcp --dport 443 -j ACCEPT', { allow: 'https', family: 'v4' }],
  [
    '-p tcp -m multiport --dports 80,443,8080 -m state --state NEW -j ACCEPT',
    { allow: ['web', 'tcp/8080'], family: 'v4' },
  ],
  [
    '-s 10.10.0.0/16 -p udp -m udp --dport 1000:2000 -j DROP',
    { deny: 'udp/1000-2000', from: '10.10.0.0/16' },
  ],
  [
    '-s 203.0.113.0/24 -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -j ACCEPT',
    { allow: 'ssh', from: 'admin' },
    { networks: fleetOf().networks },
  ],
  [
    '! -s 192.0.2.1 -p tcp -m tcp --dport 5432 -j DROP',
    { deny: 'postgres', except: '192.0.2.1', family: 'v4' },
  ],
  ['-m iprange --src-range 10.0.0.4-10.0.0.7 -j DROP', { deny: 'any', from: '10.0.0.4/30' }],
  ['-p icmp -m icmp --icmp-type echo-request -j ACCEPT', { allow: 'ping', family: 'v4' }],
  ['-p tcp -m tcp --dport 25 -j REJECT --reject-with tcp-reset', { reject: 'smtp', family: 'v4' }],
  [
    '-i eth0 -p tcp -m tcp --dport 80 -m limit --limit 10/sec --limit-burst 20 -j ACCEPT',
    { allow: 'http', in: 'public', rate: { limit: '10/second', burst: 20 }, family: 'v4' },
    { interfaces },
  ],
  [
    '-m set --match-set office src -p esp -j ACCEPT',
    { allow: 'esp', from: ['10.1.0.0/16', '192.0.2.7'] },
    { sets: sets.ok ? sets.value : [] },
  ],
  ['-p tcp -m tcp --dport 53 -j ACCEPT', { allow: 'tcp/53' }, { families: ['v4', 'v6'] }],
])('%s', (text, expected, more = {}) => {
  const { list, entry: policyEntry } = entry(text, more) ?? {};
  expect({ list, policyEntry }).toEqual({ list: 'input', policyEntry: { ...expected, reason: 'Imported' } });
});

test.each([
  '-p tcp -m tcp --sport 53 -j ACCEPT',
  '-p tcp -m tcp --dport 0:1023 -j ACCEPT',
  '! -i lo -j DROP',
  '-i eth7 -j DROP',
  '-m mac --mac-source 00:16:3e:00:00:01 -j ACCEPT',
  '-p tcp -m tcp --dport 22 --tcp-flags SYN,ACK SYN -j ACCEPT',
  '-m recent --name bad --update --seconds 60 -j DROP',
  '-m limit --limit 1/sec -j DROP',
  '-s 10.0.2.0/255.0.255.0 -j ACCEPT',
  '-j REJECT --reject-with icmp-host-prohibited',
  '-d 192.0.2.1 -j NFQUEUE --queue-num 1',
  '-p tcp -m set --match-set unknown src -j ACCEPT',
])('%s is a literal rule', (text) => {
  const literal = entry(text);
  expect(literal?.list).toBe('raw');
  expect(literal?.entry).toMatchObject({ chain: 'INPUT', family: 'v4', reason: 'Imported' });
});

test('the comment becomes the reason', () => {
  expect(
    entry('-p tcp -m tcp --dport 25 -m comment --comment "Mail, since 2009" -j ACCEPT')?.entry.reason,
  ).toBe('Mail, since 2009');
});

test.each([
  ['Mail\u202eliaM', 'Mail liaM'],
  ['\u202e', 'Imported'],
])('bidirectional control characters in the comment become spaces: %j', (comment, reason) => {
  const rule = `-p tcp -m tcp --dport 25 -m comment --comment "${comment}" -j ACCEPT`;
  expect(entry(rule)?.entry.reason).toBe(reason);
});

test.each<readonly [string, string, object]>([
  ['-o eth0 -j MASQUERADE', 'POSTROUTING', { masquerade: 'any', from: '0.0.0.0/0', out: 'public' }],
  [
    '-i eth0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.5:8080',
    'PREROUTING',
    { dnat: 'http', in: 'public', target: '10.0.0.5:8080' },
  ],
  [
    '-s 10.0.0.0/8 -o eth0 -j SNAT --to-source 192.0.2.10',
    'POSTROUTING',
    { snat: 'any', from: '10.0.0.0/8', out: 'public', target: '192.0.2.10' },
  ],
  [
    '-s 10.0.0.0/8 -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 3128',
    'PREROUTING',
    { redirect: 'http', from: '10.0.0.0/8', target: 3128 },
  ],
])('nat: %s', (text, chain, expected) => {
  expect(entry(text, { table: 'nat', chain, interfaces })).toEqual({
    list: 'nat',
    entry: { ...expected, reason: 'Imported' },
  });
});

test('ruleToPolicy() returns undefined for a jump to a chain', () => {
  expect(entry('-j SOMEWHERE')).toBeUndefined();
});
