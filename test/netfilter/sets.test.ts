import fc from 'fast-check';
import { parseSets, printSets } from '../../src/netfilter/sets.js';

const parse = (text: string) => {
  const parsed = parseSets(text, 'sets');
  if (!parsed.ok) throw new Error(parsed.problems.map((problem) => problem.message).join('\n'));
  return parsed.value;
};

test('sets come by name, lists of sets last, members by address', () => {
  const sets = parse(`create all list:set size 8
create web hash:net family inet hashsize 1024 maxelem 65536
create admin hash:ip family inet6
add all web
add web 10.0.0.10
add web 10.0.0.9
add web 9.0.0.0/8
add admin 2001:DB8:0:0::2
add admin 2001:db8::1/128
`);
  expect(sets.map(({ location: _, ...set }) => set)).toEqual([
    { name: 'admin', type: 'hash:ip', options: 'family inet6', members: ['2001:db8::1', '2001:db8::2'] },
    {
      name: 'web',
      type: 'hash:net',
      options: 'family inet hashsize 1024 maxelem 65536',
      members: ['9.0.0.0/8', '10.0.0.9', '10.0.0.10'],
    },
    { name: 'all', type: 'list:set', options: 'size 8', members: ['web'] },
  ]);
});

test('options of a member stand in ipset’s order', () => {
  const [set] = parse(
    'create a hash:net comment timeout 0\nadd a 10.1.2.3/8 comment "x y" nomatch timeout 5\n',
  );
  expect(set?.members).toEqual(['10.0.0.0/8 timeout 5 nomatch comment "x y"']);
});

test('the same sets are the same text, whatever the order of their members', () => {
  const member = fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => `10.${a}.${b}.0/24`);
  fc.assert(
    fc.property(fc.uniqueArray(member, { minLength: 1 }), (members) => {
      const text = (list: readonly string[]): string =>
        `create a hash:net family inet\n${list.map((each) => `add a ${each}\n`).join('')}`;
      const printed = printSets(parse(text(members)));
      expect(printSets(parse(text(members.toReversed())))).toBe(printed);
      expect(printSets(parse(printed))).toBe(printed);
    }),
  );
});

test('no sets are the empty text', () => {
  expect(printSets([])).toBe('');
  expect(parse('# nothing\n\n')).toEqual([]);
});

test.each([
  ['add admin 10.0.0.1\n', 'unknown-set', 1, 5],
  ['create web hash:net\nadd wed 10.0.0.1\n', 'unknown-set', 2, 5],
  ['create web hash:net\ncreate web hash:net\n', 'set-twice', 2, 8],
  ['create web\n', 'missing-value', 1, 1],
  ['create web hash:net\nadd web\n', 'missing-value', 2, 1],
  ['create web nohash\n', 'bad-set-type', 1, 12],
  [`create ${'x'.repeat(32)} hash:net\n`, 'bad-set-name', 1, 8],
  ['flush web\n', 'unknown-word', 1, 1],
  ['create web hash:net\r\n', 'carriage-return', 1, 20],
  ['create web hash:net\nadd web 10.0.0.1 comment "open\n', 'open-quote', 2, 26],
])('%j: %s', (text, id, line, column) => {
  const parsed = parseSets(text, 'sets');
  expect(parsed.ok).toBe(false);
  expect(parsed.problems[0]).toMatchObject({ id, location: { kind: 'host', file: 'sets', line, column } });
});
