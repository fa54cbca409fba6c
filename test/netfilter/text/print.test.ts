import { parseSave } from '../../../src/netfilter/text/parse.js';
import { printRule, printTables } from '../../../src/netfilter/text/print.js';

const TEXT = `*filter
:INPUT DROP [12:3456]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [18446744073709551615:1]
:OWN - [0:0]
[3:180] -A INPUT -i lo -j ACCEPT
[0:0] -A INPUT -j OWN
[1:1] -A OWN -m comment --comment "two words" -j RETURN
COMMIT
`;

const tables = (() => {
  const parsed = parseSave(TEXT, 'v4', 'live');
  if (!parsed.ok) throw new Error('does not parse');
  return parsed.value;
})();

test('with counters: what iptables-save -c prints', () => {
  expect(printTables(tables, { counters: true })).toBe(TEXT);
});

test('without: zeros for chains and none for rules', () => {
  expect(printTables(tables)).toBe(
    TEXT.replace(/^(:.*) \[\d+:\d+\]$/gm, '$1 [0:0]').replace(/^\[\d+:\d+\] /gm, ''),
  );
});

test('no tables are the empty text', () => {
  expect(printTables([])).toBe('');
});

test('one rule', () => {
  const chain = tables[0]?.chains[0];
  const rule = chain?.rules[0];
  if (chain === undefined || rule === undefined) throw new Error('no rule');
  expect(printRule(chain, rule)).toBe('-A INPUT -i lo -j ACCEPT');
  expect(printRule(chain, rule, { counters: true })).toBe('[3:180] -A INPUT -i lo -j ACCEPT');
});
