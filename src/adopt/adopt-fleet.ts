/**
 * Takes drift into the policy, one difference after the other. Each is proved before it counts: the changed policy is
 * read and compiled as any other, and its rules must do to every packet what the kernel does now. What cannot be said
 * so is left, with the reason.
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
import { type Candidate, type CandidateContext, candidatesFor, entryBehind, fromRole } from './candidates.js';
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

/** @param files the policy that the fleet was read from, by path. */
export async function adoptFleet(
  fleet: Fleet,
  files: Files,
  hosts: readonly Host[],
  port: Pick<HostClient, 'read'>,
  options: AdoptFleetOptions,
): Promise<Adoption> {
  const { date, onEvent = () => {} } = options;
  onEvent({ kind: 'begin', hosts: hosts.map(({ name }) => name) });
  const read = await pMap(
    hosts,
    async (host) => {
      onEvent({ kind: 'reading', host: host.name });
      const found = await readHost(fleet, host, port);
      const status = 'rulesets' in found ? 'drifted' : found.status === 'busy' ? 'error' : found.status;
      onEvent({ kind: 'read', host: host.name, status, words: '' });
      return found;
    },
    { concurrency: options.parallel ?? fleet.rollout.parallel },
  );
  const subjects = read.filter((one): one is DriftedHost => 'rulesets' in one);
  for (const subject of subjects) setAsidePolicyChanges(subject);
  const work: AdoptionWork = { fleet, files, date, edits: [] };
  adoptShared(work, subjects);
  for (const subject of subjects) adoptOnHost(work, subject);
  const after = applyEdits(files, work.edits);
  return {
    version: 1,
    date,
    hosts: read.flatMap((one) =>
      'rulesets' in one ? [adoptionOf(one)] : one.status === 'read' ? [] : [one],
    ),
    files: [...files].flatMap(([path, before]) => {
      const now = after.get(path) ?? before;
      return now === before ? [] : [{ path, before, after: now }];
    }),
  };
}

const adoptionOf = ({ host, taken, left }: DriftedHost): HostAdoption => ({
  host: host.name,
  status: 'read',
  taken,
  left,
});

/** A host that is clean, or of which nothing is known, has nothing to adopt. */
async function readHost(
  fleet: Fleet,
  host: Host,
  port: Pick<HostClient, 'read'>,
): Promise<DriftedHost | HostAdoption> {
  const reading = await port.read(host, { knownGood: 1 });
  const drift = driftOf(fleet, host, reading);
  const nothing = { host: host.name, taken: [], left: [] };
  if (drift.status === 'clean') return { ...nothing, status: 'read' };
  if (drift.status !== 'drifted' || reading.status !== 'read')
    return {
      ...nothing,
      status: drift.status === 'drifted' ? 'error' : drift.status,
      ...(drift.reason === undefined ? {} : { reason: drift.reason }),
    };
  const { state } = reading;
  const compiled = compileHost(fleet, host);
  const placed = compiled.ok ? transitionsOf(fleet, host, state, compiled.value) : compiled;
  if (!placed.ok)
    return { ...nothing, status: 'error', reason: placed.problems.map(formatProblem).join(' ') };
  const { before, next } = placed.value.live;
  const rulesets: RulesetPair = { live: before, next, ownership: fleet.ownership };
  const elsewhere = [...drift.saved, ...drift.boot];
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
    left:
      elsewhere.length > 0 && drift.live.length === 0
        ? [
            {
              message: elsewhere[0]?.message ?? '',
              why: 'What loads at boot is no policy: the next deploy writes it anew.',
            },
          ]
        : [],
  };
}

/** Not done by hand: the policy has changed since the last deploy, and the host has not. */
function setAsidePolicyChanges(subject: DriftedHost): void {
  const { deployed, differences, left, notByHand } = subject;
  if (deployed === undefined) return;
  for (const difference of differences) {
    const why = changedInPolicy(difference, deployed);
    if (why === undefined) continue;
    notByHand.add(difference.key);
    left.push({ ...describeDifference(difference), why });
  }
}

const candidateContext = (
  { fleet, files, date }: AdoptionWork,
  { host, differences }: DriftedHost,
): CandidateContext => ({
  fleet,
  host,
  differences,
  files,
  date,
});

