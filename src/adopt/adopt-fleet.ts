/**
 * Takes drift into the policy, one difference after another. Each edit is proved first: the edited policy is read and
 * compiled as any other, and must have the same effect on every packet as the live rules. Other differences are left,
 * with the reason.
 */
import pMap from 'p-map';
import { compileHost } from '../compile/rules/compile.js';
import type { HostClient } from '../host/client.js';
import { formatProblem } from '../lib/problem.js';
import type { Fleet, Host } from '../policy/fleet.js';
import { driftOf } from '../rollout/drift/drift.js';
import { transitionsOf } from '../rollout/plan/transition.js';
import type { Adoption, HostAdoption } from '../rollout/results/adoption.js';
import type { OnEvent } from '../rollout/results/events.js';
import { type Candidate, candidatesFor, entryBehind, fromRole } from './candidates.js';
import { changedInPolicy, deployedOn } from './deployed.js';
import { type Difference, differencesOf, type RulesetPair } from './differences.js';
import { applyEdits, type Files, fileOf } from './edits.js';
import { describeDifference } from './format.js';
import {
  type AdoptionWork,
  type DriftedHost,
  hasNoEffect,
  type TrialResult,
  tryCandidate,
} from './try-candidate.js';

export interface AdoptFleetOptions {
  /** `YYYY-MM-DD`. */
  readonly date: string;
  readonly parallel?: number;
  readonly onEvent?: OnEvent;
}

/**
 * Reads the hosts and finds the edits of the policy that take their drift into it; changes nothing.
 * @param files the policy that the fleet was read from, by path
 */
export async function adoptFleet(
  fleet: Fleet,
  files: Files,
  hosts: readonly Host[],
  client: Pick<HostClient, 'read'>,
  options: AdoptFleetOptions,
): Promise<Adoption> {
  const { date, onEvent = () => {} } = options;
  onEvent({ kind: 'begin', hosts: hosts.map(({ name }) => name) });
  const read = await pMap(
    hosts,
    async (host) => {
      onEvent({ kind: 'reading', host: host.name });
      const found = await readHost(fleet, host, client);
      const status = 'rulesets' in found ? 'drifted' : found.status === 'busy' ? 'error' : found.status;
      onEvent({ kind: 'read', host: host.name, status, words: '' });
      return found;
    },
    { concurrency: options.parallel ?? fleet.rollout.parallel },
  );
  const drifted = read.filter((one): one is DriftedHost => 'rulesets' in one);
  for (const host of drifted) setAsidePolicyChanges(host);
  const work: AdoptionWork = { fleet, files, date, edits: [] };
  adoptShared(work, drifted);
  for (const host of drifted) adoptOnHost(work, host);
  const after = applyEdits(files, work.edits);
  return {
    version: 1,
    date,
    hosts: read.flatMap((one): readonly HostAdoption[] => {
      if (!('rulesets' in one)) return one.status === 'read' ? [] : [one];
      const { host, taken, left } = one;
      return [{ host: host.name, status: 'read', taken, left }];
    }),
    files: [...files].flatMap(([path, before]) => {
      const now = after.get(path) ?? before;
      return now === before ? [] : [{ path, before, after: now }];
    }),
  };
}

/** A host with drift, or the result for one that has none or cannot be read. */
async function readHost(
  fleet: Fleet,
  host: Host,
  client: Pick<HostClient, 'read'>,
): Promise<DriftedHost | HostAdoption> {
  const reading = await client.read(host, { knownGood: 1 });
  const drift = driftOf(fleet, host, reading);
  const nothing = { host: host.name, taken: [], left: [] };
  if (drift.status === 'clean') return { ...nothing, status: 'read' };
  if (drift.status !== 'drifted' || reading.status !== 'read')
    return {
      ...nothing,
      status: drift.status === 'drifted' ? 'error' : drift.status,
      reason: drift.reason,
    };
  const { state } = reading;
  const compiled = compileHost(fleet, host);
  const transitions = compiled.ok ? transitionsOf(fleet, host, state, compiled.value) : compiled;
  if (!transitions.ok)
    return { ...nothing, status: 'error', reason: transitions.problems.map(formatProblem).join(' ') };
  const { before, next } = transitions.value.live;
  const rulesets: RulesetPair = { live: before, next, ownership: fleet.ownership };
  const [atBoot] = drift.live.length === 0 ? [...drift.saved, ...drift.boot] : [];
  return {
    host,
    state,
    rulesets,
    differences: differencesOf(rulesets),
    deployed: deployedOn(host, state),
    settled: new Set(),
    notByHand: new Set(),
    notedStates: new Set(),
    taken: [],
    left: atBoot === undefined ? [] : [{ message: atBoot.message, why: AT_BOOT }],
  };
}

const AT_BOOT = 'What is loaded at boot is not part of the policy; the next deploy rewrites it.';

/** Leaves the differences that come from changes of the policy since the last deploy. */
function setAsidePolicyChanges({ deployed, differences, left, notByHand }: DriftedHost): void {
  if (deployed === undefined) return;
  for (const difference of differences) {
    const why = changedInPolicy(difference, deployed);
    if (why === undefined) continue;
    notByHand.add(difference.key);
    left.push({ ...describeDifference(difference), why });
  }
}

