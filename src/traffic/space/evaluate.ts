/**
 * The decision on every packet at once. Stages and rules are evaluated from the last to the first: the result of what
 * follows a rule is known by then, so that a rule that changes the packet is a substitution in that result.
 */

import { between, ofValues, one } from '../../lib/ranges.js';
import type { Hook } from '../model.js';
import { type CallPath, callPathNumber } from '../program/call-path.js';
import {
  type CompiledChain,
  type CompiledRule,
  type CompiledRuleset,
  calledChain,
  chainOf,
} from '../program/compiled-ruleset.js';
import {
  domain,
  type Field,
  interfaceNumber,
  NO_MAC,
  NO_OWNER,
  PROTOCOL,
  protocolNumbers,
  STATE,
} from '../program/fields.js';
import { type Stage, stagesOf, type TableStage, translates, UNTRACKED_TYPES } from '../program/pipeline.js';
import { all, any, field, notLoopback, type Predicate } from '../program/predicate.js';
import { FALSE, TRUE } from './bdd.js';
import type { Evaluation, EvaluationContext } from './context.js';
import { isWhole, setMark, UNKNOWN_MARK } from './marks.js';
import { ChainLoopError } from './proof-limits.js';
import { redirected } from './redirect.js';
import { BEFORE_NAT, type Space } from './space.js';
import { isPure, type Occurrence } from './unknowns.js';

/** States that a packet can arrive with. */
export const TRACKED: Predicate = field('state', between(STATE.NEW, STATE.UNTRACKED - 1n));

/**
 * Only the first packet of a connection passes the nat table; ICMP errors belong to the connection they are about. What
 * comes over `lo` has passed it when it was sent (nf_nat_initialized of nf_nat_core.c).
 */
const FIRST_OF_CONNECTION: Predicate = all(
  notLoopback('in'),
  any(
    field('state', one(STATE.NEW)),
    all(
      field('state', one(STATE.RELATED)),
      field(
        'protocol',
        protocolNumbers((number) => number !== PROTOCOL.ICMP && number !== PROTOCOL.ICMPV6),
      ),
    ),
  ),
);

const NEVER_TRACKED: Predicate = all(
  field('protocol', one(PROTOCOL.ICMPV6)),
  field('type', ofValues(UNTRACKED_TYPES.map(BigInt))),
);

/** Predicates that evaluation itself needs in the space. */
export const EVALUATION_PREDICATES: readonly Predicate[] = [TRACKED, FIRST_OF_CONNECTION, NEVER_TRACKED];

/** A node whose leaves are decisions, over packets as they arrive at the hook's first table. @throws ChainLoopError */
export function evaluate(evaluation: Evaluation): number {
  const { space, hook, decisions, ruleset } = evaluation;
  const rest = evaluateStages(evaluation, stagesOf(ruleset, hook), {
    rest: decisions.accepted,
    translated: decisions.accepted,
    relevant: evaluation.relevant ?? TRUE,
  });
  return onArrival(space, hook, rest);
}

interface Following {
  /** The result behind the stages. */
  readonly rest: number;
  /** The result for packets that one of several chains with nat has translated: the others do not see them. */
  readonly translated: number;
  /** {@link Evaluation.relevant} as the packets reach the first of the stages. */
  readonly relevant: number;
}

/** The stages from the last to the first. */
function evaluateStages(evaluation: Evaluation, stages: readonly Stage[], following: Following): number {
  const relevant = relevantAt(evaluation, stages, following.relevant);
  let { rest, translated } = following;
  for (let index = stages.length - 1; index >= 0; index--) {
    const stage = stages[index] as Stage;
    if (index + 1 < stages.length && !translates(stages[index + 1])) translated = rest;
    rest = evaluateStage(evaluation, stage, { rest, translated, relevant: relevant[index] as number });
  }
  return rest;
}

function evaluateStage(evaluation: Evaluation, stage: Stage, following: Following): number {
  const { space, ruleset } = evaluation;
  if (stage.kind === 'conntrack') return enterConntrack(space, ruleset, following.rest);
  if (stage.kind === 'table') return evaluateTable(evaluation, stage, following);
  const inner = translates(stage) ? following : { ...following, translated: following.rest };
  const results = stage.orders.map((order) => evaluateStages(evaluation, order, inner));
  return results.reduce((sum, result, index) =>
    space.manager.ite(space.unknown(`${stage.name}\n${index}`), result, sum),
  );
}

