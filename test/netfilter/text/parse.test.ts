/** Whole texts: tables, chains, policies, counters, commands, and where what is wrong with them stands. */
import { parseSave } from '../../../src/netfilter/text/parse.js';
import { printTables } from '../../../src/netfilter/text/print.js';

const parse = (text: string) => parseSave(text, 'v4', 'rules.v4');
const printed = (text: string): string => {
  const parsed = parse(text);
  return parsed.ok ? printTables(parsed.value) : parsed.problems.map((problem) => problem.message).join('\n');
};

test('no text is no tables', () => {
  for (const text of ['', '\n', '# only a comment\n'])
    expect(parse(text)).toEqual({ ok: true, value: [], problems: [] });
});

test('chains come as the kernel lists them: built-in, then by name', () => {
  const text = '*filter\n:b - [0:0]\n:OUTPUT DROP [0:0]\n:A - [0:0]\n-A OUTPUT -j b\nCOMMIT\n';
  expect(printed(text)).toBe(
    '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT DROP [0:0]\n:A - [0:0]\n:b - [0:0]\n-A OUTPUT -j b\nCOMMIT\n',
  );
});

test('tables come in one order, and the last section of a table counts', () => {
  const text = '*nat\nCOMMIT\n*filter\n-A INPUT -j DROP\nCOMMIT\n*filter\n-A INPUT -j ACCEPT\nCOMMIT\n';
  const parsed = parse(text);
  expect(parsed.ok && parsed.value.map((table) => table.name)).toEqual(['nat', 'filter']);
  expect(printed(text)).not.toContain('DROP');
});

test('rules and chains know their counters and places', () => {
  const parsed = parse('*filter\n:INPUT DROP [7:9]\n[1:2] -A INPUT -j ACCEPT\nCOMMIT\n');
  const chain = parsed.ok ? parsed.value[0]?.chains[0] : undefined;
  expect(chain?.counters).toEqual({ packets: 7n, bytes: 9n });
  expect(chain?.rules[0]).toMatchObject({
    counters: { packets: 1n, bytes: 2n },
    location: { file: 'rules.v4', line: 3 },
  });
});

test.each([
  ['a missing newline at the end', '*filter\n-A INPUT -j ACCEPT\nCOMMIT'],
  ['tabs and many spaces', '*filter\n\t-A\tINPUT   -j ACCEPT \nCOMMIT\n'],
  ['a long command', '*filter\n--append INPUT --jump ACCEPT\nCOMMIT\n'],
  ['a chain joined to its command', '*filter\n-AINPUT -j ACCEPT\nCOMMIT\n'],
  ['a rule that comes and goes', '*filter\n-A INPUT -j DROP\n-D INPUT -j DROP\n-A INPUT -j ACCEPT\nCOMMIT\n'],
  ['a deleted number', '*filter\n-A INPUT -j ACCEPT\n-A INPUT -j DROP\n-D INPUT 2\nCOMMIT\n'],
  ['a flushed chain', '*filter\n-A INPUT -j DROP\n-F INPUT\n-I INPUT -j ACCEPT\nCOMMIT\n'],
  ['a chain that is deleted again', '*filter\n-N OWN\n-X OWN\n-A INPUT -j ACCEPT\nCOMMIT\n'],
])('%s is read', (_, text) => {
  expect(printed(text)).toBe(
    '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -j ACCEPT\nCOMMIT\n',
  );
});

test('-I puts rules where it says, a list of addresses backwards as iptables does', () => {
  const text =
    '*filter\n-A INPUT -s 1.1.1.1\n-A INPUT -s 2.2.2.2\n-I INPUT 2 -s 3.3.3.3,4.4.4.4\n-P INPUT DROP\nCOMMIT\n';
  expect(
    printed(text)
      .split('\n')
      .filter((line) => /INPUT/.test(line)),
  ).toEqual([
    ':INPUT DROP [0:0]',
    '-A INPUT -s 1.1.1.1/32',
    '-A INPUT -s 4.4.4.4/32',
    '-A INPUT -s 3.3.3.3/32',
    '-A INPUT -s 2.2.2.2/32',
  ]);
});

