/**
 * Rulesets without the rules that none of the packets in question can match: a proof about SSH needs few rules of many,
 * and so does the difference that one rule makes.
 */

import { one, type Ranges, union } from '../../lib/ranges.js';
import { matchRules } from '../../netfilter/diff.js';
import type { CompiledChain, CompiledRuleset } from './compiled-ruleset.js';
import { type Field, STATE } from './fields.js';
import type { Predicate } from './predicate.js';

/** What is known of every packet in question, field by field. */
export type Scope = ReadonlyMap<Field, Ranges>;

/** The ruleset without rules that cannot match. @param packets the only packets of interest, as they arrive. */
export const narrowed = (ruleset: CompiledRuleset, packets: readonly Predicate[]): CompiledRuleset =>
  keepsPackets(ruleset) ? narrow(ruleset, packets.map(scopeOf)) : ruleset;

/**
 * Two rulesets, narrowed to what they do differently: a packet that matches none of the rules that differ passes the
 * same rules in both. Both must have the same sets.
 */
export function narrowedPair(
  before: CompiledRuleset,
  after: CompiledRuleset,
): readonly [CompiledRuleset, CompiledRuleset] {
  if (!keepsPackets(before) || !keepsPackets(after) || before.rewritesPackets !== after.rewritesPackets)
    return [before, after];
  const scopes = changedMatches(before, after)?.map(scopeOf);
  if (scopes === undefined || scopes.some((scope) => scope.size === 0)) return [before, after];
  return [narrow(before, scopes), narrow(after, scopes)];
}

/** A packet that a rule changes may match what it would not have matched on arrival. */
const keepsPackets = (ruleset: CompiledRuleset): boolean =>
  [...ruleset.chains.values()].every((chain) => !chain.rewrites);

function narrow(ruleset: CompiledRuleset, scopes: readonly Scope[]): CompiledRuleset {
  const chains = new Map<string, CompiledChain>();
  for (const [key, chain] of ruleset.chains) {
    const rules = chain.rules.filter(({ match }) => scopes.some((scope) => mayMatch(match, scope)));
    chains.set(key, { ...chain, rules });
  }
  return { ...ruleset, chains };
}

/** The matches of the rules that were added, removed or moved; `undefined` where a policy differs. */
function changedMatches(before: CompiledRuleset, after: CompiledRuleset): readonly Predicate[] | undefined {
  const found: Predicate[] = [];
  for (const key of new Set([...before.chains.keys(), ...after.chains.keys()])) {
    const [old, next] = [before.chains.get(key), after.chains.get(key)];
    // A built-in chain that does not exist accepts; a user chain returns every packet.
    if ((old?.policy ?? 'ACCEPT') !== (next?.policy ?? 'ACCEPT')) return undefined;
    const [left, right] = [old?.rules ?? [], next?.rules ?? []];
    const { added, removed, moved } = matchRules(
      left.map(({ spec }) => spec),
      right.map(({ spec }) => spec),
    );
    const changed = new Set([...added, ...removed, ...moved]);
    if (changed.size > 0)
      for (const { spec, match } of [...left, ...right]) if (changed.has(spec)) found.push(match);
  }
  return found;
}

/** The kernel itself may leave a packet out of connection tracking, see pipeline.ts. */
function scopeOf(packets: Predicate): Scope {
  const scope = fieldsOf(packets);
  const states = scope.get('state');
  return states === undefined ? scope : new Map([...scope, ['state', union(states, one(STATE.UNTRACKED))]]);
}

/** The fields that a predicate fixes, each once. */
export function fieldsOf(predicate: Predicate): Scope {
  const parts = predicate.kind === 'all' ? predicate.of : [predicate];
  return new Map(
    parts.flatMap((part) => (part.kind === 'field' ? [[part.field, part.ranges] as const] : [])),
  );
}

/** False where no packet of the scope satisfies the predicate; true says nothing. */
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
