import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatRules } from '../../../src/netfilter/text/fmt.js';

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
    problems: [{ id: 'missing-chain', location: { file: 'rules.v4', line: 2 } }],
  });
});

/** Each in a text of its own, with the location that an editor jumps to. */
const FLAWS: readonly (readonly [what: string, lines: readonly string[], line: number, column: number])[] = [
  ['a jump to a missing chain', ['*filter', '-A INPUT -j NOWHERE'], 2, 4],
  ['a jump loop', ['*filter', ':A - [0:0]', '-A INPUT -j A', '-A A -j A'], 4, 4],
  ['a target in the wrong table', ['*filter', '-A INPUT -j MASQUERADE'], 2, 4],
  ['a target in the wrong hook', ['*nat', '-A INPUT -j MASQUERADE'], 2, 4],
  ['a match in the wrong hook', ['*filter', '-A INPUT -m owner --uid-owner 0'], 2, 4],
  ['a chain name of 29 bytes', ['*filter', `:${'c'.repeat(29)} - [0:0]`], 2, 2],
  ['a jump to such a name', ['*filter', `-A INPUT -j ${'c'.repeat(29)}`], 2, 13],
  ['a log prefix of 30 bytes', ['*filter', `-A INPUT -j LOG --log-prefix ${'p'.repeat(30)}`], 2, 30],
  [
    'a log prefix of 28 letters and 30 bytes',
    ['*filter', `-A INPUT -j LOG --log-prefix ${'é'.repeat(2)}${'p'.repeat(26)}`],
    2,
    30,
  ],
  ['an NFLOG prefix of 128 bytes', ['*filter', `-A INPUT -j NFLOG --nflog-prefix ${'p'.repeat(128)}`], 2, 34],
  ['a comment of 256 bytes', ['*filter', `-A INPUT -m comment --comment ${'c'.repeat(256)}`], 2, 31],
  [
    '16 ports of a multiport',
    [
      '*filter',
      `-A INPUT -p tcp -m multiport --dports ${Array.from({ length: 16 }, (_, port) => port + 1).join(',')}`,
    ],
    2,
    39,
  ],
  [
    '8 ranges of a multiport',
    [
      '*filter',
      `-A INPUT -p udp -m multiport --sports ${Array.from({ length: 8 }, (_, port) => `${port * 10 + 1}:${port * 10 + 5}`).join(',')}`,
    ],
    2,
    39,
  ],
  ['an interface name of 16 bytes', ['*filter', '-A INPUT -i abcdefghijklmnop'], 2, 13],
];

describe('what iptables-restore --test lets through and the kernel refuses or cuts', () => {
  test.each(FLAWS)('%s', (_, lines, line, column) => {
    const formatted = formatRules(`${lines.join('\n')}\nCOMMIT\n`, 'v4', 'rules.v4');
    expect(formatted.problems.map(({ level, location }) => ({ level, location }))).toContainEqual({
      level: 'error',
      location: { kind: 'host', file: 'rules.v4', line, column },
    });
    expect(formatted.ok).toBe(false);
  });

  test.each([
    ['a chain name of 28 bytes', [`:${'c'.repeat(28)} - [0:0]`]],
    ['a log prefix of 29 bytes', [`-A INPUT -j LOG --log-prefix ${'p'.repeat(29)}`]],
    ['a comment of 255 bytes', [`-A INPUT -m comment --comment ${'c'.repeat(255)}`]],
    ['15 ports', ['-A INPUT -p tcp -m multiport --dports 1:2,3:4,5:6,7:8,9:10,11:12,13:14,15']],
  ])('%s just fits', (_, lines) => {
    expect(formatRules(`*filter\n${lines.join('\n')}\nCOMMIT\n`, 'v4', 'rules.v4').problems).toEqual([]);
  });
});

const FOLDER = join(import.meta.dirname, '../../../../shared/data/rulesets');
const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith('.v4')) : [];

test('real rulesets are formatted, and formatting again changes nothing', () => {
  for (const name of files) {
    const once = formatRules(readFileSync(join(FOLDER, name), 'utf8'), 'v4', name);
    expect(once.problems).toEqual([]);
    expect(once.ok && formatRules(once.value, 'v4', name)).toEqual(once);
  }
});
