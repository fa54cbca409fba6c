/** One candidate on probation: the changed policy is read and compiled as any other, and held against what the host runs. */

import { renderHost } from '../compile/render.js';
import { compileHost } from '../compile/rules/compile.js';
import type { HostState } from '../host/client.js';
import type { Problem } from '../lib/problem.js';
import type { Fleet, Host } from '../policy/fleet.js';
import { lintFleet } from '../policy/lint/lint.js';
import { readFleet } from '../policy/resolve/fleet.js';
import { checkHost } from '../rollout/plan/check-host.js';
import { transitionsOf } from '../rollout/plan/transition.js';
import type { Left, Taken } from '../rollout/results/adoption.js';
import type { Candidate } from './candidates.js';
import type { Deployed } from './deployed.js';
import { type Difference, type RulesetPair, withDifferences } from './differences.js';
import { applyEdits, type Edit, type Files } from './edits.js';
import { type Equivalence, equivalence } from './equivalence.js';

/** One host that differs from its policy. */
export interface DriftedHost {
  readonly host: Host;
  readonly state: HostState;
  readonly rulesets: RulesetPair;
  readonly differences: readonly Difference[];
  /** What the last deploy left here; absent where the host does not tell. */
  readonly deployed: Deployed | undefined;
  /** The keys of what the policy says by now. */
  readonly settled: Set<string>;
  /** The keys of what nobody did by hand. */
  readonly notByHand: Set<string>;
  /** The states of which packets pass by the kernel's rules alone. */
  readonly notedStates: Set<string>;
  readonly taken: Taken[];
  readonly left: Left[];
}

export interface AdoptionWork {
  readonly fleet: Fleet;
  readonly files: Files;
  readonly date: string;
  /** Those that were accepted. */
  edits: readonly Edit[];
}

export interface TrialResult {
  /** Why it does not hold. */
  readonly why?: string;
  /** Host → the states of which packets its kernel lets in and the policy would not, when that is all. */
  readonly untrackedStates: ReadonlyMap<string, readonly string[]>;
}

const NO_STRAYS: TrialResult['untrackedStates'] = new Map();
const failed = (why: string): TrialResult => ({ why, untrackedStates: NO_STRAYS });

/** Tries a candidate on top of what was accepted, for every host that it is about; keeps its edits when it holds. */
export function tryCandidate(
  work: AdoptionWork,
  { edits, alsoCovers: besides = [], shared = false }: Candidate,
  subjects: readonly DriftedHost[],
  key: string,
): TrialResult {
  const all = [...work.edits, ...edits];
  const read = readFleet(applyEdits(work.files, all), work.fleet.directory, {
    today: work.fleet.today ?? work.date,
  });
  if (!read.ok) return failed(`The policy would not be sound: ${sentences(read.problems)}`);
  const untrackedStates = new Map<string, readonly string[]>();
  for (const subject of subjects) {
    const result = tryOnHost(work, read.value, subject, [key, ...besides]);
    if (result.why !== undefined) return failed(result.why);
    untrackedStates.set(subject.host.name, result.untrackedStates ?? []);
  }
  const other = shared ? otherChangedHost(work.fleet, read.value, subjects) : undefined;
  if (other !== undefined) return failed(`It would change ${other} too, which runs what its policy says.`);
  work.edits = all;
  return { untrackedStates };
}

/** What roles and networks say may be of hosts that nobody changed: none of these may change with it. */
function otherChangedHost(before: Fleet, after: Fleet, subjects: readonly DriftedHost[]): string | undefined {
  const own = new Set(subjects.map(({ host }) => host.name));
  const text = (fleet: Fleet, host: Host | undefined): string => {
    const compiled = host === undefined ? undefined : compileHost(fleet, host);
    return compiled?.ok ? JSON.stringify(renderHost(compiled.value)) : '';
  };
  return before.hosts.find((host) => {
    const now = after.hosts.find(({ name }) => name === host.name);
    return !own.has(host.name) && text(before, host) !== text(after, now);
  })?.name;
}

/** Whether a difference changes nothing at all: neither the fate of a packet nor what is written of it. */
export function hasNoEffect({ host, state, rulesets, settled }: DriftedHost, key: string): boolean {
  const [before, after] = [
    withDifferences(rulesets, settled),
    withDifferences(rulesets, new Set([...settled, key])),
  ];
  const { why, untrackedStates } = equivalence(before, after, addressesOf(host, state));
  const back = equivalence(after, before, addressesOf(host, state));
  return why === undefined && untrackedStates === undefined && back.untrackedStates === undefined;
}

const addressesOf = (host: Host, { facts }: HostState): readonly string[] => [
  ...new Set([...host.addresses, ...facts.addresses]),
];

const sentences = (problems: readonly Problem[]): string =>
  problems
    .filter(({ level }) => level === 'error')
    .slice(0, 2)
    .map(({ message }) => message)
    .join(' ');

function tryOnHost(
  work: AdoptionWork,
  fleet: Fleet,
  subject: DriftedHost,
  keys: readonly string[],
): Equivalence {
  const { state, rulesets, settled } = subject;
  const host = fleet.hosts.find(({ name }) => name === subject.host.name);
  if (host === undefined) return { why: 'The policy would not have this host any more.' };
  const compiled = compileHost(fleet, host);
  if (!compiled.ok) return { why: `The policy would not be sound: ${sentences(compiled.problems)}` };
  const placed = transitionsOf(fleet, host, state, compiled.value);
  if (!placed.ok) return { why: sentences(placed.problems) };
  const { next, problems } = placed.value.live;
  const faults = problems.filter(({ level }) => level === 'error');
  if (faults.length > 0) return { why: sentences(faults) };
  const wanted = withDifferences(rulesets, new Set([...settled, ...keys]));
  const { why, untrackedStates = [] } = equivalence(wanted, next, addressesOf(host, state));
  if (why !== undefined) return { why };
  const before = new Set(errorsOf(work.fleet, subject.host).map(({ message }) => message));
  const added = errorsOf(fleet, host).filter(({ message }) => !before.has(message));
  if (added.length > 0) return { why: `The policy would not pass its check: ${sentences(added)}` };
  return { untrackedStates };
}

const errorsOf = (fleet: Fleet, host: Host): readonly Problem[] =>
  [...lintFleet(fleet), ...checkHost(fleet, host, []).problems].filter(({ level }) => level === 'error');
