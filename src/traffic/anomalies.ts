/**
 * Rules without effect (the taxonomy of Al-Shaer and Hamed, by sets instead of pairs): rules that no packet reaches
 * because earlier ones together took them all, and accepting rules whose packets later ones would accept too.
 */
import { FAMILIES, type Family, type Ruleset } from '../netfilter/model.js';
import { byPlace, note, type Problem, warning } from '../problem.js';
import { FALSE, LEAF, TRUE } from './bdd.js';
import { DEFAULT_BUDGET } from './compare.js';
import { verdictsOnly } from './decisions.js';
import { effect, matchOf, OWN_QUESTIONS, type Scene, stageScene, where } from './evaluate.js';
import { tryProof } from './giving-up.js';
import type { Way } from './paths.js';
import { PIPELINES, type Stage } from './pipeline.js';
import { compileProgram, type Program, type Routine, routineKey, type Step } from './program.js';
import { createSpace } from './space.js';
import { everyRuleHasWitness } from './witness.js';

type Verdict = 'accept' | 'refuse';

/** What all contexts in which a rule is read say of it together. */
interface Sighting {
  /** Some packet reaches and matches it. */
  alive: boolean;
  /** Some packet matches it at all. */
  possible: boolean;
  /** Some packet matches it and what those who call its chain ask. */
  called: boolean;
  /** In every context, what it accepts would be accepted behind it. */
  needless: boolean;
  /** Verdicts that its packets got before it. */
  readonly earlier: Set<Verdict>;
  readonly blockers: Map<Step, Verdict>;
}

/**
 * One problem a line of policy or rules, by place. A spent budget leaves a note.
 * @param addresses the host's own, where they are known.
 */
export function findAnomalies(ruleset: Ruleset, addresses: readonly string[] = []): readonly Problem[] {
  const problems: Problem[] = [];
  for (const family of FAMILIES)
    tryProof(
      () => problems.push(...inFamily(ruleset, family, addresses)),
      (reason) => {
        const name = family === 'v4' ? 'IPv4' : 'IPv6';
        const message = `Rules without effect were not searched for in ${name}: ${reason}`;
        problems.push(note('anomalies-not-searched', message));
      },
    );
  return onePerLine(problems).toSorted(byPlace);
}

function inFamily(ruleset: Ruleset, family: Family, addresses: readonly string[]): readonly Problem[] {
  const program = compileProgram(ruleset, family, addresses);
  if ([...program.routines.values()].every((routine) => routine.steps.length === 0)) return [];
  if (everyRuleHasWitness(program)) return [];
  const space = createSpace(family, [program], OWN_QUESTIONS, DEFAULT_BUDGET);
  const sightings = new Map<Step, Sighting>();
  for (const { stage, hook } of stagesOf(program)) {
    const routine = program.routines.get(routineKey(stage.table, stage.chain));
    if (routine === undefined) continue;
    const decisions = verdictsOnly(space.store);
    const scene = stageScene({ space, program, hook, decisions }, stage, () => decisions.accepted);
    const end = routine.policy === 'DROP' ? decisions.refuseBy('drop', undefined, stage) : decisions.accepted;
    visit(
      { scene, sightings, taken: { accept: FALSE, refuse: FALSE }, before: [] },
      routine,
      { arriving: TRUE, asked: TRUE },
      end,
      [],
    );
  }
  return [...sightings].flatMap(([step, sighting]) => complain(step, sighting));
}

type TableStage = Extract<Stage, { kind: 'table' }>;

/** Every built-in chain once. */
function stagesOf(
  program: Program,
): readonly { readonly stage: TableStage; readonly hook: keyof typeof PIPELINES }[] {
  const found = new Map<string, { stage: TableStage; hook: keyof typeof PIPELINES }>();
  for (const hook of ['INPUT', 'FORWARD', 'OUTPUT'] as const)
    for (const stage of PIPELINES[hook]) {
      if (stage.kind !== 'table') continue;
      const key = routineKey(stage.table, stage.chain);
      if (program.routines.has(key) && !found.has(key)) found.set(key, { stage, hook });
    }
  return [...found.values()];
}

