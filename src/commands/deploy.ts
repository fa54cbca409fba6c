/** `deploy`: the canary, then wave after wave, each host by a transaction of its own. */
import { error, failure, type Result } from '../lib/problem.js';
import { type DeployOptions, deployFleet } from '../rollout/deploy/deploy.js';
import type { Outcomes } from '../rollout/results/model.js';
import { isWhole } from '../rollout/results/waves.js';
import { chooseSound, type FleetOptions, type OpenHosts, withHosts } from './inputs/fleet.js';

/** Deploys to the chosen hosts; a failed host is an outcome, not a problem. */
export async function deploy(
  options: FleetOptions & DeployOptions,
  open: OpenHosts,
): Promise<Result<Outcomes>> {
  const { part = {} } = options;
  if (part.shard !== undefined && isWhole(part)) return failure(NO_SHARD);
  return withHosts(await chooseSound(options), open, ({ fleet, hosts }, client) =>
    deployFleet(fleet, hosts, client, options),
  );
}

const NO_SHARD = error('wave-without-shards', 'The canary and the bastions are deployed by one job each.', {
  hint: 'Do not combine --shard with the waves canary and bastions.',
});
