/** `plan`: the live state of every host against the policy. */
import type { Result } from '../lib/problem.js';
import { type PlanOptions, planFleet } from '../rollout/plan/plan.js';
import { findingOf } from '../rollout/results/finding.js';
import type { Plan } from '../rollout/results/model.js';
import { inShard, type Shard } from '../rollout/results/shard.js';
import { chooseSound, type FleetOptions, type OpenHosts, type Reader, withHosts } from './inputs/fleet.js';

interface SharedPlanOptions extends PlanOptions {
  /** Only the hosts of this shard; the plan names those of the others. */
  readonly shard?: Shard;
}

/** Plans the chosen hosts, or one shard of them. */
export async function plan(
  { shard, ...options }: FleetOptions & SharedPlanOptions,
  open: OpenHosts<Reader>,
): Promise<Result<Plan>> {
  const chosen = await chooseSound(options);
  return withHosts(chosen, open, async ({ fleet, hosts }, client) => {
    const own = hosts.filter(({ name }) => inShard(name, shard));
    const made = await planFleet(fleet, own, client, options);
    if (shard === undefined) return made;
    const names = hosts.map(({ name }) => name);
    return { ...made, shard: { ...shard, fleet: names, policy: chosen.problems.map(findingOf) } };
  });
}
