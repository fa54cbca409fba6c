/**
 * Takes drift into the policy, one difference after the other. Each is proved before it counts: the changed policy is
 * read and compiled as any other, and its rules must do to every packet what the kernel does now. What cannot be said
 * so is left, with the reason.
 */
import pMap from 'p-map';
import { compileHost } from '../../compile/compile.js';
import { isOwned } from '../../compile/names.js';
import type { HostPort, HostState } from '../../host/port.js';
import { FAMILIES, type Rule, type Ruleset } from '../../netfilter/model.js';
import type { Fleet, Host } from '../../policy/fleet.js';
import { lintFleet } from '../../policy/lint/lint.js';
import { readFleet } from '../../policy/read.js';
import { formatProblem, type Problem } from '../../problem.js';
import type { Adoption, HostAdoption, Left, Taken } from '../../rollout/adoption.js';
import { driftOf } from '../../rollout/drift.js';
import type { Tell } from '../../rollout/events.js';
import { placeHost } from '../../rollout/place.js';
import { compareTraffic } from '../../traffic/compare.js';
import type { TrafficDiff } from '../../traffic/model.js';
import { checkHost } from '../check.js';
import { type Asking, type Candidate, candidatesFor, entryBehind, fromRole } from './candidates.js';
import { type Deployed, deployedOn, sinceDeploy } from './deployed.js';
import { type Difference, differencesOf, type Sides, withDifferences } from './differences.js';
import { applyEdits, type Edit, type Files, fileOf } from './edits.js';
import { differenceWords } from './words.js';

export interface AdoptFleetOptions {
  /** `YYYY-MM-DD`. */
  readonly date: string;
  readonly parallel?: number;
  readonly tell?: Tell;
}

/** One host that differs from its policy. */
interface Subject {
  readonly host: Host;
  readonly state: HostState;
  readonly sides: Sides;
  readonly differences: readonly Difference[];
  /** What the last deploy left here; absent where the host does not tell. */
  readonly deployed: Deployed | undefined;
  /** The keys of what the policy says by now. */
  readonly chosen: Set<string>;
  /** The keys of what nobody did by hand. */
  readonly aside: Set<string>;
  readonly taken: Taken[];
  readonly left: Left[];
}

/** @param files the policy that the fleet was read from, by path. */
export async function adoptFleet(
  fleet: Fleet,
  files: Files,
  hosts: readonly Host[],
  port: Pick<HostPort, 'read'>,
  options: AdoptFleetOptions,
): Promise<Adoption> {
  const { date, tell = () => {} } = options;
  tell({ kind: 'begin', hosts: hosts.map(({ name }) => name) });
  const read = await pMap(
    hosts,
    async (host) => {
      tell({ kind: 'reading', host: host.name });
      const found = await look(fleet, host, port);
      const status = 'sides' in found ? 'drifted' : found.status === 'busy' ? 'error' : found.status;
      tell({ kind: 'read', host: host.name, status, words: '' });
      return found;
    },
    { concurrency: options.parallel ?? fleet.rollout.parallel },
  );
  const subjects = read.filter((one): one is Subject => 'sides' in one);
  for (const subject of subjects) setAside(subject);
  const work: Work = { fleet, files, options, edits: [] };
  together(work, subjects);
  for (const subject of subjects) alone(work, subject);
  const after = applyEdits(files, work.edits);
  return {
    version: 1,
    date,
    hosts: read.flatMap((one) => ('sides' in one ? [adoptionOf(one)] : one.status === 'read' ? [] : [one])),
    files: [...files].flatMap(([path, before]) => {
      const now = after.get(path) ?? before;
      return now === before ? [] : [{ path, before, after: now }];
    }),
  };
}

const adoptionOf = ({ host, taken, left }: Subject): HostAdoption => ({
  host: host.name,
  status: 'read',
  taken,
  left,
});

