/**
 * What becomes of every packet at once. Stages and rules are read from the last to the first: what a rule does with
 * the packets it matches is known by then, and so a change of the packet is a change of the question.
 */

import { between, ofValues, one } from '../../lib/ranges.js';
import type { Hook } from '../model.js';
import { type CallPath, callPathNumber } from '../program/call-path.js';
import {
  type CompiledChain,
  type CompiledRule,
  type CompiledRuleset,
  chainKey,
} from '../program/compiled-ruleset.js';
import { type Field, interfaceNumber, NO_MAC, NO_OWNER, protocolNumbers } from '../program/fields.js';
import { PIPELINES, type Stage, UNTRACKED_TYPES } from '../program/pipeline.js';
import { all, any, field, type Predicate } from '../program/predicate.js';
import { FALSE, LEAF, TRUE } from './bdd.js';
import type { Evaluation, EvaluationContext } from './context.js';
import { VERDICT_LEAVES } from './decisions.js';
import { isWhole, setMark, UNKNOWN_MARK } from './marks.js';
import { ChainLoopError } from './proof-limits.js';
import { redirected } from './redirect.js';
import type { Space } from './space.js';
import { isPure, type Occurrence } from './unknowns.js';

export const NEW = 0n;
export const UNTRACKED = 4n;

/** States that a packet can arrive with. */
export const TRACKED: Predicate = field('state', between(NEW, UNTRACKED - 1n));

/** The nat table is asked once a connection, by its first packet; ICMP errors belong to the connection they tell of. */
const FIRST_OF_CONNECTION: Predicate = any(
  field('state', one(NEW)),
  all(
    field('state', one(2n)),
    field(
      'protocol',
      protocolNumbers((number) => number !== 1n && number !== 58n),
    ),
  ),
);

const LEFT_OUT_BY_CONNTRACK: Predicate = all(
  field('protocol', one(58n)),
  field('type', ofValues(UNTRACKED_TYPES.map(BigInt))),
);

/** Predicates that evaluation itself needs in the space. */
export const EVALUATION_PREDICATES: readonly Predicate[] = [
  TRACKED,
  FIRST_OF_CONNECTION,
  LEFT_OUT_BY_CONNTRACK,
];

/** A node whose leaves are decisions, over packets as they arrive at the hook's first table. */
export function evaluate(evaluation: Evaluation): number {
  const { space, hook, decisions, ruleset: program } = evaluation;
  const stages = PIPELINES[hook];
  const cares = caresOf(evaluation, stages);
  let rest = decisions.accepted;
  for (let index = stages.length - 1; index >= 0; index--) {
    const stage = stages[index] as Stage;
    rest =
      stage.kind === 'conntrack'
        ? enterConntrack(space, program, rest)
        : runTable(evaluation, stage, rest, cares[index] as number);
  }
  return initially(space, hook, rest);
}

/** What is fixed about a packet by where it comes from. */
function initially(space: Space, hook: Hook, node: number): number {
  const fixed: readonly (readonly [Field, bigint])[] =
    hook === 'OUTPUT'
      ? [
          ['in', interfaceNumber('')],
          ['mark', UNKNOWN_MARK],
          ['mac', NO_MAC],
        ]
      : [
          ...(hook === 'INPUT' ? ([['out', interfaceNumber('')]] as const) : []),
          ['mark', 0n],
          ['uid', NO_OWNER],
          ['gid', NO_OWNER],
        ];
  return fixed.reduce((sum, [name, value]) => space.fix(sum, name, value), node);
}

/** Rewriting makes other packets of those that were cared for, so their fields are let go behind it. */
function caresOf(evaluation: Evaluation, stages: readonly Stage[]): readonly number[] {
  const { space, ruleset: program, relevant: care = TRUE } = evaluation;
  let now = care;
  const letGo = (name: Field): void => {
    const axis = space.axes.get(name);
    if (axis !== undefined) now = space.manager.exists(now, axis.first, axis.first + axis.width);
  };
  return stages.map((stage) => {
    const before = now;
    if (care === TRUE) return before;
    if (stage.kind === 'conntrack') {
      if (program.family === 'v6') letGo('state');
    } else {
      const routine = program.chains.get(chainKey(stage.table, stage.chain));
      if (routine?.rewrites && stage.table === 'raw') letGo('state');
      if (routine?.rewrites && stage.table === 'nat')
        for (const name of ['dst', 'dport'] as const) letGo(name);
    }
    return before;
  });
}

