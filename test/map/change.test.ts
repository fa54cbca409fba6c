/** What the map says of a change is what the traffic diff says, for policies made at random. */

import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { mapFleet } from '../../src/map/fleet-map.js';
import type { Flow } from '../../src/traffic/model.js';
import { compareTraffic } from '../../src/traffic/questions/compare.js';
import { fleetOf, hostsOf, linesOf, TIERS } from './fleet.js';

const NETWORKS = `networks:
  admin: [203.0.113.0/28, "2001:db8:a::/48"]
  office: [10.20.0.0/16, "2001:db8:20::/48"]
  floor: 10.20.30.0/24
`;

const rule = fc
  .tuple(
    fc.constantFrom('allow', 'allow', 'deny'),
    fc.constantFrom('http', 'web', 'tcp/8080', 'tcp/8000-9000', 'dns', 'any'),
    fc.constantFrom(
      'any',
      'office',
      'floor',
      '10.20.30.7',
      '"role:web"',
      'host:db-1',
      '172.16.0.0/12',
      'internet',
    ),
  )
  .map(([verb, service, from]) => `  - {${verb}: ${service}, from: ${from}, reason: R}\n`);

const policyOf = (web: readonly string[]): Readonly<Record<string, string>> => ({
  ...TIERS,
  'networks.yml': NETWORKS,
  'roles/web.yml': `input:\n${web.join('')}`,
});

/** A policy, and the same with a rule more or less: most changes are small. */
const change = fc
  .tuple(fc.array(rule, { minLength: 1, maxLength: 4 }), rule, fc.nat({ max: 4 }), fc.boolean())
  .map(([rules, more, at, forth]) => {
    const pair = [policyOf(rules), policyOf(rules.toSpliced(at, 0, more))] as const;
    return forth ? pair : ([pair[1], pair[0]] as const);
  });

/** Rows about new connections that are no ICMP: what a map tells. */
const told = (flows: readonly Flow[]): boolean =>
  flows.some(({ hook, protocol }) => hook === 'INPUT' && protocol !== 'icmp' && protocol !== 'ipv6-icmp');

test('something is new exactly when something opens, and gone exactly when something closes', () => {
  fc.assert(
    fc.property(change, ([one, other]) => {
      const [earlier, fleet] = [fleetOf(one), fleetOf(other)];
      const [before, after] = [hostsOf(earlier), hostsOf(fleet)];
      const mapped = mapFleet(fleet, after, { fleet: earlier, hosts: before });
      const diffs = after.map(({ host, ruleset }, index) =>
        compareTraffic(before[index]?.ruleset ?? ruleset, ruleset, { addresses: host.addresses }),
      );
      const has = (...kinds: readonly string[]): boolean =>
        mapped.map.edges.some(({ change = '' }) => kinds.includes(change));
      const [opens, closes] = [
        diffs.some(({ opened }) => told(opened)),
        diffs.some(({ closed }) => told(closed)),
      ];
      const lines = linesOf(mapped).join('\n');
      if (opens) expect({ lines, new: has('added', 'changed') }).toEqual({ lines, new: true });
      else expect({ lines, new: has('added') }).toEqual({ lines, new: false });
      if (closes) expect({ lines, gone: has('removed', 'changed') }).toEqual({ lines, gone: true });
      else expect({ lines, gone: has('removed') }).toEqual({ lines, gone: false });
      if (!opens && !closes) expect({ lines, changed: has('changed') }).toEqual({ lines, changed: false });
    }),
    { numRuns: 40 },
  );
});
