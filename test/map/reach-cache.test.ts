import { createReachCache } from '../../src/map/reach-cache.js';
import { DROPS, ruleset, table } from '../traffic/rules.js';

const SETS = 'create guests hash:ip family inet hashsize 1024 maxelem 65536\nadd guests 10.0.0.1\n';
const GUESTS = '-A INPUT -p tcp -m set --match-set guests src -m tcp --dport 22 -j ACCEPT';
const keyOf = (() => {
  const reach = createReachCache();
  return (rules: readonly string[], addresses: readonly string[]): string =>
    reach({ ruleset: ruleset({ v4: table('filter', rules, DROPS), sets: SETS }), addresses }, 'INPUT').key;
})();

test('hosts with equal rules of one hook share its reach, whatever their other rules', () => {
  const [one, other] = [['192.0.2.1'], ['192.0.2.2']];
  expect(keyOf([GUESTS, '-A OUTPUT -j DROP'], other)).toBe(keyOf([GUESTS], one));
  expect(keyOf(['-A INPUT -d 192.0.2.1/32 -j ACCEPT'], other)).not.toBe(
    keyOf(['-A INPUT -d 192.0.2.1/32 -j ACCEPT'], one),
  );
});

test('chains reached by -g alone count', () => {
  const chain = (port: number): readonly string[] => [
    '-A INPUT -p tcp -g WEB',
    `-A WEB -p tcp -m tcp --dport ${port} -j ACCEPT`,
  ];
  expect(keyOf(chain(22), ['192.0.2.1'])).not.toBe(keyOf(chain(80), ['192.0.2.1']));
});

test('a set that rules of another hook fill makes a different key', () => {
  const knock = '-A OUTPUT -p udp -m udp --dport 53 -j SET --add-set guests dst';
  expect(keyOf([GUESTS, knock], ['192.0.2.1'])).not.toBe(keyOf([GUESTS], ['192.0.2.1']));
});
