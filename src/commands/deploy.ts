/** `deploy`: the canary, then wave after wave, each host by a transaction of its own. */
import { error, type Result } from '../lib/problem.js';
import { type DeployOptions, deployFleet } from '../rollout/deploy/deploy.js';
import type { Outcomes } from '../rollout/results/model.js';
import { isWhole } from '../rollout/results/part.js';
import { chooseSound, type FleetOptions, type OpenHosts, withHosts } from './inputs/fleet.js';

export async function deploy(
  options: FleetOptions & DeployOptions,
  open: OpenHosts,
): Promise<Result<Outcomes>> {
  const { part = {} } = options;
  if (part.shard !== undefined && isWhole(part)) return { ok: false, problems: [NO_SHARD] };
  return withHosts(await chooseSound(options), open, ({ fleet, hosts }, port) =>
    deployFleet(fleet, hosts, port, options),
  );
}

const NO_SHARD = error(
  'wave-without-shards',
  'The canary, and hosts that others are reached through, are changed by one job each.',
  undefined,
  'Leave the shard out where the wave is canary or bastions.',
);
