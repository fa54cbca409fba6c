/** How each rule fares among those before and behind it, by sets of packets: what comes to it, and what becomes of that. */

import { one } from '../../lib/ranges.js';
import type { CallPath } from '../program/call-path.js';
import {
  type CompiledChain,
  type CompiledRule,
  type CompiledRuleset,
  chainKey,
} from '../program/compiled-ruleset.js';
import { LOOPBACK } from '../program/fields.js';
import { PIPELINES, type Stage } from '../program/pipeline.js';
import { all, field, type Predicate } from '../program/predicate.js';
import { type Budget, FALSE, LEAF, TRUE } from '../space/bdd.js';
import type { EvaluationContext } from '../space/context.js';
import { verdictsOnly } from '../space/decisions.js';
import { EVALUATION_PREDICATES, effect, evaluationContext, matchOf, NEW, where } from '../space/evaluate.js';
import { createSpace } from '../space/space.js';
import { everyRuleHasWitness } from './witness.js';

export type Side = 'accept' | 'refuse';

/** What all contexts in which a rule is read say of it together. */
export interface RuleCoverage {
  /** Some packet reaches and matches it. */
  alive: boolean;
  /** Some packet matches it at all. */
  possible: boolean;
  /** Some packet matches it and what those who call its chain ask. */
  called: boolean;
  /** In every context, what it accepts would be accepted behind it. */
  needless: boolean;
  /** Verdicts that its packets got before it. */
  readonly earlier: Set<Side>;
  /** Those that its packets from outside got which begin a connection: what rules are mostly written for. */
  readonly first: Set<Side>;
  /** Rules that took these, or where there are none, any of its packets; in order. */
  readonly blockers: Set<CompiledRule>;
  /** Rules that took any of its packets. */
  readonly hiddenBy: Set<CompiledRule>;
  /** In every context, a rule before it with its verdict asks for all that it asks for: these. */
  twins: Set<CompiledRule> | 'none';
}

/** Not on `lo`, and of no connection that stands. */
const FIRST_FROM_OUTSIDE: readonly Predicate[] = [
  field('state', one(NEW)),
  ...(['in', 'out'] as const).map((side) =>
    field(side, [
      [0n, LOOPBACK - 1n],
      [LOOPBACK + 1n, (1n << 128n) - 1n],
    ]),
  ),
];

/**
 * Reads every built-in chain from its first rule to its last; a rule that nothing leads to is not in it. Empty where
 * every rule is shown to be of use without looking at sets.
 * @throws OverBudget, LoopingChain
 */
export function ruleCoverage(
  program: CompiledRuleset,
  budget: Budget,
): ReadonlyMap<CompiledRule, RuleCoverage> {
  const sightings = new Map<CompiledRule, RuleCoverage>();
  if ([...program.chains.values()].every((routine) => routine.rules.length === 0)) return sightings;
  if (everyRuleHasWitness(program)) return sightings;
  const space = createSpace(
    program.family,
    [program],
    [...EVALUATION_PREDICATES, ...FIRST_FROM_OUTSIDE],
    budget,
  );
  const first = space.encode(all(...FIRST_FROM_OUTSIDE), space.nameOf);
  for (const { stage, hook } of stagesOf(program)) {
    const routine = program.chains.get(chainKey(stage.table, stage.chain));
    if (routine === undefined) continue;
    const decisions = verdictsOnly(space.manager);
    const scene = evaluationContext(
      { space, ruleset: program, hook, decisions },
      stage,
      () => decisions.accepted,
    );
    const end = routine.policy === 'DROP' ? decisions.refuseBy('drop', undefined, stage) : decisions.accepted;
    visit(
      { scene, sightings, first, taken: { accept: FALSE, refuse: FALSE }, before: [] },
      routine,
      { arriving: TRUE, asked: TRUE },
      end,
      [],
    );
  }
  return sightings;
}

type TableStage = Extract<Stage, { kind: 'table' }>;

/** Every built-in chain once. */
function stagesOf(
  program: CompiledRuleset,
): readonly { readonly stage: TableStage; readonly hook: keyof typeof PIPELINES }[] {
  const found = new Map<string, { stage: TableStage; hook: keyof typeof PIPELINES }>();
  for (const hook of ['INPUT', 'FORWARD', 'OUTPUT'] as const)
    for (const stage of PIPELINES[hook]) {
      if (stage.kind !== 'table') continue;
      const key = chainKey(stage.table, stage.chain);
      if (program.chains.has(key) && !found.has(key)) found.set(key, { stage, hook });
    }
  return [...found.values()];
}

