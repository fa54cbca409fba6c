/** The changes of a map agree with the traffic diff, for random policies. */

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

/** Two policies that differ in one rule. */
const changes = fc
  .tuple(fc.array(rule, { minLength: 1, maxLength: 4 }), rule, fc.nat({ max: 4 }), fc.boolean())
  .map(([rules, more, at, isAdded]) => {
    const pair = [policyOf(rules), policyOf(rules.toSpliced(at, 0, more))] as const;
    return isAdded ? pair : ([pair[1], pair[0]] as const);
  });

/** Rows about incoming connections other than ICMP, which a map leaves out. */
const isInMap = (flows: readonly Flow[]): boolean =>
  flows.some(({ hook, protocol }) => hook === 'INPUT' && protocol !== 'icmp' && protocol !== 'ipv6-icmp');

test('an edge is added exactly when traffic opens, and removed exactly when traffic closes', () => {
  fc.assert(
    fc.property(changes, ([one, other]) => {
      const [earlier, fleet] = [fleetOf(one), fleetOf(other)];
      const [before, after] = [hostsOf(earlier), hostsOf(fleet)];
      const mapped = mapFleet(fleet, after, { fleet: earlier, hosts: before });
      const diffs = after.map(({ host, ruleset }, index) =>
        compareTraffic(before[index]?.ruleset ?? ruleset, ruleset, { addresses: host.addresses }),
      );
      const has = (...kinds: readonly string[]): boolean =>
        mapped.map.edges.some(({ change = '' }) => kinds.includes(change));
      const [opens, closes] = [
        diffs.some(({ opened }) => isInMap(opened)),
        diffs.some(({ closed }) => isInMap(closed)),
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
