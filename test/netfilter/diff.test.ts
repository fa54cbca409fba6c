import fc from 'fast-check';
import { diffSets, diffTables } from '../../src/netfilter/diff.js';
import type { IpSet, Tables } from '../../src/netfilter/model.js';
import { parseSave } from '../../src/netfilter/text/parse.js';

const tables = (text: string): Tables => {
  const parsed = parseSave(text, 'v4', 'rules');
  if (!parsed.ok) throw new Error(parsed.problems.map((problem) => problem.message).join('\n'));
  return parsed.value;
};

/** A filter table whose INPUT accepts these ports in this order. */
const ports = (numbers: readonly number[], policy = 'ACCEPT'): Tables =>
  tables(
    `*filter\n:INPUT ${policy} [0:0]\n${numbers.map((port) => `-A INPUT -p tcp -m tcp --dport ${port} -j ACCEPT\n`).join('')}COMMIT\n`,
  );

const texts = (changes: readonly { readonly text: string }[]): readonly string[] =>
  changes.map(({ text }) => text.replace(/^-p tcp -m tcp --dport (\d+) -j ACCEPT$/, '$1'));

test('equal tables have no difference', () => {
  const nothing = { added: [], removed: [], moved: [], text: '' };
  expect(diffTables(ports([1, 2]), ports([1, 2]))).toEqual(nothing);
  expect(diffTables([], tables('*nat\nCOMMIT\n'))).toEqual(nothing);
});

test('rules added, removed and moved, as few as can be called moved', () => {
  const diff = diffTables(ports([1, 2, 3, 4, 5]), ports([5, 1, 2, 6, 4]));
  expect(texts(diff.added)).toEqual(['6']);
  expect(texts(diff.removed)).toEqual(['3']);
  expect(texts(diff.moved)).toEqual(['5']);
  expect(diff.added[0]).toEqual({
    table: 'filter',
    chain: 'INPUT',
    text: '-p tcp -m tcp --dport 6 -j ACCEPT',
    source: { kind: 'host', file: 'rules', line: 6, column: 4 },
  });
});

test('a rule that stands twice is counted twice', () => {
  expect(texts(diffTables(ports([1, 1, 2]), ports([1, 2])).removed)).toEqual(['1']);
  expect(texts(diffTables(ports([1, 2]), ports([1, 2, 2, 2])).added)).toEqual(['2', '2']);
});

test('a policy, a new chain and a chain that is gone', () => {
  const [before, after] = [
    tables('*filter\n:OLD - [0:0]\n-A OLD -j DROP\nCOMMIT\n'),
    tables('*filter\n:INPUT DROP [0:0]\n:NEW - [0:0]\nCOMMIT\n'),
  ];
  const diff = diffTables(before, after);
  expect(texts(diff.added)).toEqual(['-P INPUT DROP', '-N NEW']);
  expect(texts(diff.removed)).toEqual(['-P INPUT ACCEPT', '-j DROP', '-N OLD']);
});

test('the text is a unified diff chain by chain', () => {
  expect(diffTables(ports([1, 2, 3]), ports([1, 3, 4], 'DROP')).text).toBe(
    `--- filter INPUT
+++ filter INPUT
@@ -1,4 +1,4 @@
--P INPUT ACCEPT
+-P INPUT DROP
 -A INPUT -p tcp -m tcp --dport 1 -j ACCEPT
--A INPUT -p tcp -m tcp --dport 2 -j ACCEPT
 -A INPUT -p tcp -m tcp --dport 3 -j ACCEPT
+-A INPUT -p tcp -m tcp --dport 4 -j ACCEPT
`,
  );
});

test('a chain with thousands of changes ends in what went and what came', () => {
  const range = (from: number): readonly number[] => Array.from({ length: 4000 }, (_, index) => from + index);
  const diff = diffTables(ports(range(1)), ports(range(10_000)));
  expect([diff.added.length, diff.removed.length, diff.moved.length]).toEqual([4000, 4000, 0]);
  expect(diff.text).toContain('too many changes to align');
  expect(diff.text).toContain('--A INPUT -p tcp -m tcp --dport 4000 -j ACCEPT\n');
});

test('the parts add up: before, less what went, and what came, is after', () => {
  const list = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 12 });
  fc.assert(
    fc.property(list, list, (before, after) => {
      const diff = diffTables(ports(before), ports(after));
      const sorted = (numbers: readonly string[]): readonly string[] => numbers.toSorted();
      const kept = [...before.map(String)];
      for (const gone of texts(diff.removed)) kept.splice(kept.indexOf(gone), 1);
      expect(sorted([...kept, ...texts(diff.added)])).toEqual(sorted(after.map(String)));
      expect(diff.text === '').toBe(before.join() === after.join());
    }),
  );
});

test('what a set is made as counts, but not how large the kernel made its table', () => {
  const made = (options: string, type = 'hash:net'): IpSet => ({ name: 'a', type, options, members: ['1'] });
  const inet = 'family inet hashsize 1024 maxelem 65536';
  expect(diffSets([made(inet)], [made('family inet hashsize 2048 maxelem 65536 bucketsize 12')])).toEqual([]);
  expect(diffSets([made(inet)], [made(`${inet} timeout 600`)])).toEqual([
    {
      name: 'a',
      added: [],
      removed: [],
      options: {
        before: 'hash:net family inet maxelem 65536',
        after: 'hash:net family inet maxelem 65536 timeout 600',
      },
    },
  ]);
  expect(diffSets([made(inet)], [made(inet, 'hash:ip')])[0]?.options).toEqual({
    before: 'hash:net family inet maxelem 65536',
    after: 'hash:ip family inet maxelem 65536',
  });
});

test('members of sets added and removed, by set', () => {
  const set = (name: string, ...members: readonly string[]): IpSet => ({
    name,
    type: 'hash:net',
    options: '',
    members,
  });
  expect(
    diffSets(
      [set('a', '1', '2'), set('gone', '9'), set('same', '5')],
      [set('a', '2', '3'), set('new'), set('same', '5')],
    ),
  ).toEqual([
    { name: 'a', added: ['3'], removed: ['1'] },
    { name: 'gone', added: [], removed: ['9'] },
    { name: 'new', added: [], removed: [] },
  ]);
});