/** One built-in chain, read from the first rule to the last. */
interface Reading {
  readonly scene: Scene;
  readonly sightings: Map<Step, Sighting>;
  /** Packets that rules so far have decided. */
  readonly taken: { accept: number; refuse: number };
  /** Rules that decided any, in order. */
  readonly before: { readonly step: Step; readonly verdict: Verdict; readonly packets: number }[];
}

interface Entry {
  /** The packets that come into the chain. */
  readonly arriving: number;
  /** Those that would, if no rule before had decided any. */
  readonly asked: number;
}

/** @returns the packets that come out at the end of the chain. */
function visit(
  reading: Reading,
  routine: Routine,
  { arriving, asked }: Entry,
  end: number,
  way: Way,
): number {
  const { scene, taken } = reading;
  const { space } = scene;
  const { store } = space;
  const rests = restsOf(scene, routine, end, way);
  let reach = arriving;
  let fallen = FALSE;
  for (const [index, step] of routine.steps.entries()) {
    const match = matchOf(scene, step, way);
    const hit = store.and(reach, match);
    sight(reading, step, match, store.and(asked, match), hit, rests[index] as number);
    if (hit === FALSE) continue;
    const left = store.without(reach, match);
    const { action } = step;
    const decide = (verdict: Verdict): void => {
      taken[verdict] = store.or(taken[verdict], hit);
      reading.before.push({ step, verdict, packets: hit });
      reach = left;
    };
    switch (action.kind) {
      case 'accept':
      case 'send':
        decide('accept');
        break;
      case 'drop':
      case 'reject':
        decide('refuse');
        break;
      case 'return':
        fallen = store.or(fallen, hit);
        reach = left;
        break;
      case 'call': {
        const inner = scene.program.routines.get(routineKey(step.table, action.chain));
        if (inner === undefined || way.length > 512) break;
        const after = action.goto ? end : (rests[index] as number);
        const entry = { arriving: hit, asked: store.and(asked, match) };
        const back = visit(reading, inner, entry, after, [...way, step]);
        if (action.goto) fallen = store.or(fallen, back);
        reach = action.goto ? left : store.or(left, back);
        break;
      }
      case 'mark':
      case 'loseMark': {
        // Packets come out with other marks than they came with.
        const axis = space.axes.get('mark');
        if (axis !== undefined) reach = store.exists(reach, axis.first, axis.first + axis.width);
        break;
      }
      case 'ask':
        if (action.continues === null) reach = left;
        break;
      default:
        break;
    }
  }
  return store.or(fallen, reach);
}

/** What becomes of packets behind each rule of a chain. */
function restsOf(scene: Scene, routine: Routine, end: number, way: Way): readonly number[] {
  const rests: number[] = [];
  let rest = end;
  for (let index = routine.steps.length - 1; index >= 0; index--) {
    const step = routine.steps[index] as Step;
    rests[index] = rest;
    if (step.action.kind === 'continue') continue;
    const result = effect(scene, step, scene.accept, end, rest, way);
    rest = scene.space.store.choose(matchOf(scene, step, way), result, rest);
  }
  return rests;
}

