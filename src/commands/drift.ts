/** `drift`: whether the hosts still run, keep and boot what the policy says. */
import type { Result } from '../lib/problem.js';
import { type DriftOptions, driftFleet } from '../rollout/drift/drift.js';
import type { Drift } from '../rollout/results/model.js';
import { chooseHosts, type FleetOptions, type OpenHosts, type Reader, withHosts } from './inputs/fleet.js';

/** Compares the policy with live, saved and boot rules of the chosen hosts. */
export async function drift(
  options: FleetOptions & DriftOptions,
  open: OpenHosts<Reader>,
): Promise<Result<Drift>> {
  return withHosts(await chooseHosts(options), open, ({ fleet, hosts }, client) =>
    driftFleet(fleet, hosts, client, options),
  );
}
