/** Whether a rule matches a packet, or what that depends on. */

import { has } from '../../lib/ranges.js';
import type { CompiledRule } from '../program/compiled-ruleset.js';
import type { TableStage } from '../program/pipeline.js';
import { evaluatePredicate, type Leaf } from '../program/predicate.js';
import { testMark } from '../space/marks.js';
import { occurrenceText } from '../space/unknowns.js';
import { MOST_BRANCHES, type PacketState, type Trace } from './packet-state.js';

export interface MatchOutcome {
  readonly matched: boolean;
  readonly state: PacketState;
}

/** Whether a rule matches; both outcomes where that depends on something unmodelled. */
export function matches(
  trace: Trace,
  stage: TableStage,
  rule: CompiledRule,
  state: PacketState,
): readonly MatchOutcome[] {
  const context: Context = { stage, assumed: new Map(), state };
  const result = evaluate(rule, context);
  if (typeof result === 'boolean') return [{ matched: result, state }];
  // A rule that decides nothing needs no second outcome.
  if (rule.action.kind === 'continue') return [{ matched: false, state }];
  return fork(trace, rule, context, result);
}

interface Context {
  readonly stage: TableStage;
  /** Results that are assumed for this rule alone. */
  readonly assumed: ReadonlyMap<Leaf, boolean>;
  readonly state: PacketState;
}

function fork(trace: Trace, rule: CompiledRule, context: Context, open: Leaf): readonly MatchOutcome[] {
  const { stage, assumed, state } = context;
  if (++trace.branches >= MOST_BRANCHES) return [{ matched: false, state }];
  const isPure = open.kind === 'unknown' && open.pure;
  return [true, false].flatMap((value) => {
    const next: PacketState = {
      ...state,
      unmodelled: [...state.unmodelled, openText(open)],
      assumed: isPure ? new Map([...state.assumed, [assumedKey(stage, open.text), value]]) : state.assumed,
    };
    const inner: Context = {
      stage,
      assumed: isPure ? assumed : new Map([...assumed, [open, value]]),
      state: next,
    };
    const result = evaluate(rule, inner);
    return typeof result === 'boolean'
      ? [{ matched: result, state: next }]
      : fork(trace, rule, inner, result);
  });
}

const openText = (open: Leaf): string =>
  open.kind === 'field' ? 'the destination that nat chose' : `"${matchName(occurrenceText(open))}"`;

/** As a rule has it: what is not understood is more than one match. */
const matchName = (text: string): string => (text.startsWith('-') ? text : `-m ${text}`);

const assumedKey = (stage: TableStage, text: string): string =>
  `${stage.beforeNat ? 'before' : 'after'}\n${text}`;

/** True, false, or the part of the match that leaves it open. */
const evaluate = ({ match }: CompiledRule, { stage, assumed, state }: Context): boolean | Leaf =>
  evaluatePredicate<Leaf>(match, (leaf) => {
    if (leaf.kind === 'field') {
      const value = state.values.get(leaf.field);
      if (value !== undefined) return has(leaf.ranges, value);
    } else if (leaf.kind === 'mark') {
      if (state.mark !== undefined) return testMark(state.mark, leaf.value, leaf.mask);
    } else if (leaf.pure) return state.assumed.get(assumedKey(stage, leaf.text)) ?? leaf;
    return assumed.get(leaf) ?? leaf;
  });
