/** The plan of one host: what changes, what that means for traffic, and what the problems are. */
import { rulesetDigest } from '../../compile/merge/digest.js';
import { compileHost } from '../../compile/rules/compile.js';
import type { HostClient, HostState, Reading } from '../../host/client.js';
import { formatProblem, type Problem } from '../../lib/problem.js';
import { diffSets, diffTables } from '../../netfilter/diff.js';
import type { Ruleset } from '../../netfilter/model.js';
import type { Fleet, Host } from '../../policy/fleet.js';
import { isAccepted } from '../../policy/lint/lint.js';
import type { LockoutProof } from '../../traffic/model.js';
import { compareTraffic } from '../../traffic/questions/compare.js';
import { proveGuards, runPolicyTests } from '../../traffic/questions/guards.js';
import { proveLockout } from '../../traffic/questions/lockout.js';
import { findingOf } from '../results/finding.js';
import type { HostPlan } from '../results/model.js';
import { expiredRules, expiryNotes, withExpiry } from './expiry.js';
import { mergeTakeover, stateFindings } from './findings.js';
import { impactOf } from './impact.js';
import { machineOf } from './machine.js';
import { type HostTransitions, sameRuleset, transitionsOf } from './transition.js';

/** What a deploy needs of a host whose plan could be made. */
export interface DeployableHost {
  readonly host: Host;
  readonly state: HostState;
  readonly transitions: HostTransitions;
  readonly ownership: Fleet['ownership'];
}

export interface HostAssessment {
  readonly host: Host;
  readonly plan: HostPlan;
  readonly deployable?: DeployableHost;
}

export interface AssessOptions {
  /** Names of hosts whose lockout proof may fail. */
  readonly acceptLockoutRisk?: readonly string[];
  /** A known-good state of the host, instead of what the policy compiles to. */
  readonly desired?: Ruleset;
  /** Also read the current flows and listening ports, and report what the plan means for them. */
  readonly activity?: boolean;
  /** Compute which traffic changes, which may take long. Default true. */
  readonly traffic?: boolean;
}

/** Reads one host and makes its plan. Never throws for a problem of the host. */
export async function readAndAssess(
  fleet: Fleet,
  host: Host,
  client: Pick<HostClient, 'read'>,
  options: AssessOptions = {},
): Promise<HostAssessment> {
  const reading = await client.read(host, { activity: options.activity === true });
  return assess(fleet, host, reading, options);
}

/** The plan of a host from what was read of it. Pure. */
export function assess(
  fleet: Fleet,
  host: Host,
  reading: Reading,
  options: AssessOptions = {},
): HostAssessment {
  if (reading.status !== 'read') return { host, plan: withoutPlan(host, reading.status, [reading.problem]) };
  const compiled = options.desired === undefined ? compileHost(fleet, host) : compiledAs(options.desired);
  if (!compiled.ok) return { host, plan: withoutPlan(host, 'error', compiled.problems) };
  const { state } = reading;
  const transitions = transitionsOf(fleet, host, state, compiled.value);
  if (!transitions.ok) return { host, plan: withoutPlan(host, 'error', transitions.problems) };
  return {
    host,
    plan: hostPlan(
      fleet,
      host,
      state,
      transitions.value,
      [...compiled.problems, ...transitions.problems],
      options,
    ),
    deployable: { host, state, transitions: transitions.value, ownership: fleet.ownership },
  };
}

const compiledAs = (value: Ruleset) => ({ ok: true, value, problems: [] }) as const;

/** The first error is the reason, the other problems are findings. */
function withoutPlan(host: Host, status: 'unreachable' | 'error', problems: readonly Problem[]): HostPlan {
  const [first] = problems.filter(({ level }) => level === 'error');
  return {
    host: host.name,
    status,
    reason: first === undefined ? 'The reason is not known.' : formatProblem(first),
    findings: problems.slice(first === undefined ? 0 : 1).map(findingOf),
  };
}

function hostPlan(
  fleet: Fleet,
  host: Host,
  state: HostState,
  transitions: HostTransitions,
  problems: readonly Problem[],
  options: AssessOptions,
): HostPlan {
  const { before, next, foreign } = transitions.live;
  const rules = { v4: diffTables(before.v4, next.v4), v6: diffTables(before.v6, next.v6) };
  const sets = diffSets(before.sets, next.sets);
  const traffic =
    options.traffic === false
      ? undefined
      : compareTraffic(before, next, { addresses: ownAddresses(host, state) });
  const expired = expiredRules(fleet, host);
  // A known-good state may violate newer guards and tests; it must still be possible to go back to it.
  const violations =
    options.desired === undefined
      ? [...proveGuards(fleet, host, next), ...runPolicyTests(fleet, host, next)]
      : [];
  const findings = [
    ...problems,
    ...mergeTakeover(transitions.live.problems, traffic),
    ...expiryNotes(rules, expired),
    ...violations,
    ...stateFindings(fleet, host, state, transitions),
    ...impact(fleet, host, state, transitions),
  ];
  return {
    host: host.name,
    status: sameRuleset(before, next) ? 'unchanged' : 'changed',
    live: rulesetDigest(before, fleet.ownership),
    next: rulesetDigest(next, fleet.ownership),
    machine: machineOf(state),
    rules,
    sets,
    traffic: traffic && withExpiry(traffic, expired),
    lockout: lockoutOf(fleet, host, state, next, options.acceptLockoutRisk ?? []),
    findings: findings.filter((problem) => !isAccepted(fleet, host, problem)).map(findingOf),
    foreign,
  };
}

function impact(fleet: Fleet, host: Host, state: HostState, { live }: HostTransitions): readonly Problem[] {
  if (state.activity === undefined || fleet.skipActivity) return [];
  const addresses = ownAddresses(host, state).filter((one) => one !== '::1' && !one.startsWith('127.'));
  const { activity } = state;
  return impactOf(fleet, { host, activity, addresses, before: live.before, next: live.next });
}

/** All local addresses of the host. */
const ownAddresses = (host: Host, { facts }: HostState): readonly string[] => [
  ...new Set([...host.addresses, ...facts.addresses]),
];

function lockoutOf(
  fleet: Fleet,
  host: Host,
  state: HostState,
  next: Ruleset,
  acceptLockoutRisk: readonly string[],
): LockoutProof {
  const { client, sshPort } = state.facts;
  const question = {
    admin: fleet.admin,
    addresses: host.addresses,
    // With a port forwarding, sshd listens on another port than the policy connects to.
    port: sshPort ?? host.ssh.port,
    client,
  };
  const proof = proveLockout(next, question, { addresses: ownAddresses(host, state) });
  return { ...proof, accepted: proof.verdict !== 'proved' && acceptLockoutRisk.includes(host.name) };
}
