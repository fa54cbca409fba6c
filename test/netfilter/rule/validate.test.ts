import type { IpSet } from '../../../src/netfilter/model.js';
import { validate } from '../../../src/netfilter/rule/validate.js';
import { parseSave } from '../../../src/netfilter/text/parse.js';

const problems = (text: string, sets?: readonly IpSet[], family: 'v4' | 'v6' = 'v4') => {
  const parsed = parseSave(text, family, 'rules.v4');
  if (!parsed.ok) throw new Error(parsed.problems.map((problem) => problem.message).join('\n'));
  return validate(parsed.value, family, sets, 'rules.v4');
};

const filter = (...lines: readonly string[]): string => `*filter\n${lines.join('\n')}\nCOMMIT\n`;

test.each([
  ['a jump to a chain that is missing', filter(':OWN - [0:0]', '-A INPUT -j OWM'), 'missing-chain', 3],
  ['an option after a jump', filter(':OWN - [0:0]', '-A INPUT -j OWN --dport 22'), 'chain-with-options', 3],
  ['a jump to a built-in chain', filter('-A INPUT -j OUTPUT'), 'jump-to-built-in', 2],
  ['a loop', filter(':A - [0:0]', ':B - [0:0]', '-A INPUT -j A', '-A A -j B', '-A B -g A'), 'jump-loop', 6],
  ['a chain that jumps to itself', filter(':A - [0:0]', '-A INPUT -j A', '-A A -j A'), 'jump-loop', 4],
  ['a target in the wrong table', filter('-A INPUT -j TTL --ttl-set 5'), 'wrong-table', 2],
  ['DROP in nat', '*nat\n-A PREROUTING -j DROP\nCOMMIT\n', 'wrong-table', 2],
  ['a target in the wrong hook', '*nat\n-A PREROUTING -j MASQUERADE\nCOMMIT\n', 'wrong-hook', 2],
  ['a match in the wrong hook', filter('-A INPUT -m owner --uid-owner 0'), 'wrong-hook', 2],
  [
    'a match in a chain that a wrong hook reaches',
    filter(':A - [0:0]', ':B - [0:0]', '-A INPUT -j A', '-A A -j B', '-A B -m owner --uid-owner 0'),
    'wrong-hook',
    6,
  ],
  [
    'a hook that is wrong for one option',
    filter('-A OUTPUT -m policy --dir in --pol ipsec'),
    'wrong-hook',
    2,
  ],
  ['-o where packets come in', filter('-A INPUT -o eth0'), 'interface-in-hook', 2],
  ['-i where packets go out', filter('-A OUTPUT -i eth0'), 'interface-in-hook', 2],
  ['a rule that nothing matches', filter('-A INPUT ! -s 0.0.0.0/0 -j DROP'), 'never-matches', 2],
  ['TCPMSS without SYN', filter('-A FORWARD -p tcp -j TCPMSS --set-mss 1400'), 'bad-combination', 2],
])('%s', (_, text, id, line) => {
  expect(problems(text)).toMatchObject([{ id, level: 'error', location: { file: 'rules.v4', line } }]);
});

test.each([
  ['chains in a row', filter(':A - [0:0]', ':B - [0:0]', '-A INPUT -j A', '-A A -j B', '-A INPUT -j B')],
  ['an owner in OUTPUT', filter(':A - [0:0]', '-A OUTPUT -j A', '-A A -m owner --uid-owner 0')],
  ['a chain that no hook reaches', '*nat\n:A - [0:0]\n-A A -j MASQUERADE\nCOMMIT\n'],
  ['a loop that no hook reaches', filter(':A - [0:0]', '-A A -j A')],
  ['TCPMSS on SYN', filter('-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu')],
  ['an unknown extension', filter('-A INPUT -m future --x 1 -j ACCEPT')],
])('%s is fine', (_, text) => {
  expect(problems(text)).toEqual([]);
});

test('a missing chain one letter off is suggested', () => {
  expect(problems(filter(':WEB - [0:0]', '-A INPUT -j WEBB'))[0]?.hint).toBe('Did you mean WEB?');
});

test('sets are checked when it is known which will exist', () => {
  const text = filter('-A INPUT -m set --match-set admin src', '-A INPUT -j SET --add-set seen src');
  const admin: IpSet = { name: 'admin', type: 'hash:net', options: 'family inet', members: [] };
  expect(problems(text)).toEqual([]);
  expect(problems(text, [admin])).toMatchObject([{ id: 'missing-set', location: { line: 3 } }]);
  expect(problems(text, [])).toHaveLength(2);
});

test('a chain of ten thousand jumps is checked without running out of stack', () => {
  const chains = Array.from({ length: 10_000 }, (_, index) => `:C${index} - [0:0]`);
  const jumps = Array.from({ length: 9_999 }, (_, index) => `-A C${index} -j C${index + 1}`);
  expect(problems(filter(...chains, '-A INPUT -j C0', ...jumps))).toEqual([]);
  expect(problems(filter(...chains, '-A INPUT -j C0', ...jumps, '-A C9999 -j C0'))).toMatchObject([
    { id: 'jump-loop' },
  ]);
});
