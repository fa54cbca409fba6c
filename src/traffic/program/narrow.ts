/**
 * Programs without the rules that none of the packets in question can match: a proof about SSH needs few of many, and so
 * does the difference that one rule makes.
 */

import { one, type Ranges, union } from '../../lib/ranges.js';
import { matchRules } from '../../netfilter/diff.js';
import type { Rule } from '../../netfilter/model.js';
import type { CompiledChain, CompiledRule, CompiledRuleset } from './compiled-ruleset.js';
import type { Field } from './fields.js';
import type { Predicate } from './predicate.js';

/** What is known of every packet of a question, field by field. */
export type Scope = ReadonlyMap<Field, Ranges>;

/** @param questions the only packets that the program will be asked about, as they arrive. */
export const narrowed = (program: CompiledRuleset, questions: readonly Predicate[]): CompiledRuleset =>
  isPlain(program) ? only(program, questions.map(scopeOf)) : program;

/**
 * Two programs for what they do differently: a packet that no rule matches which differs passes the same rules in both.
 * The same sets must stand behind both.
 */
export function narrowedPair(
  before: CompiledRuleset,
  after: CompiledRuleset,
): readonly [CompiledRuleset, CompiledRuleset] {
  if (!isPlain(before) || !isPlain(after) || before.rewritesPackets !== after.rewritesPackets)
    return [before, after];
  const matches = differing(before, after);
  const scopes = matches?.map(scopeOf);
  if (scopes === undefined || scopes.some((scope) => scope.size === 0)) return [before, after];
  return [only(before, scopes), only(after, scopes)];
}

/** A packet that a rule changes may match what it would not have matched on arrival. */
const isPlain = (program: CompiledRuleset): boolean =>
  [...program.chains.values()].every((routine) => !routine.rewrites);

function only(program: CompiledRuleset, scopes: readonly Scope[]): CompiledRuleset {
  const routines = [...program.chains].map(
    ([key, routine]) =>
      [
        key,
        {
          ...routine,
          rules: routine.rules.filter(({ match }) => scopes.some((scope) => mayMatch(match, scope))),
        },
      ] as const,
  );
  return { ...program, chains: new Map(routines) };
}

/** What the rules ask that were added, removed or moved; `undefined` where a policy differs. */
function differing(before: CompiledRuleset, after: CompiledRuleset): readonly Predicate[] | undefined {
  const found: Predicate[] = [];
  for (const key of new Set([...before.chains.keys(), ...after.chains.keys()])) {
    const [old, next] = [before.chains.get(key), after.chains.get(key)];
    if (policyOf(old) !== policyOf(next)) return undefined;
    const [left, right] = [old?.rules ?? [], next?.rules ?? []];
    const { added, removed, moved } = matchRules(left.map(ruleOf), right.map(ruleOf));
    const changed = new Set([...added, ...removed, ...moved]);
    if (changed.size > 0)
      for (const { spec: rule, match } of [...left, ...right]) if (changed.has(rule)) found.push(match);
  }
  return found;
}

/** A built-in chain that is not there accepts; so does a user chain give everything back. */
const policyOf = (routine: CompiledChain | undefined): 'ACCEPT' | 'DROP' => routine?.policy ?? 'ACCEPT';

const ruleOf = ({ spec: rule }: CompiledRule): Rule => rule;

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