function sight(reading: Reading, step: Step, match: number, wanted: number, hit: number, rest: number): void {
  const { scene, sightings, taken, before } = reading;
  const { store } = scene.space;
  let sighting = sightings.get(step);
  if (sighting === undefined) {
    sighting = {
      alive: false,
      possible: false,
      called: false,
      needless: true,
      earlier: new Set(),
      blockers: new Map(),
    };
    sightings.set(step, sighting);
  } else if (before.some((earlier) => earlier.step === step && store.and(earlier.packets, wanted) !== FALSE))
    // Behind an earlier call of the same chain, what accepts its packets may be the rule itself.
    sighting.needless = false;
  if (match !== FALSE) sighting.possible = true;
  if (wanted !== FALSE) sighting.called = true;
  if (hit !== FALSE) {
    sighting.alive = true;
    const accepted = where(scene.space, rest, (leaf) => scene.decisions.verdictOf(leaf) === 'accept');
    if (store.level(rest) === LEAF || store.without(hit, accepted) !== FALSE) sighting.needless = false;
    return;
  }
  for (const verdict of ['accept', 'refuse'] as const)
    if (store.and(wanted, taken[verdict]) !== FALSE) sighting.earlier.add(verdict);
  for (const { step: blocker, verdict, packets } of before) {
    if (sighting.blockers.size >= MOST_BLOCKERS) break;
    if (store.and(packets, wanted) !== FALSE) sighting.blockers.set(blocker, verdict);
  }
}

const MOST_BLOCKERS = 4;

function complain(step: Step, sighting: Sighting): readonly Problem[] {
  const { place } = step.rule;
  const own: Verdict | undefined =
    step.action.kind === 'accept'
      ? 'accept'
      : step.action.kind === 'drop' || step.action.kind === 'reject'
        ? 'refuse'
        : undefined;
  const name = `"-A ${step.chain} ${step.rule.text}" (${step.table})`;
  if (!sighting.possible)
    return [warning('dead-rule', `${name} can never match: its conditions exclude one another.`, place)];
  if (!sighting.called)
    return [
      warning(
        'dead-rule',
        `${name} can never match: rules that lead to ${step.chain} let no such packet through.`,
        place,
      ),
    ];
  if (!sighting.alive) {
    const [verdict] = sighting.earlier;
    const by = earlierRules(sighting);
    if (own === undefined || verdict === undefined)
      return [
        note('dead-rule', `${name} can never match: no packet that it would match gets so far${by}.`, place),
      ];
    if (sighting.earlier.size === 1 && verdict === own)
      return [
        note('redundant-rule', `${name} can never match: earlier rules decide the same${by}.`, place, REMOVE),
      ];
    return [
      warning(
        'shadowed-rule',
        `${name} can never match: its packets are ${sighting.earlier.size > 1 ? 'accepted or dropped' : DONE[verdict]} before${by}.`,
        place,
        'Move it before them, or remove it.',
      ),
    ];
  }
  if (own === 'accept' && sighting.needless && step.table === 'filter')
    return [
      note(
        'redundant-rule',
        `${name} changes nothing: later rules accept all that it accepts.`,
        place,
        REMOVE,
      ),
    ];
  return [];
}

const DONE: { readonly [verdict in Verdict]: string } = { accept: 'accepted', refuse: 'dropped' };
const REMOVE = 'Remove it, or keep it where it says something to people.';

function earlierRules({ blockers }: Sighting): string {
  const shown = [...blockers.keys()].slice(0, MOST_BLOCKERS - 1);
  if (shown.length === 0) return '';
  const more = blockers.size > shown.length ? ' and others' : '';
  return `, by ${shown
    .map(
      (step) =>
        `"-A ${step.chain} ${step.rule.text}"${step.rule.place ? ` at ${step.rule.place.file}:${step.rule.place.line}` : ''}`,
    )
    .join(', ')}${more}`;
}

/** A line of policy makes many rules: the first finding of a kind stands for all of that line. */
function onePerLine(problems: readonly Problem[]): readonly Problem[] {
  const found = new Map<string, Problem & { count: number }>();
  for (const problem of problems) {
    const { place } = problem;
    const key =
      place === undefined ? problem.message : `${problem.id} ${place.file} ${place.line} ${place.column}`;
    const known = found.get(key);
    if (known === undefined) found.set(key, { ...problem, count: 1 });
    else known.count++;
  }
  return [...found.values()].map(({ count, ...problem }) =>
    count === 1
      ? problem
      : { ...problem, message: `${problem.message} So it is with ${count - 1} more rules of this line.` },
  );
}
