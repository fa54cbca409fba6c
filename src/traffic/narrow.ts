/** A program without the rules that none of the packets in question can match: a proof about SSH needs few of many. */
import type { Field } from './fields.js';
import type { Predicate } from './predicate.js';
import type { Program } from './program.js';
import { one, type Ranges, union } from './ranges.js';

/** What is known of every packet of a question, field by field. */
export type Scope = ReadonlyMap<Field, Ranges>;

/** @param questions the only packets that the program will be asked about, as they arrive. */
export function narrowed(program: Program, questions: readonly Predicate[]): Program {
  // A packet that a rule changes may match what it would not have matched on arrival.
  if ([...program.routines.values()].some((routine) => routine.rewrites)) return program;
  const scopes = questions.map(scopeOf);
  const routines = [...program.routines].map(
    ([key, routine]) =>
      [
        key,
        {
          ...routine,
          steps: routine.steps.filter(({ match }) => scopes.some((scope) => mayMatch(match, scope))),
        },
      ] as const,
  );
  return { ...program, routines: new Map(routines) };
}

/** The kernel itself may leave a packet out of connection tracking, see pipeline.ts. */
const UNTRACKED = one(4n);

function scopeOf(question: Predicate): Scope {
  const scope = fieldsOf(question);
  const states = scope.get('state');
  return states === undefined ? scope : new Map([...scope, ['state', union(states, UNTRACKED)]]);
}

/** The fields that a question fixes, each once. */
export function fieldsOf(question: Predicate): Scope {
  const parts = question.kind === 'all' ? question.of : [question];
  return new Map(
    parts.flatMap((part) => (part.kind === 'field' ? [[part.field, part.ranges] as const] : [])),
  );
}

export function mayMatch(predicate: Predicate, scope: Scope): boolean {
  switch (predicate.kind) {
    case 'field': {
      const known = scope.get(predicate.field);
      return known === undefined || overlap(known, predicate.ranges);
    }
    case 'all':
      return predicate.of.every((part) => mayMatch(part, scope));
    case 'any':
      return predicate.of.some((part) => mayMatch(part, scope));
    default:
      return true;
  }
}

function overlap(a: Ranges, b: Ranges): boolean {
  let [left, right] = [0, 0];
  while (left < a.length && right < b.length) {
    const [x, y] = [a[left], b[right]];
    if (x === undefined || y === undefined) return false;
    if (x[1] < y[0]) left++;
    else if (y[1] < x[0]) right++;
    else return true;
  }
  return false;
}