/** One built-in chain, read from the first rule to the last. */
interface Reading {
  readonly scene: EvaluationContext;
  readonly sightings: Map<CompiledRule, RuleCoverage>;
  /** The packets of {@link FIRST_FROM_OUTSIDE}. */
  readonly first: number;
  /** Packets that rules so far have decided. */
  readonly taken: { accept: number; refuse: number };
  /** Rules that decided any, in order. */
  readonly before: Decided[];
}

interface Decided {
  readonly step: CompiledRule;
  readonly verdict: Side;
  readonly packets: number;
  /** What would come to it and match, if no rule before had decided any. */
  readonly wanted: number;
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
  routine: CompiledChain,
  { arriving, asked }: Entry,
  end: number,
  way: CallPath,
): number {
  const { scene, taken } = reading;
  const { space } = scene;
  const { manager: store } = space;
  const rests = restsOf(scene, routine, end, way);
  let reach = arriving;
  let fallen = FALSE;
  for (const [index, step] of routine.rules.entries()) {
    const match = matchOf(scene, step, way);
    const hit = store.and(reach, match);
    const wanted = store.and(asked, match);
    sight(reading, step, match, wanted, hit, rests[index] as number);
    if (hit === FALSE) continue;
    const left = store.diff(reach, match);
    const { action } = step;
    const decide = (verdict: Side): void => {
      taken[verdict] = store.or(taken[verdict], hit);
      reading.before.push({ step, verdict, packets: hit, wanted });
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
        const inner = scene.ruleset.chains.get(chainKey(step.table, action.chain));
        if (inner === undefined || way.length > 512) break;
        const after = action.goto ? end : (rests[index] as number);
        const entry = { arriving: hit, asked: wanted };
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
function restsOf(
  scene: EvaluationContext,
  routine: CompiledChain,
  end: number,
  way: CallPath,
): readonly number[] {
  const rests: number[] = [];
  let rest = end;
  for (let index = routine.rules.length - 1; index >= 0; index--) {
    const step = routine.rules[index] as CompiledRule;
    rests[index] = rest;
    if (step.action.kind === 'continue') continue;
    const result = effect(scene, step, scene.accept, end, rest, way);
    rest = scene.space.manager.ite(matchOf(scene, step, way), result, rest);
  }
  return rests;
}

function sight(
  reading: Reading,
  step: CompiledRule,
  match: number,
  wanted: number,
  hit: number,
  rest: number,
): void {
  const { scene, sightings, first, taken, before } = reading;
  const { manager: store } = scene.space;
  let sighting = sightings.get(step);
  if (sighting === undefined) {
    sighting = {
      alive: false,
      possible: false,
      called: false,
      needless: true,
      earlier: new Set(),
      first: new Set(),
      blockers: new Set(),
      hiddenBy: new Set(),
      twins: new Set(),
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
    if (store.level(rest) === LEAF || store.diff(hit, accepted) !== FALSE) sighting.needless = false;
    return;
  }
  const wantedFirst = store.and(wanted, first);
  for (const verdict of ['accept', 'refuse'] as const) {
    if (store.and(wanted, taken[verdict]) !== FALSE) sighting.earlier.add(verdict);
    if (store.and(wantedFirst, taken[verdict]) !== FALSE) sighting.first.add(verdict);
  }
  const asked = wantedFirst === FALSE ? wanted : wantedFirst;
  for (const { step: blocker, packets } of before) {
    if (store.and(packets, wanted) === FALSE) continue;
    sighting.hiddenBy.add(blocker);
    if (store.and(packets, asked) !== FALSE) sighting.blockers.add(blocker);
  }
  const twin = before.find(
    (each) => sideOf(step) === each.verdict && store.diff(wanted, each.wanted) === FALSE,
  );
  if (twin === undefined) sighting.twins = 'none';
  else if (sighting.twins !== 'none') sighting.twins.add(twin.step);
}

/** What a rule decides itself. */
export function sideOf({ action }: CompiledRule): Side | undefined {
  if (action.kind === 'accept') return 'accept';
  return action.kind === 'drop' || action.kind === 'reject' ? 'refuse' : undefined;
}