/** What the hook alone fixes about a packet. */
function onArrival(space: Space, hook: Hook, node: number): number {
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
  const arrived = [['translated', 0n] as const, ...fixed].reduce(
    (sum, [name, value]) => space.fix(sum, name, value),
    node,
  );
  return BEFORE_NAT.reduce((sum, [original, now]) => unify(space, sum, original, now), arrived);
}

/** The packets for which two fields have the same value. */
function unify(space: Space, node: number, original: Field, now: Field): number {
  const starts = space.axes.get(original)?.starts ?? [];
  if (starts.length < 2) return node;
  const [, last] = domain(now, space.family);
  return starts.reduce((sum, start, index) => {
    const end = (starts[index + 1] ?? last + 1n) - 1n;
    const here = space.encode(field(now, [[start, end]]));
    return space.manager.ite(here, space.fix(node, original, start), sum);
  }, node);
}

/** The relevant packets at each stage: behind a chain that rewrites fields, these fields may have any value. */
function relevantAt(
  { space, ruleset }: Evaluation,
  stages: readonly Stage[],
  relevant: number,
): readonly number[] {
  let now = relevant;
  const behind = (stage: Stage): void => {
    if (stage.kind === 'unordered') for (const each of stage.orders[0] ?? []) behind(each);
    else if (stage.kind === 'conntrack') {
      if (ruleset.family === 'v6') now = space.exists(now, 'state');
    } else if (chainOf(ruleset, stage.table, stage.chain)?.rewrites) {
      if (stage.nat) now = space.exists(space.exists(now, 'dst'), 'dport');
      else if (stage.table !== 'mangle') now = space.exists(now, 'state');
    }
  };
  return stages.map((stage) => {
    if (stage.kind === 'unordered') behind(stage);
    const before = now;
    if (stage.kind !== 'unordered') behind(stage);
    return before;
  });
}

function enterConntrack(space: Space, { family }: CompiledRuleset, rest: number): number {
  if (family === 'v4') return rest;
  return space.manager.ite(space.encode(NEVER_TRACKED), space.fix(rest, 'state', STATE.UNTRACKED), rest);
}

function evaluateTable(
  evaluation: Evaluation,
  stage: TableStage,
  { rest, translated, relevant }: Following,
): number {
  const { space, ruleset, decisions } = evaluation;
  const chain = chainOf(ruleset, stage.table, stage.chain);
  const accept: Accept = (rule) => (stage.table === 'filter' ? decisions.acceptBy(rest, rule, stage) : rest);
  if (chain === undefined || (chain.rules.length === 0 && chain.policy === 'ACCEPT'))
    return accept(undefined);
  const end = chain.policy === 'DROP' ? decisions.refuseBy('drop', undefined, stage) : accept(undefined);
  const context = evaluationContext(evaluation, stage, accept, relevant, translated);
  const decided = evaluateChain(context, chain, accept, end, []);
  return stage.nat ? space.manager.ite(space.encode(FIRST_OF_CONNECTION), decided, rest) : decided;
}

/** The context for the rules of one table. */
export const evaluationContext = (
  evaluation: Evaluation,
  stage: TableStage,
  accept: Accept,
  relevantHere: number = TRUE,
  translated: number = accept(undefined),
): EvaluationContext => ({
  ...evaluation,
  translated,
  stage,
  relevantHere,
  accept,
  summaries: new Map(),
  matches: new Map(),
});

type Accept = EvaluationContext['accept'];

/** Every rule of a chain; `end` is the result behind the last one. */
function evaluateChain(
  context: EvaluationContext,
  { rules }: CompiledChain,
  accept: Accept,
  end: number,
  path: CallPath,
): number {
  const { manager } = context.space;
  let rest = end;
  let at = rules.length - 1;
  while (at >= 0) {
    const rule = rules[at--] as CompiledRule;
    if (rule.action.kind === 'continue') continue;
    const match = matchOf(context, rule, path);
    if (match === FALSE) continue;
    const result = effect(context, rule, accept, end, rest, path);
    // Adjacent rules with the same result are one rule.
    const matches = [match];
    for (; at >= 0 && isFinal(rule); at--) {
      const previous = rules[at] as CompiledRule;
      if (!isFinal(previous) || effect(context, previous, accept, end, rest, path) !== result) break;
      matches.push(matchOf(context, previous, path));
    }
    rest = manager.ite(manager.orAll(matches), result, rest);
  }
  return rest;
}

const FINAL: ReadonlySet<string> = new Set(['accept', 'drop', 'reject', 'return', 'snat']);
const isFinal = (rule: CompiledRule): boolean => FINAL.has(rule.action.kind);

