/** What `check` finds in the rules that a policy compiles to, and what the policy says is meant. */
import { expect, test } from '@jest/globals';
import { checkHost } from '../../src/rollout/plan/check-host.js';
import { fleetOf, host } from '../policy/policy.js';

function found(rules: string, accept = '') {
  const fleet = fleetOf({ 'hosts/web-1.yml': host(`${accept}${rules}`) });
  const [web1] = fleet.hosts;
  if (web1 === undefined) throw new Error('no host');
  return checkHost(fleet, web1, []).problems.map(({ id, location }) => [id, location?.line]);
}

const LOOPBACK = 'raw:\n  - {rule: -i lo -j DROP, table: mangle, chain: PREROUTING, reason: x}\n';
const NEIGHBOURS =
  'raw:\n  - {rule: -p ipv6-icmp -j DROP, table: raw, chain: PREROUTING, family: v6, reason: x}\n';

test('a raw rule that blocks loopback or neighbour discovery is reported with its line', () => {
  expect(found(LOOPBACK)).toEqual([['loopback-blocked', 3]]);
  expect(new Set(found(NEIGHBOURS).map(([id]) => id))).toEqual(new Set(['icmp-blocked']));
  expect(found(LOOPBACK.replace('-i lo', '-i eth0 -p udp'))).toEqual([]);
});

test('a rule that can never match is reported, unless the finding is accepted', () => {
  const idle =
    'input:\n  - {allow: https, from: app, reason: x}\n  - {allow: https, from: 10.10.1.0/24, reason: y}\n';
  expect(found(idle)).toEqual([['redundant-rule', 4]]);
  expect(found(idle, 'accept: [{finding: redundant-rule, reason: It is meant}]\n')).toEqual([]);
  expect(found(LOOPBACK, 'accept: [{finding: loopback-blocked, reason: It is meant}]\n')).toEqual([]);
});
