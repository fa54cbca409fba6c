/** `deploy`: the canary, then wave after wave, each host by a transaction of its own. */
import { error, type Result } from '../problem.js';
import { type DeployOptions, deployFleet } from '../rollout/deploy.js';
import type { Outcomes } from '../rollout/model.js';
import { isWhole } from '../rollout/part.js';
import { chooseSound, type FleetOptions, type OpenPort, withHosts } from './fleet.js';

export async function deploy(
  options: FleetOptions & DeployOptions,
  open: OpenPort,
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
