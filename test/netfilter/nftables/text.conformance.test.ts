/** Rules are written as nft writes them: nft lists what it loads of our text. */
import { spawnSync } from 'node:child_process';
import { nativeTablesText, readNftables } from '../../../src/netfilter/nftables/read.js';
import { ruleText } from '../../../src/netfilter/nftables/text.js';

const RULES: readonly string[] = [
  'tcp dport 22 accept',
  'tcp dport != 22 drop',
  'tcp dport { 22, 80 } accept',
  'tcp dport 1000-2000 accept',
  'ip saddr 10.0.0.0/8 udp dport 53 accept',
  'ip saddr . tcp dport { 10.0.0.1 . 22 } accept',
  'iifname "eth0" ct state established,related accept',
  'ct state != invalid accept',
  'ct state vmap { established : accept, invalid : drop }',
  'meta mark 0x1 drop',
  'meta mark set 0x1 accept',
  'meta mark set meta mark | 0x10',
  'fib daddr type local accept',
  'meta l4proto { tcp, udp } th dport 53 accept',
  'icmp type echo-request accept',
  'limit rate 5/minute log accept',
  'jump other',
  'meta mark & 0xf0 == 0x10 drop',
  'meta mark set meta mark & 0xff00 | 0x1',
  'tcp flags & (fin | syn) == fin | syn drop',
  'goto other',
  'ip saddr @hosts drop',
  'tcp flags syn / fin,syn drop',
];

/** What nft prints after it has loaded the rules. */
function load(rules: readonly string[]): {
  readonly json: string;
  readonly status: number;
  readonly stderr: string;
} {
  const text = [
    'table inet t {',
    'set hosts { type ipv4_addr; elements = { 10.0.0.1 } }',
    'chain other { }',
    'chain input { type filter hook input priority 0;',
    ...rules,
    '}',
    '}',
  ].join('\n');
  const ran = spawnSync('unshare', ['-n', 'sh', '-c', 'nft -f - && nft -j list ruleset'], {
    input: text,
    encoding: 'utf8',
  });
  return { json: ran.stdout, status: ran.status ?? -1, stderr: ran.stderr };
}

const textsOf = (json: string): readonly string[] =>
  readNftables(nativeTablesText([json], 'nft'))
    .tables[0]?.chains.find(({ name }) => name === 'input')
    ?.rules.map(ruleText) ?? [];

test.each(RULES)('%s', (rule) => {
  const first = load([rule]);
  expect(first.stderr).toBe('');
  const written = textsOf(first.json);
  expect(written).toHaveLength(1);
  const second = load(written);
  expect({ written, stderr: second.stderr }).toEqual({ written, stderr: '' });
  // The same rule again: what it says, and what nft makes of it.
  expect(nativeTablesText([second.json], 'nft')).toBe(nativeTablesText([first.json], 'nft'));
});
