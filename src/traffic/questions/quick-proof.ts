/**
 * The short proof that all packets of a question are accepted: rule by rule, each of which takes all that is left, takes
 * what is left but for one field, or takes nothing. Most rulesets let administrators in so plainly that no diagram is
 * needed; where this says no, nothing is known.
 */

import { isEmpty, ofValues, one, subtract } from '../../lib/ranges.js';
import type { Hook } from '../model.js';
import { type CompiledChain, type CompiledRuleset, chainKey } from '../program/compiled-ruleset.js';
import { fieldsOf, mayMatch, type Scope } from '../program/narrow.js';
import { PIPELINES, UNTRACKED_TYPES } from '../program/pipeline.js';
import type { Predicate } from '../program/predicate.js';

const ICMP6 = 58n;

/** @param question fields that all packets share, and nothing else. */
export function quickProof(program: CompiledRuleset, hook: Hook, question: Predicate): boolean {
  if (question.kind !== 'all' || question.of.some(({ kind }) => kind !== 'field')) return false;
  const fixed = fieldsOf(question);
  const scope = program.family === 'v6' ? tracked(fixed) : fixed;
  if (fixed.size !== question.of.length || scope === undefined) return false;
  const routines = PIPELINES[hook].flatMap((stage) => {
    const routine = stage.kind === 'table' && program.chains.get(chainKey(stage.table, stage.chain));
    return routine ? [routine] : [];
  });
  return routines.every((routine) => !routine.rewrites && through(program, routine, scope, 0) === 'accepted');
}

/** Connection tracking leaves some ICMPv6 out: all of the question or none of it, for this proof. */
function tracked(scope: Scope): Scope | undefined {
  const protocols = scope.get('protocol');
  if (protocols !== undefined && !protocols.some(([from, to]) => from <= ICMP6 && ICMP6 <= to)) return scope;
  const types = scope.get('type');
  const leftOut = types !== undefined && isEmpty(subtract(types, UNTRACKED));
  const icmpAlone = protocols !== undefined && isEmpty(subtract(protocols, one(ICMP6)));
  return leftOut && icmpAlone && !scope.has('state') ? new Map([...scope, ['state', one(4n)]]) : undefined;
}

const UNTRACKED = ofValues(UNTRACKED_TYPES.map(BigInt));

/** What is left at the end of a chain, if it is neither nothing nor beyond this proof. */
type Left = Scope | 'accepted' | 'unsure';

function through(program: CompiledRuleset, routine: CompiledChain, start: Scope, depth: number): Left {
  if (depth > 64) return 'unsure';
  let left = start;
  for (const { match, action, table } of routine.rules) {
    if (action.kind === 'continue' || !mayMatch(match, left)) continue;
    const rest = without(left, match);
    if (rest === 'unsure') return 'unsure';
    if (action.kind === 'accept') {
      if (rest === 'nothing') return 'accepted';
      left = rest;
    } else if (action.kind === 'call' && !action.goto && rest === 'nothing') {
      const inner = program.chains.get(chainKey(table, action.chain));
      const after = inner === undefined ? 'unsure' : through(program, inner, left, depth + 1);
      if (after === 'accepted' || after === 'unsure') return after;
      left = after;
    } else return 'unsure';
  }
  return routine.policy === undefined ? left : routine.policy === 'ACCEPT' ? 'accepted' : 'unsure';
}

/** The packets that a match leaves: what is left is again fields alone when at most one field decides. */
function without(scope: Scope, match: Predicate): Scope | 'nothing' | 'unsure' {
  const parts = match.kind === 'all' ? match.of : [match];
  let rest: Scope | 'nothing' = 'nothing';
  for (const part of parts) {
    const known = part.kind === 'field' ? scope.get(part.field) : undefined;
    if (part.kind !== 'field' || known === undefined) return 'unsure';
    const remains = subtract(known, part.ranges);
    if (isEmpty(remains)) continue;
    // Two parts leave more than one box; two that ask one field are as bad.
    if (rest !== 'nothing') return 'unsure';
    rest = new Map([...scope, [part.field, remains]]);
  }
  return rest;
}
