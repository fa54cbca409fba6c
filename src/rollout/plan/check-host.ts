/** What can be known of one host without asking it: what its policy compiles to, and what that proves. */
import { compileHost } from '../../compile/rules/compile.js';
import { FAMILIES } from '../../lib/family.js';
import { error, type Problem, warning } from '../../lib/problem.js';
import type { MapHost } from '../../map/context.js';
import type { Ruleset } from '../../netfilter/model.js';
import { validate } from '../../netfilter/rule/validate.js';
import type { Fleet, Host } from '../../policy/fleet.js';
import { isAccepted } from '../../policy/lint/lint.js';
import { ON_THE_HOST } from '../../policy/resolve/raw.js';
import { findAnomalies } from '../../traffic/questions/anomalies.js';
import { blockedEssentials } from '../../traffic/questions/essentials.js';
import { proveGuards, runPolicyTests } from '../../traffic/questions/guards.js';
import { proveLockout } from '../../traffic/questions/lockout.js';

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
  ).filter(({ id, location }) => !(ON_THE_HOST.has(id) && host.raw.some((raw) => raw.location === location)));
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

export function lockout(
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
      host.location,
      `Let the admin networks reach port ${host.ssh.port}.`,
    ),
  ];
}

/** Only literal rules can stand before the baseline; that it leaves out ICMP is a lint. */
export const essentials = (host: Host, desired: Ruleset): readonly Problem[] =>
  host.raw.length === 0
    ? []
    : blockedEssentials(desired, host.addresses).filter(
        ({ id }) => id !== 'icmp-blocked' || host.baseline.icmp !== 'none',
      );

export const countRules = (ruleset: Ruleset): number =>
  FAMILIES.flatMap((family) => ruleset[family])
    .flatMap(({ chains }) => chains)
    .reduce((sum, { rules }) => sum + rules.length, 0);
