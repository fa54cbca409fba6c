/** The map of the fleet after a plan is deployed, compared with what the hosts run now. */
import type { MapHost } from '../../map/context.js';
import { mapFleet } from '../../map/fleet-map.js';
import type { Fleet } from '../../policy/fleet.js';
import { findingOf } from '../results/finding.js';
import type { PlanMap } from '../results/model.js';
import type { HostAssessment } from './assess.js';

/** The map of a plan; hosts without a plan are listed as missing. */
export function planMap(fleet: Fleet, assessed: readonly HostAssessment[]): PlanMap {
  const deployable = assessed.flatMap((one) => one.deployable ?? []);
  const hosts = deployable.map(
    ({ host, transitions }): MapHost => ({ host, ruleset: transitions.live.next }),
  );
  const before = deployable.map(
    ({ host, transitions }): MapHost => ({ host, ruleset: transitions.live.before }),
  );
  const { map, notes } = mapFleet(fleet, hosts, { hosts: before });
  const unread = assessed
    .filter((one) => one.deployable === undefined)
    .map(({ plan: { host, reason } }) => ({ host, why: reason ?? 'It has no plan.' }));
  return {
    ...map,
    // A reviewer cannot open the location of a live rule.
    edges: map.edges.map((edge) => ({ ...edge, rules: edge.rules.filter(({ kind }) => kind === 'policy') })),
    missing: [...map.missing, ...unread],
    notes: notes.map(findingOf),
  };
}
