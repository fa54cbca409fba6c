/** `adopt`: what was changed on the hosts by hand becomes a change of the policy, to be reviewed as any other. */
import { createTwoFilesPatch } from 'diff';
import { adoptFleet } from '../adopt/adopt-fleet.js';
import type { Result } from '../lib/problem.js';
import { policyFiles } from '../policy/load.js';
import type { DriftOptions } from '../rollout/drift/drift.js';
import type { Adoption } from '../rollout/results/adoption.js';
import { chooseHosts, type FleetOptions, type OpenHosts, type Reader, withHosts } from './inputs/fleet.js';

/** Reads the hosts and says how the policy would change; writes nothing. */
export async function adopt(
  options: FleetOptions & DriftOptions,
  open: OpenHosts<Reader>,
): Promise<Result<Adoption>> {
  const files = await policyFiles(options.policies);
  if (!files.ok) return files;
  return withHosts(await chooseHosts(options), open, ({ fleet, hosts }, port) =>
    adoptFleet(fleet, files.value, hosts, port, {
      ...options,
      date: options.today ?? new Date().toISOString().slice(0, 10),
    }),
  );
}

/** The change of the policy as `git apply` takes it; empty when nothing changes. */
export const adoptionPatch = ({ files }: Adoption): string =>
  files
    .map(({ path, before, after }) => {
      // Git takes no path from the root.
      const name = path.replace(/^\/+/, '');
      return createTwoFilesPatch(`a/${name}`, `b/${name}`, before, after, undefined, undefined, {
        context: 3,
        headerOptions: { includeIndex: false, includeUnderline: false, includeFileHeaders: true },
      });
    })
    .join('');
