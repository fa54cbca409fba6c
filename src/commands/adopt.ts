/** `adopt`: turns changes made by hand on the hosts into a change of the policy, for review. */
import { createTwoFilesPatch } from 'diff';
import { adoptFleet } from '../adopt/adopt-fleet.js';
import type { Result } from '../lib/problem.js';
import { policyFiles } from '../policy/load.js';
import type { DriftOptions } from '../rollout/drift/drift.js';
import type { Adoption } from '../rollout/results/adoption.js';
import { chooseHosts, type FleetOptions, type OpenHosts, type Reader, withHosts } from './inputs/fleet.js';

/** Reads the hosts and returns the change of the policy; writes nothing. */
export async function adopt(
  options: FleetOptions & DriftOptions,
  open: OpenHosts<Reader>,
): Promise<Result<Adoption>> {
  const files = await policyFiles(options.policies);
  if (!files.ok) return files;
  return withHosts(await chooseHosts(options), open, ({ fleet, hosts }, client) =>
    adoptFleet(fleet, files.value, hosts, client, {
      ...options,
      date: options.today ?? new Date().toISOString().slice(0, 10),
    }),
  );
}

/** The change of the policy as a patch for `git apply`; empty if there is none. */
export const adoptionPatch = ({ files }: Adoption): string =>
  files
    .map(({ path, before, after }) => {
      // `git apply` refuses absolute paths.
      const name = path.replace(/^\/+/, '');
      return createTwoFilesPatch(`a/${name}`, `b/${name}`, before, after, undefined, undefined, {
        context: 3,
        headerOptions: { includeIndex: false, includeUnderline: false, includeFileHeaders: true },
      });
    })
    .join('');
