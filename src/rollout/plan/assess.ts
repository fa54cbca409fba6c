/** One host of a plan: from its state to what will change, what that means, and what speaks against it. */

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
import { stateFindings, takenOver } from './findings.js';
import { impactOf } from './impact.js';
import { machineOf } from './machine.js';
import { type HostTransitions, sameRuleset, transitionsOf } from './transition.js';

/** A host whose plan could be made, with everything that a deploy needs. */
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
  /** Hosts whose lock-out proof may fail. */
  readonly acceptLockoutRisk?: readonly string[];
  /** Instead of what the policy compiles to: a known-good state of the host. */
  readonly desired?: Ruleset;
  /** Also ask what the host is doing now, and say what the plan means for that. */
  readonly activity?: boolean;
  /** Work out which traffic changes, as long as that takes. Default true. */
  readonly traffic?: boolean;
}

/** Reads one host and assesses it. Never throws for a host's fault. */
export async function readAndAssess(
  fleet: Fleet,
  host: Host,
  client: Pick<HostClient, 'read'>,
  options: AssessOptions = {},
): Promise<HostAssessment> {
  const reading = await client.read(host, { activity: options.activity === true });
  return assess(fleet, host, reading, options);
}

/** Pure: the same reading gives the same plan. */
export function assess(
  fleet: Fleet,
  host: Host,
  reading: Reading,
  options: AssessOptions = {},
): HostAssessment {
  if (reading.status !== 'read') return { host, plan: withoutPlan(host, reading.status, [reading.problem]) };
  const compiled = options.desired === undefined ? compileHost(fleet, host) : known(options.desired);
  if (!compiled.ok) return { host, plan: withoutPlan(host, 'error', compiled.problems) };
  const { state } = reading;
  const transitions = transitionsOf(fleet, host, state, compiled.value);
  if (!transitions.ok) return { host, plan: withoutPlan(host, 'error', transitions.problems) };
  return {
    host,
    plan: planOf(
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

const known = (value: Ruleset) => ({ ok: true, value, problems: [] }) as const;

/** An `error` or `unreachable` host says why in one sentence, and all of it in its findings. */
function withoutPlan(host: Host, status: 'unreachable' | 'error', problems: readonly Problem[]): HostPlan {
  const [first] = problems.filter(({ level }) => level === 'error');
  return {
    host: host.name,
    status,
    reason: first === undefined ? 'Nothing more is known.' : formatProblem(first),
    findings: problems.slice(first === undefined ? 0 : 1).map(findingOf),
  };
}

function planOf(
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
  const machine = machineOf(state);
  const traffic =
    options.traffic === false
      ? undefined
      : compareTraffic(before, next, { addresses: ownAddresses(host, state) });
  const expired = expiredRules(fleet, host);
  // An earlier state may break what the policy has come to say since; it must still be there to go back to.
  const statements =
    options.desired === undefined
      ? [...proveGuards(fleet, host, next), ...runPolicyTests(fleet, host, next)]
      : [];
  const findings = [
    ...problems,
    ...takenOver(transitions.live.problems, traffic),
    ...expiryNotes(rules, expired),
    ...statements,
    ...stateFindings(fleet, host, state, transitions),
    ...impact(fleet, host, state, transitions),
  ];
  return {
    host: host.name,
    status: sameRuleset(before, next) ? 'unchanged' : 'changed',
    live: rulesetDigest(before, fleet.ownership),
    next: rulesetDigest(next, fleet.ownership),
    ...(machine === undefined ? {} : { machine }),
    rules,
    sets,
    ...(traffic === undefined ? {} : { traffic: withExpiry(traffic, expired) }),
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

/** Every address that the kernel takes for its own. */
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
    // Behind a port forwarding, sshd listens elsewhere than the policy connects to.
    port: sshPort ?? host.ssh.port,
    ...(client === undefined ? {} : { client }),
  };
  const proof = proveLockout(next, question, { addresses: ownAddresses(host, state) });
  return { ...proof, accepted: proof.verdict !== 'proved' && acceptLockoutRisk.includes(host.name) };
}
