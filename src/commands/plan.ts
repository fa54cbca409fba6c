/** `plan`: the live state of every host against the policy. */
import type { Result } from '../problem.js';
import type { Plan } from '../rollout/model.js';
import { type PlanOptions, planFleet } from '../rollout/plan.js';
import { chooseSound, type FleetOptions, type OpenPort, type Reader, withHosts } from './fleet.js';

export async function plan(
  options: FleetOptions & PlanOptions,
  open: OpenPort<Reader>,
): Promise<Result<Plan>> {
  return withHosts(await chooseSound(options), open, ({ fleet, hosts }, port) =>
    planFleet(fleet, hosts, port, options),
  );
}
