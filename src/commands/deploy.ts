/** `deploy`: the canary, then wave after wave, each host by a transaction of its own. */
import { error, type Result } from '../problem.js';
import { type DeployOptions, deployFleet } from '../rollout/deploy.js';
import type { Outcomes, Plan } from '../rollout/model.js';
import { chooseSound, type FleetOptions, type OpenPort, withHosts } from './fleet.js';

export async function deploy(
  options: FleetOptions & DeployOptions,
  open: OpenPort,
): Promise<Result<Outcomes>> {
  return withHosts(await chooseSound(options), open, ({ fleet, hosts }, port) =>
    deployFleet(fleet, hosts, port, options),
  );
}

/** A reviewed plan as `plan --format json` wrote it. */
export function readPlan(text: string, file: string): Result<Plan> {
  const bad = (why: string): Result<Plan> => ({
    ok: false,
    problems: [
      error(
        'bad-plan',
        `${file} is not a plan of this version: ${why}.`,
        undefined,
        'Write one with `sallyport plan --format json --output plan.json`.',
      ),
    ],
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return bad('it is not JSON');
  }
  const { version, digest, hosts } = (value ?? {}) as Partial<Plan>;
  if (version !== 1) return bad('its version is not 1');
  if (typeof digest !== 'string' || !Array.isArray(hosts)) return bad('it has no digest or no hosts');
  if (!hosts.every(isHostPlan)) return bad('a host in it has no name or no status');
  return { ok: true, value: value as Plan, problems: [] };
}

const isHostPlan = (value: unknown): boolean => {
  const { host, status } = (value ?? {}) as { readonly host?: unknown; readonly status?: unknown };
  return typeof host === 'string' && typeof status === 'string';
};
