/** Whether a rule matches a packet, or on what that hangs. */

import { has } from '../../lib/ranges.js';
import type { CompiledRule } from '../program/compiled-ruleset.js';
import type { Predicate } from '../program/predicate.js';
import { testMark } from '../space/marks.js';
import { occurrenceText } from '../space/unknowns.js';
import { MOST_BRANCHES, type PacketState, type TableStage, type Trace } from './packet-state.js';

export interface MatchOutcome {
  readonly matched: boolean;
  readonly state: PacketState;
}

/** Whether a step matches; both ways where that hangs on something unmodelled. */
export function matches(
  walk: Trace,
  stage: TableStage,
  step: CompiledRule,
  traveller: PacketState,
): readonly MatchOutcome[] {
  const context: Context = { stage, taken: new Map(), traveller };
  const answer = ask(step.match, context);
  if (typeof answer === 'boolean') return [{ matched: answer, state: traveller }];
  // A rule that decides nothing needs no second way.
  if (step.action.kind === 'continue') return [{ matched: false, state: traveller }];
  return fork(walk, step, context, answer);
}

interface Context {
  readonly stage: TableStage;
  /** Answers of unknowns that hold for this rule alone. */
  readonly taken: ReadonlyMap<Predicate, boolean>;
  readonly traveller: PacketState;
}

function fork(walk: Trace, step: CompiledRule, context: Context, open: Predicate): readonly MatchOutcome[] {
  if (++walk.branches >= MOST_BRANCHES) return [{ matched: false, state: context.traveller }];
  return [true, false].flatMap((value) => {
    const { traveller } = context;
    const isPure = open.kind === 'unknown' && open.pure;
    const taken = isPure ? traveller.assumed : new Map([...context.taken, [open, value] as const]);
    const next: PacketState = {
      ...traveller,
      unmodelled: [...traveller.unmodelled, openText(open)],
      ...(isPure
        ? { assumed: new Map([...traveller.assumed, [takenKey(context.stage, open.text), value]]) }
        : {}),
    };
    const inner: Context = {
      ...context,
      taken: isPure ? context.taken : (taken as Context['taken']),
      traveller: next,
    };
    const answer = ask(step.match, inner);
    return typeof answer === 'boolean' ? [{ matched: answer, state: next }] : fork(walk, step, inner, answer);
  });
}

const openText = (open: Predicate): string =>
  open.kind === 'unknown' || open.kind === 'mark' ? `"-m ${occurrenceText(open)}"` : 'where nat sent it';

const takenKey = ({ table, chain }: TableStage, text: string): string =>
  `${['PREROUTING', 'OUTPUT'].includes(chain) && table !== 'filter' && table !== 'security' ? 'before' : 'after'}\n${text}`;

/** True, false, or the part on which it hangs. */
function ask(predicate: Predicate, context: Context): boolean | Predicate {
  const { traveller, taken, stage } = context;
  switch (predicate.kind) {
    case 'field': {
      const value = traveller.values.get(predicate.field);
      return value === undefined ? (taken.get(predicate) ?? predicate) : has(predicate.ranges, value);
    }
    case 'not': {
      const answer = ask(predicate.of, context);
      return typeof answer === 'boolean' ? !answer : answer;
    }
    case 'all':
    case 'any': {
      const decisive = predicate.kind === 'any';
      let open: Predicate | undefined;
      for (const each of predicate.of) {
        const answer = ask(each, context);
        if (answer === decisive) return decisive;
        if (typeof answer !== 'boolean') open ??= answer;
      }
      return open ?? !decisive;
    }
    case 'mark':
      return traveller.mark === undefined
        ? (taken.get(predicate) ?? predicate)
        : testMark(traveller.mark, predicate.value, predicate.mask);
    case 'unknown':
      return predicate.pure
        ? (traveller.assumed.get(takenKey(stage, predicate.text)) ?? predicate)
        : (taken.get(predicate) ?? predicate);
  }
}
