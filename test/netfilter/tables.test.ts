import type { Tables } from '../../src/netfilter/model.js';
import { equalTables, withBuiltIns } from '../../src/netfilter/tables.js';
import { parseSave } from '../../src/netfilter/text/parse.js';
import { printTables } from '../../src/netfilter/text/print.js';

const tables = (text: string): Tables => {
  const parsed = parseSave(text, 'v4', 'x');
  if (!parsed.ok) throw new Error('does not parse');
  return parsed.value;
};

const FILTER = '*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n';

test('absent tables are put in empty, those that are there stay', () => {
  expect(printTables(withBuiltIns(tables(FILTER), ['nat', 'filter']))).toBe(
    `${printTables(tables(FILTER))}*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n`,
  );
});

test.each([
  ['nothing and an empty table', '', '*filter\nCOMMIT\n', true],
  ['the same in another order', `*nat\nCOMMIT\n${FILTER}`, FILTER, true],
  ['other counters', FILTER.replace('[0:0]', '[5:5]'), FILTER, true],
  ['another policy', FILTER.replace('DROP', 'ACCEPT'), FILTER, false],
  ['another rule', FILTER.replace('lo', 'eth0'), FILTER, false],
  ['one rule more', FILTER.replace('COMMIT', '-A INPUT -i lo -j ACCEPT\nCOMMIT'), FILTER, false],
  ['a chain of one’s own', FILTER.replace('-A', ':OWN - [0:0]\n-A'), FILTER, false],
  ['nothing and a policy', '', '*filter\n:INPUT DROP [0:0]\nCOMMIT\n', false],
])('%s', (_, a, b, equal) => {
  expect(equalTables(tables(a), tables(b))).toBe(equal);
  expect(equalTables(tables(b), tables(a))).toBe(equal);
});
