import type { Problem } from '../../src/problem.js';
import { findAnomalies } from '../../src/traffic/anomalies.js';
import { host, ruleset, table } from './rules.js';

const anomalies = (v4: string): readonly Problem[] => findAnomalies(ruleset({ v4 }));
const short = (problems: readonly Problem[]): readonly string[] =>
  problems.map(({ id, place }) => `${id} ${place?.line}`);
const filter = (...rules: readonly string[]): string => table('filter', rules, { INPUT: 'DROP' });

test('a host without anomalies has none', () => {
  const rules = host(
    '-A INPUT -p tcp -m tcp --dport 443 -m conntrack --ctstate NEW -j ACCEPT',
    '-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -j ACCEPT',
  );
  expect(anomalies(rules)).toEqual([]);
});

test('several earlier rules together hide one', () => {
  const found = anomalies(
    filter(
      '-A INPUT -s 10.0.0.0/9 -j DROP',
      '-A INPUT -s 10.128.0.0/9 -j DROP',
      '-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT',
    ),
  );
  expect(found).toMatchObject([
    {
      id: 'shadowed-rule',
      level: 'warning',
      message:
        '"-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT" (filter) can never match: its packets are dropped before, by "-A INPUT -s 10.0.0.0/9 -j DROP" at rules.v4:3, "-A INPUT -s 10.128.0.0/9 -j DROP" at rules.v4:4.',
      place: { file: 'rules.v4', line: 5 },
    },
  ]);
});

test('decided the same before, and decided the same behind', () => {
  const wide = '-A INPUT -p tcp -m tcp --dport 80:90 -j ACCEPT';
  const narrow = '-A INPUT -p tcp -m tcp --dport 85 -j ACCEPT';
  expect(short(anomalies(filter(wide, narrow)))).toEqual(['redundant-rule 4']);
  expect(short(anomalies(filter(narrow, wide)))).toEqual(['redundant-rule 3']);
});

test('conditions that exclude one another', () => {
  expect(
    short(anomalies(filter('-A INPUT -s 10.0.0.0/8 -m iprange --src-range 11.0.0.1-11.0.0.9 -j ACCEPT'))),
  ).toEqual(['dead-rule 3']);
});

test('a chain to which no such packet is led', () => {
  const found = anomalies(filter('-A INPUT -s 10.0.0.0/8 -j OFFICE', '-A OFFICE -s 11.0.0.0/8 -j ACCEPT'));
  expect(found.map(({ message }) => message)).toEqual([
    '"-A OFFICE -s 11.0.0.0/8 -j ACCEPT" (filter) can never match: rules that lead to OFFICE let no such packet through.',
  ]);
});

test('a rule in a chain is alive if one caller reaches it', () => {
  const rules = filter(
    '-A INPUT -p tcp -j WEB',
    '-A INPUT -p udp -j WEB',
    '-A WEB -p tcp -j ACCEPT',
    '-A WEB -s 10.0.0.0/8 -j ACCEPT',
  );
  expect(anomalies(rules)).toEqual([]);
});

test('a limit hides nothing, and a mark that changes hides nothing', () => {
  const limited = filter(
    '-A INPUT -p tcp -m limit --limit 1/sec -j DROP',
    '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
  );
  expect(anomalies(limited)).toEqual([]);
  const marked = table('mangle', [
    '-A PREROUTING -m mark --mark 0x1 -j ACCEPT',
    '-A PREROUTING -p tcp -j MARK --set-xmark 0x1/0xffffffff',
    '-A PREROUTING -m mark --mark 0x1 -j DROP',
  ]);
  expect(anomalies(marked)).toEqual([]);
});

test('what a limit let pass once, it need not let pass again', () => {
  const rules = [
    '-A INPUT -j SLOWLY',
    '-A INPUT -j FRIENDS',
    '-A SLOWLY -m limit --limit 5/min -j RETURN',
    '-A SLOWLY -j DROP',
    '-A FRIENDS -s 10.0.0.0/8 -j ACCEPT',
    '-A FRIENDS -j SLOWLY',
  ];
  expect(anomalies(table('filter', rules, { INPUT: 'ACCEPT' }))).toEqual([]);
});

test('a chain that is called twice does not make its own rules needless', () => {
  const dead = '-A INPUT -s 192.0.2.1/32 -j DROP';
  const calls = [
    '-A INPUT -j FRIENDS',
    '-A INPUT -p tcp -j FRIENDS',
    '-A FRIENDS -s 10.0.0.0/8 -p tcp -j ACCEPT',
  ];
  expect(short(anomalies(filter(dead, dead, ...calls)))).toEqual(['redundant-rule 5']);
  const open = '-A INPUT -p tcp -j ACCEPT';
  expect(short(anomalies(filter(dead, dead, ...calls.slice(1), open)))).toEqual([
    'redundant-rule 5',
    'redundant-rule 7',
  ]);
});