function enterConntrack(space: Space, program: CompiledRuleset, rest: number): number {
  if (program.family === 'v4') return rest;
  const leftOut = space.encode(LEFT_OUT_BY_CONNTRACK, space.nameOf);
  return space.manager.ite(leftOut, space.fix(rest, 'state', UNTRACKED), rest);
}

function runTable(
  evaluation: Evaluation,
  stage: Extract<Stage, { kind: 'table' }>,
  rest: number,
  care: number,
): number {
  const { space, ruleset: program, decisions } = evaluation;
  const { manager: store } = space;
  const routine = program.chains.get(chainKey(stage.table, stage.chain));
  const accept = (step: CompiledRule | undefined): number =>
    stage.table === 'filter' ? decisions.acceptBy(rest, step, stage) : rest;
  if (routine === undefined || (routine.rules.length === 0 && routine.policy === 'ACCEPT'))
    return accept(undefined);
  const end = routine.policy === 'DROP' ? decisions.refuseBy('drop', undefined, stage) : accept(undefined);
  const scene = evaluationContext(evaluation, stage, accept, care);
  const decided = body(scene, routine, accept, end, []);
  return stage.table === 'nat'
    ? store.ite(space.encode(FIRST_OF_CONNECTION, space.nameOf), decided, rest)
    : decided;
}

export const evaluationContext = (
  evaluation: Evaluation,
  stage: EvaluationContext['stage'],
  accept: EvaluationContext['accept'],
  caring: number = TRUE,
): EvaluationContext => ({
  ...evaluation,
  stage,
  relevantHere: caring,
  accept,
  summaries: new Map(),
  matches: new Map(),
});

type Accept = (step: CompiledRule | undefined) => number;

/** Every rule of a chain; `end` is what comes after the last one. */
function body(
  scene: EvaluationContext,
  routine: CompiledChain,
  accept: Accept,
  end: number,
  way: CallPath,
): number {
  const { manager: store } = scene.space;
  const { rules: steps } = routine;
  let rest = end;
  let at = steps.length - 1;
  while (at >= 0) {
    const step = steps[at] as CompiledRule;
    if (step.action.kind === 'continue') {
      at--;
      continue;
    }
    const match = matchOf(scene, step, way);
    if (match === FALSE) {
      at--;
      continue;
    }
    // Neighbours that lead to the same end are one rule.
    const run = [match];
    const result = effect(scene, step, accept, end, rest, way);
    at--;
    while (at >= 0 && isEnd(step) && isEnd(steps[at] as CompiledRule)) {
      const before = steps[at] as CompiledRule;
      if (effect(scene, before, accept, end, rest, way) !== result) break;
      run.push(matchOf(scene, before, way));
      at--;
    }
    rest = store.ite(disjunction(scene, run), result, rest);
  }
  return rest;
}

const isEnd = (step: CompiledRule): boolean =>
  step.action.kind === 'accept' ||
  step.action.kind === 'drop' ||
  step.action.kind === 'reject' ||
  step.action.kind === 'return';

function disjunction(scene: EvaluationContext, nodes: readonly number[]): number {
  const { manager: store } = scene.space;
  let level = nodes;
  while (level.length > 1) {
    const next: number[] = [];
    for (let index = 0; index < level.length; index += 2)
      next.push(store.or(level[index] as number, level[index + 1] ?? FALSE));
    level = next;
  }
  return level[0] ?? FALSE;
}

