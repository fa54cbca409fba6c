/** `check`: everything that needs no host: the policy itself, its lints, what it compiles to, guards, tests, lock-out. */
import { byLocation, formatProblem, hasErrors, type Problem, type Result } from '../lib/problem.js';
import { oneSidedFlows } from '../map/fleet-map.js';
import { lintFleet } from '../policy/lint/lint.js';
import { checkHost } from '../rollout/plan/check-host.js';
import { chooseHosts, type FleetOptions } from './inputs/fleet.js';

export interface CheckOptions extends FleetOptions {
  readonly acceptLockoutRisk?: readonly string[];
}

export interface Checked {
  readonly hosts: number;
  readonly rules: number;
}

/** Checks the policy. @returns the number of hosts and rules, or every problem of level error */
export async function check(options: CheckOptions): Promise<Result<Checked>> {
  const chosen = await chooseHosts(options);
  if (!chosen.ok) return chosen;
  const { fleet, hosts } = chosen.value;
  const checked = hosts.map((host) => checkHost(fleet, host, options.acceptLockoutRisk ?? []));
  const problems = distinct([
    ...chosen.problems,
    ...lintFleet(fleet),
    ...checked.flatMap((one) => one.problems),
    ...oneSidedFlows(
      fleet,
      checked.flatMap((one) => one.desired ?? []),
    ),
  ]);
  if (hasErrors(problems)) return { ok: false, problems };
  const rules = checked.reduce((sum, one) => sum + one.rules, 0);
  return { ok: true, value: { hosts: hosts.length, rules }, problems };
}

/** A problem of a role is found once for each of its hosts. */
function distinct(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((problem) => [formatProblem(problem), problem])).values()].toSorted(
    byLocation,
  );
}
