/** Checks of one host that need no connection: what its policy compiles to, and what that proves. */
import { compileHost } from '../../compile/rules/compile.js';
import { FAMILIES } from '../../lib/family.js';
import { error, note, type Problem, warning } from '../../lib/problem.js';
import { list } from '../../lib/text.js';
import type { MapHost } from '../../map/context.js';
import type { IpSet, Ruleset, Tables } from '../../netfilter/model.js';
import { validate } from '../../netfilter/rule/validate.js';
import { setsNamedBy } from '../../netfilter/tables.js';
import type { Fleet, Host } from '../../policy/fleet.js';
import { isAccepted } from '../../policy/lint/lint.js';
import { ON_THE_HOST } from '../../policy/resolve/raw.js';
import { findAnomalies } from '../../traffic/questions/anomalies.js';
import { blockedEssentials } from '../../traffic/questions/essentials.js';
import { proveGuards, runPolicyTests } from '../../traffic/questions/guards.js';
import { proveLockout } from '../../traffic/questions/lockout.js';

interface HostCheck {
  readonly rules: number;
  readonly problems: readonly Problem[];
  /** Absent where it does not compile. */
  readonly desired?: MapHost;
}

/**
 * The problems of a host's policy, without reading the host.
 * @param accepted Names of hosts whose lockout proof may fail.
 */
export function checkHost(fleet: Fleet, host: Host, accepted: readonly string[]): HostCheck {
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

function lockout(
  fleet: Fleet,
  host: Host,
  desired: Ruleset,
  accepted: readonly string[],
): readonly Problem[] {
  const question = { admin: fleet.admin, addresses: host.addresses, port: host.ssh.port };
  const bans = setsOfBans(desired);
  const read = { ...desired, sets: [...desired.sets, ...bans] };
  const proof = proveLockout(read, question, { addresses: host.addresses });
  if (proof.verdict === 'proved') return bans.length === 0 ? [] : [unreadBans(host, bans)];
  const what =
    proof.verdict === 'violated'
      ? `The policy locks out SSH to ${host.name}.`
      : `Cannot prove that the policy allows SSH to ${host.name}.`;
  const report = accepted.includes(host.name) ? warning : error;
  return [
    report(
      proof.verdict === 'violated' ? 'lockout' : 'lockout-not-proven',
      [what, ...proof.reasons].join(' '),
      { location: host.location, hint: `Allow the admin networks to reach port ${host.ssh.port}.` },
    ),
  ];
}

/**
 * Sets that the policy does not declare and by which its rules only refuse: what a program has banned is on the host, so
 * that here they count as empty.
 */
function setsOfBans({ v4, v6, sets }: Ruleset): readonly IpSet[] {
  const named = (tables: Tables, refusing: boolean): readonly string[] =>
    tables
      .flatMap(({ chains }) => chains.flatMap(({ rules }) => rules))
      .filter(({ target }) => (target?.name === 'DROP' || target?.name === 'REJECT') === refusing)
      .flatMap(setsNamedBy);
  const others = new Set([...named(v4, false), ...named(v6, false), ...sets.map(({ name }) => name)]);
  const empty = (tables: Tables, family: string): readonly IpSet[] =>
    [...new Set(named(tables, true))]
      .filter((name) => !others.has(name))
      .map((name) => ({ name, type: 'hash:ip', options: `family ${family}`, members: [] }));
  const found = [...empty(v4, 'inet'), ...empty(v6, 'inet6')];
  return [...new Map(found.map((set) => [set.name, set])).values()];
}

const unreadBans = ({ name, location }: Host, bans: readonly IpSet[]): Problem =>
  note(
    'bans-not-read',
    `The lock-out proof of ${name} takes ${list(
      bans.map((set) => set.name),
      4,
    )} as empty: what they refuse is known on the host alone.`,
    { location, hint: 'A plan reads their members.' },
  );

/** Only raw rules can be before the baseline; a baseline without ICMP is found by a lint. */
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