/** What becomes of a packet that the step matches. */
export function effect(
  scene: EvaluationContext,
  step: CompiledRule,
  accept: Accept,
  end: number,
  rest: number,
  way: CallPath,
): number {
  const { space, decisions, stage } = scene;
  const { manager: store } = space;
  const { action } = step;
  switch (action.kind) {
    case 'accept':
      return accept(step);
    case 'drop':
    case 'reject':
      return decisions.refuseBy(action.kind, step, stage);
    case 'return':
      return end;
    case 'continue':
      return rest;
    case 'call':
      return call(scene, step, action.chain, accept, action.goto ? end : rest, way);
    case 'mark':
      return changeMark(space, rest, action.value, action.mask);
    case 'loseMark':
      return space.fix(rest, 'mark', UNKNOWN_MARK);
    case 'untrack':
      return space.fix(rest, 'state', UNTRACKED);
    case 'send':
      return redirected(scene, step, action, accept(step), namer(scene, way));
    case 'ask': {
      const name = namer(scene, way);
      // Whoever decides may also mark the packet.
      const asked = store.ite(
        space.unknown(name(action.accepts)),
        space.fix(accept(step), 'mark', UNKNOWN_MARK),
        decisions.refuseBy('drop', step, stage),
      );
      return action.continues === null
        ? asked
        : store.ite(space.unknown(name(action.continues)), space.fix(rest, 'mark', UNKNOWN_MARK), asked);
    }
  }
}

function call(
  scene: EvaluationContext,
  step: CompiledRule,
  chain: string,
  accept: Accept,
  after: number,
  way: CallPath,
): number {
  const routine = scene.ruleset.chains.get(chainKey(step.table, chain)) as CompiledChain;
  // A loop is refused by the kernel; here it must only come to an end.
  if (way.length > 512)
    throw new ChainLoopError(`The chain ${chain} of the table ${step.table} leads back to itself.`);
  if (routine.rewrites || routine.nondeterministic)
    return body(scene, routine, accept, after, [...way, step]);
  const { decisions } = scene;
  let summary = scene.summaries.get(routine);
  if (summary === undefined) {
    scene.summaries.set(routine, TRUE);
    summary = body(scene, routine, decisions.ok, VERDICT_LEAVES.fall(scene.space.manager), [...way, step]);
    scene.summaries.set(routine, summary);
  } else if (summary === TRUE)
    throw new ChainLoopError(`The chain ${chain} of the table ${step.table} leads back to itself.`);
  return decisions.resume(summary, accept, after);
}

/**
 * Unknowns of a rule that is passed twice may answer differently each time, and what depends on addresses differs
 * behind the translation of addresses.
 */
const namer =
  (scene: EvaluationContext, way: CallPath) =>
  (occurrence: Occurrence): string =>
    `${scene.space.nameOf(occurrence)}\n@${isPure(occurrence) ? phase(scene.stage) : callPathNumber(scene.ruleset, scene.hook, way)}`;

const BEFORE_NAT: ReadonlySet<string> = new Set(['PREROUTING', 'OUTPUT']);
const phase = ({ table, chain }: EvaluationContext['stage']): string =>
  BEFORE_NAT.has(chain) && table !== 'filter' && table !== 'security' ? 'before' : 'after';

export function matchOf(scene: EvaluationContext, step: CompiledRule, way: CallPath): number {
  const known = scene.matches.get(step);
  if (known !== undefined) return known;
  const { space, relevantHere: caring } = scene;
  const asked = space.encode(step.match, namer(scene, way));
  const match = caring === TRUE ? asked : space.manager.and(asked, caring);
  const steady = scene.ruleset.chains.get(chainKey(step.table, step.chain))?.nondeterministic === false;
  if (steady) scene.matches.set(step, match);
  return match;
}

function changeMark(space: Space, rest: number, value: number, mask: number): number {
  const { manager: store, marks, fix } = space;
  if (fix(rest, 'mark', 0n) === rest) return rest;
  const indexOf = (mark: number): bigint => {
    const index = marks.indexOf(mark);
    return index === -1 ? UNKNOWN_MARK : BigInt(index);
  };
  const name = (): string => '';
  return marks.reduce(
    (sum, mark, index) =>
      store.ite(
        space.encode(field('mark', one(BigInt(index))), name),
        fix(rest, 'mark', indexOf(setMark(mark, value, mask))),
        sum,
      ),
    fix(rest, 'mark', isWhole(mask) ? indexOf(value >>> 0) : UNKNOWN_MARK),
  );
}

/** The packets of which `node` says what `of` accepts. */
export const where = (space: Space, node: number, holds: (leaf: number) => boolean): number =>
  space.manager.mapLeaves(node, (leaf) => (space.manager.level(leaf) === LEAF && holds(leaf) ? TRUE : FALSE));
