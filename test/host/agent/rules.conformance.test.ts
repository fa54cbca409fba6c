/**
 * Rules created with nft in the tables of iptables: iptables-save prints some of them as different rules, with status 0.
 * The agent must detect every such rule, and no rule of any iptables.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import base from '../../../src/host/agent/base.sh';
import rules from '../../../src/host/agent/rules.sh';
import type { Family } from '../../../src/lib/family.js';
import { EXTENSIONS } from '../../../src/netfilter/extensions/index.js';
import { DOCKER, FAIL2BAN, KUBE, UFW } from '../../compile/foreign.js';
import { format } from '../../netfilter/kernel.js';
import { RULES } from '../../netfilter/rule/corpus.js';
import { ruleText } from '../../netfilter/rule/generate.js';

/** The root of another Debian, whose iptables creates the rules that the installed one saves. */
const ROOT = process.env.SALLYPORT_IPTABLES_ROOT ?? '';
const PROGRAM: { readonly [family in Family]: string } = { v4: 'iptables-nft', v6: 'ip6tables-nft' };
const SETS: { readonly [family in Family]: string } = {
  v4: 'ipset create set4 hash:net family inet; ipset create set-a hash:ip,port family inet',
  v6: 'ipset create set4 hash:net family inet6; ipset create set-a hash:ip,port family inet6',
};

interface AgentAnswer {
  /** The number of rules. */
  readonly rules: number;
  /** The first rule that lost something by being saved, as the agent reports it. */
  readonly lost: string;
  /** The output of iptables-save; empty if it failed or cannot print the table. */
  readonly saved: string;
}

/**
 * Loads texts one after the other, skipping those that the kernel refuses, then adds rules with nft; saves everything,
 * loads it in another namespace, and runs the agent's functions.
 */
function ask(family: Family, texts: readonly string[], native: readonly string[] = []): AgentAnswer {
  const folder = mkdtempSync(join(ROOT, tmpdir(), 'sallyport-saving-'));
  const inside = folder.slice(ROOT.length);
  const tool = PROGRAM[family];
  const loader = ROOT === '' ? `sh -c` : `chroot '${ROOT}' sh -c`;
  try {
    for (const [index, text] of texts.entries())
      writeFileSync(join(folder, `${String(index).padStart(5, '0')}.in`), text);
    writeFileSync(join(folder, 'agent'), `${base}\n${rules}`);
    const load = `cd ${inside}; for file in *.in; do [ ! -e $file ] || ${tool}-restore --noflush <$file; done`;
    const script = `
      ip link set lo up
      ${SETS[family]}
      ${ROOT === '' ? '' : `mount --bind /proc '${ROOT}/proc'`}
      ${loader} '${load}' 2>/dev/null
      ${native.map((rule) => `nft '${rule}'`).join('\n')}
      cd '${folder}'
      . ./agent
      ${tool}-save >saved 2>/dev/null && ! grep -q '^# Table.*incompatible' saved || : >saved
      nft_rules | rule_shapes >shapes
      unshare -n sh -c '${SETS[family]}; . ./agent; ${tool}-restore <saved; nft_rules | rule_shapes | lost_in_saving shapes' >lost
      wc -l <shapes >rules`;
    execFileSync('unshare', ['-n', '-m', 'sh', '-c', script], { stdio: ['ignore', 'ignore', 'pipe'] });
    const read = (name: string): string => readFileSync(join(folder, name), 'utf8').trim();
    return { rules: Number(read('rules')), lost: read('lost'), saved: read('saved') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const FILTER = '*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n';

describe('a rule of iptables is never reported', () => {
  test.each<Family>(['v4', 'v6'])('the hand-written rules, %s', (family) => {
    const texts = RULES[family].map((rule) => `*filter\n:USERCHAIN - [0:0]\n-A FORWARD ${rule}\nCOMMIT\n`);
    const { rules: count, lost } = ask(family, texts);
    console.info(`${family}: ${count} hand-written rules`);
    expect({ lost, some: count > 50 }).toEqual({ lost: '', some: true });
  });

  test.each<Family>(['v4', 'v6'])('every extension, %s', (family) => {
    const texts = EXTENSIONS.filter((row) => (row.family ?? family) === family)
      .flatMap((row) => fc.sample(ruleText([row], family), { numRuns: 6, seed: 11 }))
      .filter((text) => 'saved' in format(family, text));
    const { rules: count, lost } = ask(family, texts);
    console.info(`${family}: ${count} rules from the table of extensions`);
    expect({ lost, some: count > 150 }).toEqual({ lost: '', some: true });
  });

  test.each([
    ['Docker', DOCKER],
    ['fail2ban', FAIL2BAN],
    ['kube-proxy', KUBE],
    ['ufw', UFW],
  ])('rules of %s', (_, text) => {
    const { rules: count, lost } = ask('v4', [text]);
    expect({ lost, some: count > 3 }).toEqual({ lost: '', some: true });
  });

  const FOLDER = join(import.meta.dirname, '../../../../shared/data/rulesets');
  const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith('.v4')) : [];
  test(`${files.length} real rulesets`, () => {
    for (const name of files)
      expect([name, ask('v4', [readFileSync(join(FOLDER, name), 'utf8')]).lost]).toEqual([name, '']);
  });

  test('beside tables of nft alone, with sets and maps', () => {
    const native = [
      'add table ip mine',
      'add chain ip mine filter { type filter hook input priority 5; }',
      'add rule ip mine filter tcp dport { 1, 2 } drop',
      'add table inet filter',
      'add chain inet filter INPUT { type filter hook input priority 6; }',
      'add rule inet filter INPUT tcp dport { 1, 2 } drop',
    ];
    expect(ask('v4', [FILTER], native)).toMatchObject({ lost: '', rules: 1 });
  });
});

describe('a rule of nft that iptables-save prints as a different one is reported', () => {
  test.each([
    'tcp dport { 1, 2 } drop',
    'tcp dport vmap { 1 : accept }',
    'ip saddr { 10.0.0.0/8, 192.168.0.0/16 } accept',
    'ip daddr 10.0.0.1-10.0.0.9 drop',
    'iifname { "eth0", "eth1" } drop',
    'meta l4proto { tcp, udp } drop',
    'icmp type { echo-request, echo-reply } drop',
    'udp length 5 drop',
    'tcp dport 1 tcp dport 2 drop',
  ])('%s', (rule) => {
    const { lost, saved } = ask('v4', [FILTER], [`add rule ip filter INPUT ${rule}`]);
    // Versions that cannot print the table are refused for that reason.
    if (saved !== '') expect(lost).toBe('rule 2 of INPUT (table ip filter)');
  });

  test.each([
    'tcp dport 1 drop',
    'tcp dport 5-9 drop',
    'ip daddr != 10.0.0.1 drop',
    'iifname "eth*" drop',
    'limit rate 5/minute accept',
    'meta mark 5 drop',
  ])('not %s, which it prints correctly', (rule) => {
    expect(ask('v4', [FILTER], [`add rule ip filter INPUT ${rule}`]).lost).toBe('');
  });

  test('of IPv6', () => {
    const { lost } = ask('v6', [FILTER], ['add rule ip6 filter INPUT tcp dport { 1, 2 } drop']);
    expect(lost).toBe('rule 2 of INPUT (table ip6 filter)');
  });
});