/** The result for packets that the rule matches. @param rest the result behind the rule, @param end behind its chain */
export function effect(
  context: EvaluationContext,
  rule: CompiledRule,
  accept: Accept,
  end: number,
  rest: number,
  path: CallPath,
): number {
  const { space, decisions, stage } = context;
  const { action } = rule;
  switch (action.kind) {
    case 'accept':
      return accept(rule);
    case 'drop':
    case 'reject':
      return decisions.refuseBy(action.kind, rule, stage);
    case 'return':
      return end;
    case 'continue':
      return rest;
    case 'call':
      return call(context, rule, accept, action.goto ? end : rest, path);
    case 'mark':
      return changeMark(space, rest, action.value, action.mask);
    case 'unknownMark':
      return space.fix(rest, 'mark', UNKNOWN_MARK);
    case 'untrack':
      return space.fix(rest, 'state', STATE.UNTRACKED);
    case 'dnat':
      // NETMAP behind routing translates the source (netmap_tg4 of xt_NETMAP.c).
      if (!stage.beforeNat) return context.translated;
      return redirected(context, rule, action, context.translated, namer(context, path));
    case 'snat':
      // No later rule sees the new source.
      return context.translated;
    case 'external': {
      const { ite } = space.manager;
      const name = namer(context, path);
      // The program that decides may also mark the packet.
      const passed = space.fix(accept(rule), 'mark', UNKNOWN_MARK);
      // A target that is not known may change addresses and ports too: then later rules may accept what they drop.
      const altered =
        action.continues === null
          ? passed
          : ite(
              space.unknown(`${name(action.accepts)}\naltered`),
              decisions.acceptBy(decisions.accepted, rule, stage),
              passed,
            );
      const decided = ite(
        space.unknown(name(action.accepts)),
        altered,
        decisions.refuseBy('drop', rule, stage),
      );
      return action.continues === null
        ? decided
        : ite(space.unknown(name(action.continues)), space.fix(rest, 'mark', UNKNOWN_MARK), decided);
    }
  }
}

function call(
  context: EvaluationContext,
  rule: CompiledRule,
  accept: Accept,
  after: number,
  path: CallPath,
): number {
  const { ruleset, decisions, summaries } = context;
  const chain = calledChain(ruleset, rule) as CompiledChain;
  const inner = [...path, rule];
  let summary = summaries.get(chain);
  // The kernel refuses loops; here they must only terminate.
  if (path.length > 512 || summary === TRUE)
    throw new ChainLoopError(`Chain ${chain.name} of table ${chain.table} calls itself.`);
  if (chain.rewrites || chain.nondeterministic) return evaluateChain(context, chain, accept, after, inner);
  if (summary === undefined) {
    summaries.set(chain, TRUE);
    summary = evaluateChain(context, chain, decisions.acceptedInChain, decisions.chainEnd, inner);
    summaries.set(chain, summary);
  }
  return decisions.resume(summary, accept, after);
}

/** A stateful match may differ each time its rule is passed, and a match on addresses before and behind nat. */
const namer =
  ({ space, stage, ruleset, hook }: EvaluationContext, path: CallPath) =>
  (occurrence: Occurrence): string => {
    const phase = stage.beforeNat ? 'before' : 'after';
    return `${space.nameOf(occurrence)}\n@${isPure(occurrence) ? phase : callPathNumber(ruleset, hook, path)}`;
  };

/** The packets that a rule matches, of those that are relevant. */
export function matchOf(context: EvaluationContext, rule: CompiledRule, path: CallPath): number {
  const { space, ruleset, relevantHere, matches } = context;
  const known = matches.get(rule);
  if (known !== undefined) return known;
  const match = space.manager.and(space.encode(rule.match, namer(context, path)), relevantHere);
  if (chainOf(ruleset, rule.table, rule.chain)?.nondeterministic === false) matches.set(rule, match);
  return match;
}

function changeMark(space: Space, rest: number, value: number, mask: number): number {
  const { manager, marks, fix } = space;
  if (fix(rest, 'mark', 0n) === rest) return rest;
  const indexOf = (mark: number): bigint => {
    const index = marks.indexOf(mark);
    return index === -1 ? UNKNOWN_MARK : BigInt(index);
  };
  return marks.reduce(
    (sum, mark, index) =>
      manager.ite(
        space.encode(field('mark', one(BigInt(index)))),
        fix(rest, 'mark', indexOf(setMark(mark, value, mask))),
        sum,
      ),
    fix(rest, 'mark', isWhole(mask) ? indexOf(value >>> 0) : UNKNOWN_MARK),
  );
}
