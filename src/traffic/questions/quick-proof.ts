/**
 * A quick proof that all packets in question are accepted: rule by rule, each of which accepts all that are left,
 * accepts those with some values of one field, or matches none. Most rulesets accept administrators so plainly that no
 * diagram is needed. A negative result says nothing.
 */

import { isEmpty, ofValues, one, subtract } from '../../lib/ranges.js';
import type { Hook } from '../model.js';
import {
  type CompiledChain,
  type CompiledRuleset,
  calledChain,
  chainOf,
} from '../program/compiled-ruleset.js';
import { PROTOCOL, STATE } from '../program/fields.js';
import { fieldsOf, mayMatch, type Scope } from '../program/narrow.js';
import { tableStages, UNTRACKED_TYPES } from '../program/pipeline.js';
import type { Predicate } from '../program/predicate.js';

/** Whether all packets are accepted for sure. @param packets a conjunction of fields, and nothing else */
export function quickProof(ruleset: CompiledRuleset, hook: Hook, packets: Predicate): boolean {
  if (packets.kind !== 'all' || packets.of.some(({ kind }) => kind !== 'field')) return false;
  const fixed = fieldsOf(packets);
  const scope = ruleset.family === 'v6' ? afterConntrack(fixed) : fixed;
  if (fixed.size !== packets.of.length || scope === undefined) return false;
  return tableStages(ruleset, hook).every(({ table, chain: name }) => {
    const chain = chainOf(ruleset, table, name);
    return chain === undefined || (!chain.rewrites && through(ruleset, chain, scope, 0) === 'accepted');
  });
}

/** Connection tracking leaves some ICMPv6 untracked: for this proof it must be all of the packets or none. */
function afterConntrack(scope: Scope): Scope | undefined {
  const protocols = scope.get('protocol');
  if (
    protocols !== undefined &&
    !protocols.some(([from, to]) => from <= PROTOCOL.ICMPV6 && PROTOCOL.ICMPV6 <= to)
  )
    return scope;
  const types = scope.get('type');
  const untracked = types !== undefined && isEmpty(subtract(types, UNTRACKED));
  const icmpAlone = protocols !== undefined && isEmpty(subtract(protocols, one(PROTOCOL.ICMPV6)));
  return untracked && icmpAlone && !scope.has('state')
    ? new Map([...scope, ['state', one(STATE.UNTRACKED)]])
    : undefined;
}

const UNTRACKED = ofValues(UNTRACKED_TYPES.map(BigInt));

/** The packets that reach the end of a chain. */
type Left = Scope | 'accepted' | 'unknown';

function through(ruleset: CompiledRuleset, chain: CompiledChain, start: Scope, depth: number): Left {
  if (depth > 64) return 'unknown';
  let left = start;
  for (const rule of chain.rules) {
    const { match, action } = rule;
    if (action.kind === 'continue' || !mayMatch(match, left)) continue;
    const rest = unmatched(left, match);
    if (rest === 'unknown') return 'unknown';
    if (action.kind === 'accept' || action.kind === 'snat') {
      if (rest === 'nothing') return 'accepted';
      left = rest;
    } else if (action.kind === 'call' && !action.goto && rest === 'nothing') {
      const inner = calledChain(ruleset, rule);
      const after = inner === undefined ? 'unknown' : through(ruleset, inner, left, depth + 1);
      if (after === 'accepted' || after === 'unknown') return after;
      left = after;
    } else return 'unknown';
  }
  return chain.policy === undefined ? left : chain.policy === 'ACCEPT' ? 'accepted' : 'unknown';
}

/** The packets that do not match: these are again fixed by fields alone if at most one field excludes them. */
function unmatched(scope: Scope, match: Predicate): Scope | 'nothing' | 'unknown' {
  const parts = match.kind === 'all' ? match.of : [match];
  let rest: Scope | 'nothing' = 'nothing';
  for (const part of parts) {
    const known = part.kind === 'field' ? scope.get(part.field) : undefined;
    if (part.kind !== 'field' || known === undefined) return 'unknown';
    const remaining = subtract(known, part.ranges);
    if (isEmpty(remaining)) continue;
    // Two parts leave more than one cube, and so do two parts on one field.
    if (rest !== 'nothing') return 'unknown';
    rest = new Map([...scope, [part.field, remaining]]);
  }
  return rest;
}