/** A host that is clean, or of which nothing is known, has nothing to adopt. */
async function look(fleet: Fleet, host: Host, port: Pick<HostPort, 'read'>): Promise<Subject | HostAdoption> {
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
  const placed = compiled.ok ? placeHost(fleet, host, state, compiled.value) : compiled;
  if (!placed.ok)
    return { ...nothing, status: 'error', reason: placed.problems.map(formatProblem).join(' ') };
  const { before, owned } = placed.value.live;
  const sides: Sides = { live: before, next: owned.next, ownership: fleet.ownership };
  const elsewhere = [...drift.saved, ...drift.boot];
  return {
    host,
    state,
    sides,
    differences: differencesOf(sides),
    deployed: deployedOn(host, state),
    chosen: new Set(),
    aside: new Set(),
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
function setAside(subject: Subject): void {
  const { deployed, differences, left, aside } = subject;
  if (deployed === undefined) return;
  for (const difference of differences) {
    const why = sinceDeploy(difference, deployed);
    if (why === undefined) continue;
    aside.add(difference.key);
    left.push({ ...differenceWords(difference), why });
  }
}

interface Work {
  readonly fleet: Fleet;
  readonly files: Files;
  readonly options: AdoptFleetOptions;
  /** Those that were accepted. */
  edits: readonly Edit[];
}

const asking = ({ fleet, files, options }: Work, { host, differences }: Subject): Asking => ({
  fleet,
  host,
  differences,
  files,
  date: options.date,
});

/** What a role or a network says is of several hosts: it changes when all of them changed alike. */
function together(work: Work, subjects: readonly Subject[]): void {
  const byKey = new Map<string, Subject[]>();
  for (const subject of subjects)
    for (const { key } of subject.differences) byKey.set(key, [...(byKey.get(key) ?? []), subject]);
  for (const [key, some] of byKey) {
    const [first] = some;
    const difference = first?.differences.find((one) => one.key === key);
    if (first === undefined || difference === undefined) continue;
    const candidate = sharedCandidate(work, difference, first);
    if (candidate === undefined) continue;
    const concerned = concernedBy(work.fleet, difference, first.host);
    const alike = some.filter((subject) =>
      subject.differences.some(
        (one) => one.key === key && !subject.aside.has(key) && meaning(one) === meaning(difference),
      ),
    );
    if (alike.length !== concerned.length) continue;
    const held = trial(work, candidate, alike, key);
    if (held.why === undefined)
      for (const subject of alike) accept(subject, difference, candidate, held.note);
  }
}

function sharedCandidate(work: Work, difference: Difference, subject: Subject): Candidate | undefined {
  if (difference.kind === 'removed') return fromRole(difference, subject.host);
  return difference.kind === 'set' ? candidatesFor(difference, asking(work, subject))[0] : undefined;
}

function concernedBy(fleet: Fleet, difference: Difference, host: Host): readonly Host[] {
  if (difference.kind === 'removed') {
    const origin = entryBehind(host, difference.rules[0]?.rule.place)?.origin;
    return fleet.hosts.filter(({ roles }) => origin !== undefined && roles.includes(origin));
  }
  return difference.kind === 'set'
    ? fleet.hosts.filter((one) => {
        const compiled = compileHost(fleet, one);
        return compiled.ok && compiled.value.sets.some(({ name }) => name === difference.name);
      })
    : [];
}

const meaning = (difference: Difference): string =>
  difference.kind === 'set' ? JSON.stringify([difference.added, difference.removed]) : difference.key;

function alone(work: Work, subject: Subject): void {
  // A chain that is left open takes its last drop with it: its policy comes first.
  const last = (one: Difference): number => Number(one.kind !== 'policy');
  for (const difference of subject.differences.toSorted((a, b) => last(a) - last(b))) {
    if (subject.chosen.has(difference.key) || subject.aside.has(difference.key)) continue;
    // What was added and means nothing needs no words; what went and meant nothing may go from the policy too.
    const means = difference.kind === 'added' ? [idle, inPolicy] : [inPolicy, idle];
    let why = HOPELESS[difference.kind];
    const settled = means.some((mean) => {
      const held = mean(work, subject, difference);
      why = held ?? why;
      return held === undefined;
    });
    if (!settled)
      subject.left.push({ ...differenceWords(difference), why: `${why} The next deploy takes it back.` });
  }
}

/** Settles what changes nothing: `undefined`, or the reason why it does not. `null` is no reason worth telling. */
function idle(work: Work, subject: Subject, difference: Difference): string | null | undefined {
  if (trial(work, NO_CHANGE, [subject], difference.key, true).why !== undefined) return null;
  subject.chosen.add(difference.key);
  const why = 'It changes the fate of no packet; the next deploy takes it back.';
  subject.left.push({ ...differenceWords(difference), why });
  return undefined;
}

function inPolicy(work: Work, subject: Subject, difference: Difference): string | null | undefined {
  let why: string | null = null;
  // What several hosts share was looked at before.
  const candidates = difference.kind === 'set' ? [] : candidatesFor(difference, asking(work, subject));
  const good = candidates.some((candidate) => {
    const held = trial(work, candidate, [subject], difference.key);
    if (held.why === undefined) accept(subject, difference, candidate, held.note);
    else why = held.why;
    return held.why === undefined;
  });
  return good ? undefined : why;
}

const HOPELESS: { readonly [kind in Difference['kind']]: string } = {
  added: 'It leads to a chain that the policy does not know, or stands in one.',
  removed: 'It is part of what every host gets, or of a role that other hosts have too.',
  moved:
    'The order of these rules matters, and is the policy’s: put the entries into the other order by hand.',
  policy: 'The policy cannot say it.',
  hook: 'Without the jump the policy’s rules do nothing.',
  set: 'Other hosts use this network too, and hold it as the policy says.',
};

const NO_CHANGE: Candidate = { edits: [], how: '' };

function accept(
  subject: Subject,
  difference: Difference,
  { edits, how, besides = [] }: Candidate,
  note: string | undefined,
): void {
  for (const key of [difference.key, ...besides]) subject.chosen.add(key);
  const [first] = edits;
  subject.taken.push({
    ...differenceWords(difference),
    how,
    file: first === undefined ? '' : fileOf(first),
    ...(note === undefined ? {} : { note }),
  });
}

interface Held {
  /** Why it does not hold. */
  readonly why?: string;
  readonly note?: string;
}

/** Tries a candidate on top of what was accepted, for every host that it is about; keeps its edits when it holds. */
function trial(
  work: Work,
  { edits, besides = [] }: Candidate,
  subjects: readonly Subject[],
  key: string,
  exact = false,
): Held {
  const all = [...work.edits, ...edits];
  const read = readFleet(applyEdits(work.files, all), work.fleet.directory, {
    today: work.fleet.today ?? work.options.date,
  });
  if (!read.ok) return { why: `The policy would not be sound: ${sentences(read.problems)}` };
  let note: string | undefined;
  for (const subject of subjects) {
    const held = holds(work, read.value, subject, [key, ...besides], exact);
    if (held.why !== undefined) return held;
    note = held.note ?? note;
  }
  if (edits.length > 0) work.edits = all;
  return note === undefined ? {} : { note };
}

const sentences = (problems: readonly Problem[]): string =>
  problems
    .filter(({ level }) => level === 'error')
    .slice(0, 2)
    .map(({ message }) => message)
    .join(' ');

function holds(work: Work, fleet: Fleet, subject: Subject, keys: readonly string[], exact: boolean): Held {
  const { state, sides, chosen } = subject;
  const host = fleet.hosts.find(({ name }) => name === subject.host.name);
  if (host === undefined) return { why: 'The policy would not have this host any more.' };
  const compiled = compileHost(fleet, host);
  if (!compiled.ok) return { why: `The policy would not be sound: ${sentences(compiled.problems)}` };
  const placed = placeHost(fleet, host, state, compiled.value);
  if (!placed.ok) return { why: sentences(placed.problems) };
  const { next, problems } = placed.value.live.owned;
  const faults = problems.filter(({ level }) => level === 'error');
  if (faults.length > 0) return { why: sentences(faults) };
  const wanted = withDifferences(sides, new Set([...chosen, ...keys]));
  const held = same(wanted, next, [...new Set([...host.addresses, ...state.facts.addresses])], exact);
  if (held.why !== undefined || exact) return held;
  const before = new Set(errorsOf(work.fleet, subject.host).map(({ message }) => message));
  const fresh = errorsOf(fleet, host).filter(({ message }) => !before.has(message));
  return fresh.length > 0 ? { why: `The policy would not pass its check: ${sentences(fresh)}` } : held;
}

const errorsOf = (fleet: Fleet, host: Host): readonly Problem[] =>
  [...lintFleet(fleet), ...checkHost(fleet, host, []).problems].filter(({ level }) => level === 'error');

/** The same rules but for their comments, or the same fate for every packet. */
function same(wanted: Ruleset, next: Ruleset, addresses: readonly string[], exact: boolean): Held {
  const differing = FAMILIES.flatMap((family) => differingChains(wanted, next, family));
  const sets = setsText(wanted) === setsText(next);
  if (differing.length === 0 && sets) return {};
  if (differing.some((name) => !name.startsWith('filter ')))
    return { why: 'Its place among the other rules cannot be said in the policy.' };
  if (FAMILIES.some((family) => writings(wanted, family) !== writings(next, family)))
    return { why: 'What is logged or marked would not be the same.' };
  const traffic = compareTraffic(wanted, next, { addresses });
  if (!traffic.proved)
    return { why: `It could not be proved to mean the same: ${traffic.why ?? 'no budget left'}.` };
  if (traffic.equal && traffic.answeredDifferently.length === 0) return {};
  const strays = exact ? undefined : onlyStrays(traffic);
  return strays === undefined
    ? { why: 'In words of the policy it would not mean the same for every packet.' }
    : {
        note: `Packets of the state ${strays} pass by the kernel's rule alone: the policy does not let them in.`,
      };
}

/** The states that are closed, when nothing else is, and connection tracking has no place for any of them. */
function onlyStrays({
  opened,
  possiblyOpened,
  closed,
  possiblyClosed,
  answeredDifferently,
  omitted,
}: TrafficDiff): string | undefined {
  const states = new Set(
    [...closed, ...possiblyClosed].flatMap(({ state }): readonly string[] =>
      state.length === 0 ? ['NEW'] : state,
    ),
  );
  const strays = [...states].every((state) => state === 'INVALID' || state === 'UNTRACKED');
  return strays &&
    omitted === undefined &&
    opened.length + possiblyOpened.length + answeredDifferently.length === 0
    ? [...states].toSorted().join(' and ')
    : undefined;
}

const DECIDING: ReadonlySet<string> = new Set(['ACCEPT', 'DROP', 'REJECT', 'RETURN']);

/** The rules of the owned chains that only write a log or a mark: no packet's fate tells of them. */
const writings = (ruleset: Ruleset, family: 'v4' | 'v6'): string =>
  ruleset[family]
    .flatMap(({ chains }) => chains)
    .filter(({ name }) => isOwned(name))
    .flatMap(({ name, rules }) =>
      rules
        .filter(({ target }) => target === undefined || !(target.chain || DECIDING.has(target.name)))
        .map((rule) => `${name} ${withoutComment(rule)}`),
    )
    .toSorted()
    .join('\n');

function differingChains(one: Ruleset, other: Ruleset, family: 'v4' | 'v6'): readonly string[] {
  const [left, right] = [chainsOf(one, family), chainsOf(other, family)];
  return [...new Set([...left.keys(), ...right.keys()])].filter((name) => left.get(name) !== right.get(name));
}

const chainsOf = (ruleset: Ruleset, family: 'v4' | 'v6'): ReadonlyMap<string, string> =>
  new Map(
    ruleset[family].flatMap(({ name, chains }) =>
      chains.map((chain) => [
        `${name} ${chain.name}`,
        [chain.policy ?? '', ...chain.rules.map(withoutComment)].join('\n'),
      ]),
    ),
  );

const COMMENT = /-m comment --comment (?:"(?:[^"\\]|\\.)*"|\S+) ?/;
const withoutComment = ({ text }: Rule): string => text.replace(COMMENT, '');

const setsText = ({ sets }: Ruleset): string =>
  sets
    .filter(({ name }) => isOwned(name))
    .map(({ name, members }) => `${name} ${members.toSorted().join(' ')}`)
    .toSorted()
    .join('\n');