test.each([
  ['*filter\n-A INPUT -j ACCEPT\r\nCOMMIT\r\n', 'carriage-return', 2, 19],
  ['-A INPUT -j ACCEPT\n', 'no-table', 1, 1],
  ['*nosuch\nCOMMIT\n', 'unknown-table', 1, 2],
  ['*filter\n-A INPUT -j ACCEPT\n', 'missing-commit', 3, 1],
  ['*filter\n*nat\nCOMMIT\n', 'missing-commit', 2, 1],
  ['*filter\n-A INPUTT -j ACCEPT\nCOMMIT\n', 'unknown-chain', 2, 4],
  ['*filter\n:OWN ACCEPT [0:0]\nCOMMIT\n', 'bad-policy', 2, 1],
  ['*filter\n:INPUT REJECT [0:0]\nCOMMIT\n', 'bad-policy', 2, 1],
  ['*filter\n:INPUT\nCOMMIT\n', 'bad-policy', 2, 1],
  ['*filter\n:INPUT ACCEPT [0:0\nCOMMIT\n', 'bad-chain-line', 2, 1],
  ['*filter\n:OWN - [0:0]\n:OWN - [0:0]\nCOMMIT\n', 'chain-twice', 3, 2],
  ['*filter\n:a_chain_name_of_29_characters - [0:0]\nCOMMIT\n', 'bad-chain-name', 2, 2],
  ['*filter\n:ACCEPT - [0:0]\nCOMMIT\n', 'bad-chain-name', 2, 2],
  ['*filter\n-N LOG\nCOMMIT\n', 'bad-chain-name', 2, 4],
  ['*filter\n-I INPUT 3 -j ACCEPT\nCOMMIT\n', 'bad-rule-number', 2, 4],
  ['*filter\n-D INPUT -j ACCEPT\nCOMMIT\n', 'no-such-rule', 2, 4],
  ['*nat\n-P PREROUTING DROP\nCOMMIT\n', 'bad-policy', 2, 15],
  ['*filter\nnonsense\nCOMMIT\n', 'no-command', 2, 1],
  ['*filter\n[5:6]\nCOMMIT\n', 'no-command', 2, 1],
  ['*filter\n-N OWN x\nCOMMIT\n', 'bad-word', 2, 8],
  ['*filter\n-P INPUT DROP [5:6]\nCOMMIT\n', 'bad-word', 2, 15],
  ['*filter\n-F INPUT FORWARD\nCOMMIT\n', 'bad-word', 2, 10],
  ['*filter\n-A INPUT -j DROP\n-D INPUT 1 -j DROP\nCOMMIT\n', 'bad-word', 3, 12],
  ['*filter\n-N OWN\n-A OWN -j DROP\n-X OWN\nCOMMIT\n', 'chain-not-empty', 4, 4],
  ['*filter\n-A INPUT -j OWN\n:OWN - [0:0]\nCOMMIT\n', 'late-chain', 3, 2],
  ['*filter\n-A INPUT -p tcp --dport 70000 -j ACCEPT\nCOMMIT\n', 'bad-value', 2, 25],
  ['*filter\n-A INPUT -m comment --comment "open\nCOMMIT\n', 'open-quote', 2, 31],
])('%j: %s', (text, id, line, column) => {
  const parsed = parse(text);
  expect(parsed.ok).toBe(false);
  expect(parsed.problems.find((problem) => problem.id === id)).toMatchObject({
    level: 'error',
    location: { kind: 'host', file: 'rules.v4', line, column },
  });
});

test('-D takes the rules of a list of addresses out one by one', () => {
  const text = '*filter\n-A INPUT -s 1.1.1.1,2.2.2.2,3.3.3.3\n-D INPUT -s 1.1.1.1,2.2.2.2\nCOMMIT\n';
  expect(printed(text).match(/^-A .*/gm)).toEqual(['-A INPUT -s 3.3.3.3/32']);
});

test('a jump goes to the chain of that name before it means a target', () => {
  const text = (rule: string) => `*filter\n:LOG - [0:0]\n:HL - [0:0]\n-A INPUT ${rule}\nCOMMIT\n`;
  const target = (rule: string) => {
    const parsed = parse(text(rule));
    return parsed.ok ? parsed.value[0]?.chains[0]?.rules[0]?.target : parsed.problems;
  };
  expect(target('-j LOG')).toMatchObject({ name: 'LOG', chain: true });
  expect(target('-j HL')).toMatchObject({ name: 'HL', chain: true });
  expect(target('-j MARK --set-mark 1')).toMatchObject({ name: 'MARK', chain: false });
});

test('all problems of a file are reported, in the order of its lines', () => {
  const parsed = parse(
    '*filter\n-A INPUTT -j ACCEPT\n-A INPUT -s 1.2.3 -j ACCEPT\n-A INPUT -p tcp --dport x\nCOMMIT\n',
  );
  expect(parsed.problems.map(({ id, location }) => [id, location?.line])).toEqual([
    ['unknown-chain', 2],
    ['bad-address', 3],
    ['bad-value', 4],
  ]);
  expect(parsed.problems[0]?.hint).toBe('Did you mean INPUT?');
});
