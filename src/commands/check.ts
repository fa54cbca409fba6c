/** `check`: everything that needs no host: the policy itself, its lints, what it compiles to, guards, tests, lock-out. */
import { compileHost } from '../compile/compile.js';
import { oneSidedFlows } from '../map/fleet-map.js';
import type { MapHost } from '../map/map.js';
import { FAMILIES, type Ruleset } from '../netfilter/model.js';
import { validate } from '../netfilter/validate.js';
import type { Fleet, Host } from '../policy/fleet.js';
import { isAccepted, lintFleet } from '../policy/lint/lint.js';
import { ON_THE_HOST } from '../policy/raw.js';
import { byPlace, error, formatProblem, hasErrors, type Problem, type Result, warning } from '../problem.js';
import { findAnomalies } from '../traffic/anomalies.js';
import { blockedEssentials } from '../traffic/essentials.js';
import { proveGuards, runPolicyTests } from '../traffic/guards.js';
import { proveLockout } from '../traffic/lockout.js';
import { chooseHosts, type FleetOptions } from './fleet.js';

export interface CheckOptions extends FleetOptions {
  readonly acceptLockoutRisk?: readonly string[];
}

export interface Checked {
  readonly hosts: number;
  readonly rules: number;
}

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

export interface CheckedHost {
  readonly rules: number;
  readonly problems: readonly Problem[];
  /** Where it compiles. */
  readonly desired?: MapHost;
}

/** What can be known of one host without asking it. */
export function checkHost(fleet: Fleet, host: Host, accepted: readonly string[]): CheckedHost {
  const compiled = compileHost(fleet, host);
  if (!compiled.ok) return { rules: 0, problems: compiled.problems };
  const { value: desired } = compiled;
  const invalid = FAMILIES.flatMap((family) =>
    validate(desired[family], family, desired.sets, `${host.name} ${family}`),
  ).filter(({ id, place }) => !(ON_THE_HOST.has(id) && host.raw.some((raw) => raw.place === place)));
  const problems = [
    ...compiled.problems,
    ...invalid,
    ...findAnomalies(desired, host.addresses),
    ...essentials(host, desired),
    ...proveGuards(fleet, host, desired),
    ...runPolicyTests(fleet, host, desired),
    ...lockout(fleet, host, desired, accepted),
  ];
  return {
    rules: countRules(desired),
    desired: { host, ruleset: desired },
    problems: problems.filter((problem) => !isAccepted(fleet, host, problem)),
  };
}

/** Only literal rules can stand before the baseline; that it leaves out ICMP is a lint. */
const essentials = (host: Host, desired: Ruleset): readonly Problem[] =>
  host.raw.length === 0
    ? []
    : blockedEssentials(desired, host.addresses).filter(
        ({ id }) => id !== 'icmp-blocked' || host.baseline.icmp !== 'none',
      );

const countRules = (ruleset: Ruleset): number =>
  FAMILIES.flatMap((family) => ruleset[family])
    .flatMap(({ chains }) => chains)
    .reduce((sum, { rules }) => sum + rules.length, 0);

function lockout(
  fleet: Fleet,
  host: Host,
  desired: Ruleset,
  accepted: readonly string[],
): readonly Problem[] {
  const question = { admin: fleet.admin, addresses: host.addresses, port: host.ssh.port };
  const proof = proveLockout(desired, question, { addresses: host.addresses });
  if (proof.verdict === 'proved') return [];
  const what =
    proof.verdict === 'violated'
      ? `The policy locks SSH out of ${host.name}.`
      : `It could not be proved that the policy lets SSH in to ${host.name}.`;
  const report = accepted.includes(host.name) ? warning : error;
  return [
    report(
      proof.verdict === 'violated' ? 'lockout' : 'lockout-not-proven',
      [what, ...proof.reasons].join(' '),
      host.place,
      `Let the admin networks reach port ${host.ssh.port}.`,
    ),
  ];
}

/** What a role says is said of each of its hosts, and found as often. */
function distinct(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((problem) => [formatProblem(problem), problem])).values()].toSorted(
    byPlace,
  );
}
