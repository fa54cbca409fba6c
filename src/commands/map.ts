/** `map`: who may talk to whom, from the rules of every host together, without a host. */
import { compileHost } from '../compile/rules/compile.js';
import { hasErrors, type Problem, type Result } from '../lib/problem.js';
import type { MapHost } from '../map/context.js';
import { type MapResult, mapFleet } from '../map/fleet-map.js';
import type { Fleet, Host } from '../policy/fleet.js';
import { chooseHosts } from './inputs/fleet.js';

export interface MapOptions {
  readonly policies: string;
  /** The folder with an earlier policy, to show what changes. */
  readonly before?: string;
}

/** The map of the policy, compared with the policy in `before` if given. */
export async function map({ policies, before }: MapOptions): Promise<Result<MapResult>> {
  const after = await compiled(policies);
  const earlier = before === undefined ? undefined : await compiled(before);
  const problems = [...after.problems, ...(earlier?.problems ?? [])];
  if (!after.ok || earlier?.ok === false) return { ok: false, problems };
  const { fleet, hosts } = after.value;
  return { ok: true, value: mapFleet(fleet, hosts, earlier?.value), problems };
}

interface Compiled {
  readonly fleet: Fleet;
  readonly hosts: readonly MapHost[];
}

async function compiled(policies: string): Promise<Result<Compiled>> {
  const chosen = await chooseHosts({ policies });
  if (!chosen.ok) return chosen;
  const { fleet, hosts } = chosen.value;
  const problems: Problem[] = [...chosen.problems];
  const rulesets = hosts.flatMap((host: Host): readonly MapHost[] => {
    const made = compileHost(fleet, host);
    problems.push(...made.problems);
    return made.ok ? [{ host, ruleset: made.value }] : [];
  });
  return hasErrors(problems)
    ? { ok: false, problems }
    : { ok: true, value: { fleet, hosts: rulesets }, problems };
}