/** Roles and networks apply to several hosts: they are edited if all of these hosts have the same difference. */
function adoptShared(work: AdoptionWork, hosts: readonly DriftedHost[]): void {
  const byKey = new Map<string, DriftedHost[]>();
  for (const host of hosts)
    for (const { key } of host.differences) byKey.set(key, [...(byKey.get(key) ?? []), host]);
  for (const [key, some] of byKey) {
    const [first] = some;
    const difference = first?.differences.find((one) => one.key === key);
    if (first === undefined || difference === undefined) continue;
    const candidate = sharedCandidate(work, difference, first);
    if (candidate === undefined) continue;
    const alike = some.filter(
      ({ differences, notByHand }) =>
        !notByHand.has(key) &&
        differences.some((one) => one.key === key && changeKey(one) === changeKey(difference)),
    );
    if (alike.length !== hostsSharing(work.fleet, difference, first.host).length) continue;
    const result = tryCandidate(work, candidate, alike, key);
    if (result.why === undefined) for (const host of alike) accept(host, difference, candidate, result);
  }
}

function sharedCandidate(
  work: AdoptionWork,
  difference: Difference,
  { host, differences }: DriftedHost,
): Candidate | undefined {
  if (difference.kind === 'removed') return fromRole(difference, host);
  return difference.kind === 'set' ? candidatesFor(difference, { ...work, host, differences })[0] : undefined;
}

/** The hosts of the role or network that a difference is about. */
function hostsSharing(fleet: Fleet, difference: Difference, host: Host): readonly Host[] {
  if (difference.kind === 'removed') {
    const origin = entryBehind(host, difference.rules[0]?.rule.location)?.origin;
    return fleet.hosts.filter(({ roles }) => origin !== undefined && roles.includes(origin));
  }
  return difference.kind === 'set'
    ? fleet.hosts.filter((one) => {
        const compiled = compileHost(fleet, one);
        return compiled.ok && compiled.value.sets.some(({ name }) => name === difference.name);
      })
    : [];
}

const changeKey = (difference: Difference): string =>
  difference.kind === 'set' ? JSON.stringify([difference.added, difference.removed]) : difference.key;

function adoptOnHost(work: AdoptionWork, host: DriftedHost): void {
  const { differences, settled, notByHand, left } = host;
  // Policies first: a chain with the policy ACCEPT has no last drop either.
  const order = ({ kind }: Difference): number => Number(kind !== 'policy');
  for (const difference of differences.toSorted((a, b) => order(a) - order(b))) {
    if (settled.has(difference.key) || notByHand.has(difference.key)) continue;
    // An added rule without effect needs no entry; a removed one can be removed from the policy as well.
    if (difference.kind === 'added' && leaveWithoutEffect(host, difference)) continue;
    const why = adoptDifference(work, host, difference);
    if (why === undefined || leaveWithoutEffect(host, difference)) continue;
    left.push({ ...describeDifference(difference), why: `${why} The next deploy reverts it.` });
  }
}

/** Leaves a difference that has no effect; `false` if it has one. */
function leaveWithoutEffect(host: DriftedHost, difference: Difference): boolean {
  if (!hasNoEffect(host, difference.key)) return false;
  host.settled.add(difference.key);
  const why = 'It has no effect on any packet; the next deploy reverts it.';
  host.left.push({ ...describeDifference(difference), why });
  return true;
}

/** Takes a difference into the policy; returns the reason if that is not possible. */
function adoptDifference(work: AdoptionWork, host: DriftedHost, difference: Difference): string | undefined {
  let why: string | undefined = NOT_POSSIBLE[difference.kind];
  // Sets are shared, and were tried before.
  const candidates =
    difference.kind === 'set'
      ? []
      : candidatesFor(difference, { ...work, host: host.host, differences: host.differences });
  for (const candidate of candidates) {
    const result = tryCandidate(work, candidate, [host], difference.key);
    why = result.why;
    if (why !== undefined) continue;
    accept(host, difference, candidate, result);
    break;
  }
  return why;
}

const NOT_POSSIBLE: { readonly [kind in Difference['kind']]: string } = {
  added: 'It jumps to a chain that is not in the policy, or is in one.',
  removed: 'It is part of the baseline, or of a role that other hosts have too.',
  moved: 'The order of these rules matters: change the order of the entries by hand.',
  policy: 'The policy cannot express it.',
  'entry-jump': 'Without the jump the rules of the policy have no effect.',
  set: 'Other hosts use this network without the change.',
};

function accept(
  { host, settled, notedStates, taken }: DriftedHost,
  difference: Difference,
  { edits, how, alsoCovers = [] }: Candidate,
  { untrackedStates }: TrialResult,
): void {
  for (const key of [difference.key, ...alsoCovers]) settled.add(key);
  const states = (untrackedStates.get(host.name) ?? []).filter((state) => !notedStates.has(state));
  for (const state of states) notedStates.add(state);
  const [first] = edits;
  taken.push({
    ...describeDifference(difference),
    how,
    file: first === undefined ? '' : fileOf(first),
    note:
      states.length === 0
        ? undefined
        : `The live rule also accepts packets in state ${states.join(' and ')}; the policy does not.`,
  });
}
