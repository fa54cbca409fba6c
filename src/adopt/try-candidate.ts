/** Tests a candidate: the edited policy is read, compiled and checked as any other, and compared with the live rules. */

import { renderRuleset } from '../compile/render.js';
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

/** A host with drift, and what became of its differences so far. */
export interface DriftedHost {
  readonly host: Host;
  readonly state: HostState;
  readonly rulesets: RulesetPair;
  readonly differences: readonly Difference[];
  /** What the last deploy left; `undefined` if the host does not have it. */
  readonly deployed: Deployed | undefined;
  /** Keys of differences that are in the policy by now, or have no effect. */
  readonly settled: Set<string>;
  /** Keys of differences that were not made by hand. */
  readonly notByHand: Set<string>;
  /** States that a note of the host has already named. */
  readonly notedStates: Set<string>;
  readonly taken: Taken[];
  readonly left: Left[];
}

export interface AdoptionWork {
  readonly fleet: Fleet;
  readonly files: Files;
  readonly date: string;
  /** The accepted edits. */
  edits: readonly Edit[];
}

export interface TrialResult {
  /** Why the candidate fails. */
  readonly why?: string;
  /** Host → states (INVALID, UNTRACKED) in which the kernel accepts packets that the policy does not. */
  readonly untrackedStates: ReadonlyMap<string, readonly string[]>;
}

const failed = (why: string): TrialResult => ({ why, untrackedStates: new Map() });

/**
 * Tests a candidate for a difference, on top of the accepted edits, on all hosts that it is for. Accepts its edits if it
 * passes on all of them.
 */
export function tryCandidate(
  work: AdoptionWork,
  { edits, alsoCovers = [], shared = false }: Candidate,
  hosts: readonly DriftedHost[],
  key: string,
): TrialResult {
  const all = [...work.edits, ...edits];
  const read = readFleet(applyEdits(work.files, all), work.fleet.directory, {
    today: work.fleet.today ?? work.date,
  });
  if (!read.ok) return failed(`The policy would be invalid: ${errorTexts(read.problems)}`);
  const untrackedStates = new Map<string, readonly string[]>();
  for (const host of hosts) {
    const result = tryOnHost(work, read.value, host, [key, ...alsoCovers]);
    if (result.why !== undefined) return failed(result.why);
    untrackedStates.set(host.host.name, result.untrackedStates ?? []);
  }
  const other = shared ? otherChangedHost(work.fleet, read.value, hosts) : undefined;
  if (other !== undefined)
    return failed(`It would also change ${other}, which does not have this difference.`);
  work.edits = all;
  return { untrackedStates };
}

/** A host besides `hosts` whose rules an edit of a role or network changes. */
function otherChangedHost(before: Fleet, after: Fleet, hosts: readonly DriftedHost[]): string | undefined {
  const own = new Set(hosts.map(({ host }) => host.name));
  const text = (fleet: Fleet, host: Host | undefined): string => {
    const compiled = host && compileHost(fleet, host);
    return compiled?.ok ? JSON.stringify(renderRuleset(compiled.value)) : '';
  };
  return before.hosts.find((host) => {
    const now = after.hosts.find(({ name }) => name === host.name);
    return !own.has(host.name) && text(before, host) !== text(after, now);
  })?.name;
}

/** Whether a difference changes no verdict, log or mark. */
export function hasNoEffect({ host, state, rulesets, settled }: DriftedHost, key: string): boolean {
  const before = withDifferences(rulesets, settled);
  const after = withDifferences(rulesets, new Set([...settled, key]));
  const addresses = addressesOf(host, state);
  const { why, untrackedStates } = equivalence(before, after, addresses);
  if (why !== undefined || untrackedStates !== undefined) return false;
  return equivalence(after, before, addresses).untrackedStates === undefined;
}

const addressesOf = (host: Host, { facts }: HostState): readonly string[] => [
  ...new Set([...host.addresses, ...facts.addresses]),
];

const errorsOf = (problems: readonly Problem[]): readonly Problem[] =>
  problems.filter(({ level }) => level === 'error');

/** The first two errors. */
const errorTexts = (problems: readonly Problem[]): string =>
  errorsOf(problems)
    .slice(0, 2)
    .map(({ message }) => message)
    .join(' ');

function tryOnHost(
  work: AdoptionWork,
  fleet: Fleet,
  { host: { name }, state, rulesets, settled }: DriftedHost,
  keys: readonly string[],
): Equivalence {
  const host = fleet.hosts.find((one) => one.name === name);
  if (host === undefined) return { why: `The policy would no longer have ${name}.` };
  const compiled = compileHost(fleet, host);
  if (!compiled.ok) return { why: `The policy would be invalid: ${errorTexts(compiled.problems)}` };
  const transitions = transitionsOf(fleet, host, state, compiled.value);
  if (!transitions.ok) return { why: errorTexts(transitions.problems) };
  const { next, problems } = transitions.value.live;
  if (errorsOf(problems).length > 0) return { why: errorTexts(problems) };
  const wanted = withDifferences(rulesets, new Set([...settled, ...keys]));
  const result = equivalence(wanted, next, addressesOf(host, state));
  if (result.why !== undefined) return result;
  const known = new Set(checkErrors(work.fleet, name).map(({ message }) => message));
  const added = checkErrors(fleet, name).filter(({ message }) => !known.has(message));
  return added.length > 0 ? { why: `The policy would fail check: ${errorTexts(added)}` } : result;
}

const checkErrors = (fleet: Fleet, name: string): readonly Problem[] =>
  errorsOf([
    ...lintFleet(fleet),
    ...fleet.hosts.flatMap((host) => (host.name === name ? checkHost(fleet, host, []).problems : [])),
  ]);
