/** What a parsed rule says of itself, and what is wrong with a bad one. */
import { parseRules } from '../../../src/netfilter/text/parse.js';

const location = { kind: 'policy' as const, file: 'policies/roles/web.yml', line: 7, column: 5 };
const parse = (text: string) => parseRules(text, { family: 'v4', table: 'filter', chain: 'INPUT', location });

test('a rule is data: conditions, matches with their options, target', () => {
  const parsed = parse(
    '! -s 10.0.0.0/8 -i eth+ -p tcp -m multiport ! --dports 22,80 -m set --match-set a src,dst -j LOG',
  );
  expect(parsed).toEqual({
    ok: true,
    problems: [],
    value: [
      {
        text: '! -s 10.0.0.0/8 -i eth+ -p tcp -m multiport ! --dports 22,80 -m set --match-set a src,dst -j LOG',
        source: { value: '10.0.0.0/8', negated: true },
        inInterface: { value: 'eth+', negated: false },
        protocol: { value: 'tcp', negated: false },
        matches: [
          {
            name: 'multiport',
            known: true,
            options: [{ flag: '--dports', negated: true, values: ['22,80'] }],
          },
          {
            name: 'set',
            known: true,
            options: [{ flag: '--match-set', negated: false, values: ['a', 'src,dst'] }],
          },
        ],
        target: { name: 'LOG', known: true, options: [], goto: false, chain: false },
        location,
      },
    ],
  });
});

test('a jump to a chain and a goto say so', () => {
  const [jump, goto] = ['-j OWN', '-g OWN'].map((text) => parse(text));
  expect(jump?.ok && jump.value[0]?.target).toEqual({
    name: 'OWN',
    known: true,
    options: [],
    goto: false,
    chain: true,
  });
  expect(goto?.ok && goto.value[0]?.target).toEqual({
    name: 'OWN',
    known: true,
    options: [],
    goto: true,
    chain: true,
  });
});

test.each([
  ['-p tcp --dprot 22', 'unknown-option', 'Did you mean --dport?'],
  ['--dport 22', 'unknown-option', 'It belongs to tcp, udp, sctp, dccp, which'],
  ['--colour blue', 'unknown-option', 'Load the match that has it with -m before it.'],
  ['--in eth0', 'unknown-option', undefined],
  ['-p icmpv6 -m icmp6 --icmpv6-type 128', 'wrong-family', 'Move the rule to the IPv6 rules'],
  ['-j HL --hl-set 5', 'wrong-family', 'or add -6, so that it applies to IPv6 only.'],
  ['-c 1 2 -c 3 4', 'option-twice', 'Keep one of them.'],
  ['! -c 1 2', 'bad-negation', 'before the option it negates'],
  ['-p tcp --dport ! 22', 'bad-negation', 'Write it before: ! --dport'],
  ['-m string --string x --algo BM', 'bad-value', 'Write one of bm, kmp.'],
  ['-s 10.0.0.300', 'bad-address', 'decimal'],
  ['-s web.example.net', 'bad-address', 'names are not resolved'],
  ['-s 10.0.0.0/33', 'bad-address', 'prefix length'],
  ['-d ! 10.0.0.1', 'bad-negation', 'Write it before: ! -d'],
  ['! -s 10.0.0.1,10.0.0.2', 'bad-negation', 'a chain or a set'],
  ['! ! -i eth0', 'bad-negation', 'Remove one or both.'],
  ['-i eth0 !', 'bad-negation', undefined],
  ['! -j ACCEPT', 'bad-negation', 'before the option it negates'],
  ['-p nosuch', 'bad-value', 'number'],
  ['-p tcp --dport nosuch', 'bad-value', 'port number'],
  ['-p tcp --dport 022', 'bad-value', undefined],
  ['-p tcp --dport 90000', 'bad-value', undefined],
  ['-p tcp --dport 5:3', 'bad-value', undefined],
  [
    '-p tcp -m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16',
    'bad-value',
    'Split the rule in two.',
  ],
  ['-m multiport --dports 22', 'bad-combination', 'Add -p tcp'],
  ['-m tcp --dport 22', 'bad-combination', 'Add -p tcp'],
  ['-p tcp -j REJECT --reject-with nothing', 'bad-value', 'Write one of'],
  ['-j REJECT --reject-with tcp-reset', 'bad-combination', undefined],
  ['-m conntrack', 'bad-combination', undefined],
  ['-m comment', 'bad-combination', undefined],
  [`-m comment --comment ${'x'.repeat(256)}`, 'bad-value', 'Shorten it'],
  ['-j LOG --log-prefix 123456789012345678901234567890', 'bad-value', 'Shorten it'],
  ['-j ACCEPT -j DROP', 'option-twice', 'Keep one of them.'],
  ['-p tcp -m tcp --dport 1 --dport 2', 'option-twice', 'Keep one of them.'],
  ['-j', 'missing-value', undefined],
  ['-j a_target_name_of_30_characters', 'bad-chain-name', undefined],
  ['-i ""', 'bad-interface', undefined],
  ['-i abcdefghijklmnop', 'bad-interface', undefined],
  ['-j ACCEPT stray', 'bad-word', undefined],
  ['-m comment --comment "open', 'open-quote', 'Close it'],
  ['-j ACCEPT\n-j DROP', 'line-break', undefined],
  ['-m limit --limit 5/fortnight', 'bad-value', undefined],
  ['-c 5 x -j ACCEPT', 'bad-counters', undefined],
  ['-ptcp -j ACCEPT', 'joined-value', 'Write the value as a separate word: --protocol tcp.'],
  ['-ieth0 -j ACCEPT', 'joined-value', '--in-interface eth0'],
  ['--source=10.0.0.1 -j ACCEPT', 'joined-value', '--source 10.0.0.1'],
  ['-i=eth0 -j ACCEPT', 'joined-value', 'word: --in-interface eth0.'],
])('%s: %s', (text, id, hint) => {
  const parsed = parse(text);
  expect(parsed.ok).toBe(false);
  const problem = parsed.problems.find((found) => found.id === id);
  expect(problem).toMatchObject({ id, level: 'error', location });
  if (hint !== undefined) expect(problem?.hint).toContain(hint);
});

test('a text may be "!", and /0 is everywhere whatever stands before it', () => {
  const text = (rule: string) => {
    const parsed = parse(rule);
    return parsed.ok ? parsed.value[0]?.text : parsed.problems;
  };
  expect(text('-m comment --comment !')).toBe('-m comment --comment "!"');
  expect(text('-s any/0 -d ::/0 -j DROP')).toBe('-j DROP');
});

test('all problems of a rule are reported', () => {
  const parsed = parse('-s 300.0.0.1 -p nosuch -j REJECT --reject-with x');
  expect(parsed.problems.map((problem) => problem.id)).toEqual(['bad-address', 'bad-value', 'bad-value']);
});
