/** What is cached for one ruleset must not be used for another. */

import type { Packet, Verdict } from '../../../src/traffic/model.js';
import { compileRuleset } from '../../../src/traffic/program/compiled-ruleset.js';
import { explainer } from '../../../src/traffic/trace/explain.js';
import { DROPS, ruleset, table } from '../rules.js';

const PACKET: Packet = { hook: 'INPUT', src: '10.0.0.1', dst: '192.0.2.1', protocol: 'tcp', dport: 22 };

const verdict = (rule: string, sets = '', addresses: readonly string[] = []): Verdict =>
  explainer(ruleset({ v4: table('filter', [rule], DROPS), sets }), { addresses })(PACKET).verdict;

test('a rule matches the set of its own ruleset', () => {
  const rule = '-A INPUT -m set --match-set guests src -j ACCEPT';
  const create = 'create guests hash:ip family inet hashsize 1024 maxelem 65536\n';
  expect(verdict(rule, `${create}add guests 10.0.0.1\n`)).toBe('accept');
  expect(verdict(rule, `${create}add guests 10.0.0.2\n`)).toBe('drop');
  expect(verdict(rule)).toBe('unknown');
  expect(verdict(rule, `${create}add guests 10.0.0.1\n`)).toBe('accept');
});

test('a rule matches the addresses of its own host', () => {
  const rule = '-A INPUT -m addrtype --dst-type LOCAL -j ACCEPT';
  expect(verdict(rule, '', ['192.0.2.1'])).toBe('accept');
  expect(verdict(rule, '', ['192.0.2.2'])).toBe('unknown');
  expect(verdict(rule, '', ['192.0.2.1'])).toBe('accept');
});

test('one ruleset is compiled separately for the addresses of two hosts', () => {
  const given = ruleset({ v4: table('filter', ['-A INPUT -d 192.0.2.1/32 -j ACCEPT'], DROPS) });
  const compiled = [['192.0.2.1'], ['192.0.2.2'], ['192.0.2.1']].map((own) =>
    compileRuleset(given, 'v4', own),
  );
  expect(compiled.map(({ addresses }) => addresses)).toEqual([[3221225985n], [3221225986n], [3221225985n]]);
});

test('the state of a connection is unmodelled in the raw table', () => {
  const rule = '-p tcp -m conntrack --ctstate ESTABLISHED -j DROP';
  const raw = ruleset({
    v4: table('raw', [`-A PREROUTING ${rule}`]) + table('filter', [`-A INPUT ${rule}`]),
  });
  expect(explainer(raw)(PACKET).verdict).toBe('unknown');
  const filter = ruleset({ v4: table('filter', [`-A INPUT ${rule}`]) });
  expect(explainer(filter)(PACKET).verdict).toBe('accept');
});
