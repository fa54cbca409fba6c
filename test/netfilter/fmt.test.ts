import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatRules } from '../../src/netfilter/fmt.js';

test('any accepted spelling becomes the one that iptables-save prints', () => {
  const text =
    '*filter\n:WEB -\n-A WEB -p tcp --dport https -j ACCEPT\n-P INPUT DROP\n-A INPUT -s 10/8 -g WEB\nCOMMIT';
  expect(formatRules(text, 'v4', 'rules.v4')).toEqual({
    ok: true,
    problems: [],
    value: `*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:WEB - [0:0]
-A INPUT -s 10.0.0.0/8 -g WEB
-A WEB -p tcp -m tcp --dport 443 -j ACCEPT
COMMIT
`,
  });
});

test('what the kernel would refuse is refused', () => {
  expect(formatRules('*filter\n-A INPUT -j NOWHERE\nCOMMIT\n', 'v4', 'rules.v4')).toMatchObject({
    ok: false,
    problems: [{ id: 'missing-chain', place: { file: 'rules.v4', line: 2 } }],
  });
});

const FOLDER = join(import.meta.dirname, '../../../shared/data/rulesets');
const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith('.v4')) : [];

test('real rulesets are formatted, and formatting again changes nothing', () => {
  for (const name of files) {
    const once = formatRules(readFileSync(join(FOLDER, name), 'utf8'), 'v4', name);
    expect(once.problems).toEqual([]);
    expect(once.ok && formatRules(once.value, 'v4', name)).toEqual(once);
  }
});