/** What a role or a network says is of several hosts: it changes when all of them changed alike. */
function adoptShared(work: AdoptionWork, subjects: readonly DriftedHost[]): void {
  const byKey = new Map<string, DriftedHost[]>();
  for (const subject of subjects)
    for (const { key } of subject.differences) byKey.set(key, [...(byKey.get(key) ?? []), subject]);
  for (const [key, some] of byKey) {
    const [first] = some;
    const difference = first?.differences.find((one) => one.key === key);
    if (first === undefined || difference === undefined) continue;
    const candidate = sharedCandidate(work, difference, first);
    if (candidate === undefined) continue;
    const concerned = hostsSharing(work.fleet, difference, first.host);
    const alike = some.filter((subject) =>
      subject.differences.some(
        (one) => one.key === key && !subject.notByHand.has(key) && changeKey(one) === changeKey(difference),
      ),
    );
    if (alike.length !== concerned.length) continue;
    const result = tryCandidate(work, candidate, alike, key);
    if (result.why === undefined) for (const subject of alike) accept(subject, difference, candidate, result);
  }
}

function sharedCandidate(
  work: AdoptionWork,
  difference: Difference,
  subject: DriftedHost,
): Candidate | undefined {
  if (difference.kind === 'removed') return fromRole(difference, subject.host);
  return difference.kind === 'set'
    ? candidatesFor(difference, candidateContext(work, subject))[0]
    : undefined;
}

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

function adoptOnHost(work: AdoptionWork, subject: DriftedHost): void {
  // A chain that is left open takes its last drop with it: its policy comes first.
  const last = (one: Difference): number => Number(one.kind !== 'policy');
  for (const difference of subject.differences.toSorted((a, b) => last(a) - last(b))) {
    if (subject.settled.has(difference.key) || subject.notByHand.has(difference.key)) continue;
    // What was added and means nothing needs no words; what went and meant nothing may go from the policy too.
    if (difference.kind === 'added' && skipWithoutEffect(subject, difference)) continue;
    const why = adoptDifference(work, subject, difference);
    if (why === undefined || skipWithoutEffect(subject, difference)) continue;
    subject.left.push({ ...describeDifference(difference), why: `${why} The next deploy takes it back.` });
  }
}

/** Leaves what changes nothing, and says so. */
function skipWithoutEffect(subject: DriftedHost, difference: Difference): boolean {
  if (!hasNoEffect(subject, difference.key)) return false;
  subject.settled.add(difference.key);
  const why = 'It changes the fate of no packet; the next deploy takes it back.';
  subject.left.push({ ...describeDifference(difference), why });
  return true;
}

/** Takes it into the policy; else the reason why that cannot be. */
function adoptDifference(
  work: AdoptionWork,
  subject: DriftedHost,
  difference: Difference,
): string | undefined {
  let why = NOT_POSSIBLE[difference.kind];
  // What several hosts share was looked at before.
  const candidates =
    difference.kind === 'set' ? [] : candidatesFor(difference, candidateContext(work, subject));
  const good = candidates.some((candidate) => {
    const result = tryCandidate(work, candidate, [subject], difference.key);
    if (result.why === undefined) accept(subject, difference, candidate, result);
    else why = result.why;
    return result.why === undefined;
  });
  return good ? undefined : why;
}

const NOT_POSSIBLE: { readonly [kind in Difference['kind']]: string } = {
  added: 'It leads to a chain that the policy does not know, or stands in one.',
  removed: 'It is part of what every host gets, or of a role that other hosts have too.',
  moved:
    'The order of these rules matters, and is the policy’s: put the entries into the other order by hand.',
  policy: 'The policy cannot say it.',
  hook: 'Without the jump the policy’s rules do nothing.',
  set: 'Other hosts use this network too, and hold it as the policy says.',
};

function accept(
  subject: DriftedHost,
  difference: Difference,
  { edits, how, alsoCovers: besides = [] }: Candidate,
  result: TrialResult,
): void {
  for (const key of [difference.key, ...besides]) subject.settled.add(key);
  const states = (result.untrackedStates.get(subject.host.name) ?? []).filter(
    (state) => !subject.notedStates.has(state),
  );
  for (const state of states) subject.notedStates.add(state);
  const [first] = edits;
  subject.taken.push({
    ...describeDifference(difference),
    how,
    file: first === undefined ? '' : fileOf(first),
    ...(states.length === 0
      ? {}
      : {
          note: `Packets of the state ${states.join(' and ')} pass by the kernel's rule alone: the policy does not let them in.`,
        }),
  });
}
