/** `drift`: whether the hosts still run, keep and boot what the policy says. */
import type { Result } from '../problem.js';
import { type DriftOptions, driftFleet } from '../rollout/drift.js';
import type { Drift } from '../rollout/model.js';
import { chooseHosts, type FleetOptions, type OpenPort, type Reader, withHosts } from './fleet.js';

export async function drift(
  options: FleetOptions & DriftOptions,
  open: OpenPort<Reader>,
): Promise<Result<Drift>> {
  return withHosts(await chooseHosts(options), open, ({ fleet, hosts }, port) =>
    driftFleet(fleet, hosts, port, options),
  );
}
