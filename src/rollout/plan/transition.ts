/** One host's states as rulesets: what it runs, what it boots, and what both become with the policy in its place. */
import { type Owned, replaceManaged, sameSet } from '../../compile/merge/replace-managed.js';
import { readRuleset } from '../../compile/read.js';
import type { HostState } from '../../host/client.js';
import type { Result } from '../../lib/problem.js';
import { equalTables } from '../../netfilter/empty.js';
import type { Ruleset, RulesText } from '../../netfilter/model.js';
import type { Fleet, Host } from '../../policy/fleet.js';

/** From `before` to `next`, and what was found of rules that the policy does not manage. */
export interface Transition extends Owned {
  readonly before: Ruleset;
}

export interface HostTransitions {
  readonly desired: Ruleset;
  readonly live: Transition;
  /** Not ok when a saved file is not what iptables-restore would read. */
  readonly saved: Result<Transition>;
}

/** @returns the problems when the live state cannot be understood whole: nothing may then be said about this host. */
export function transitionsOf(
  fleet: Fleet,
  host: Host,
  state: HostState,
  wanted: Ruleset,
): Result<HostTransitions> {
  const desired = possibleOn(state, wanted);
  const live = transition(state.live, desired, `${host.name} live`, fleet);
  if (!live.ok) return live;
  const saved = transition(savedText(state), desired, `${host.name} saved`, fleet);
  return { ok: true, value: { desired, live: live.value, saved }, problems: live.problems };
}

function transition(
  text: RulesText,
  desired: Ruleset,
  name: string,
  { ownership, mayRemove }: Fleet,
): Result<Transition> {
  const read = readRuleset(text, name);
  if (!read.ok) return read;
  const managed = replaceManaged(read.value, desired, ownership, { mayRemove: mayRemove?.programs ?? [] });
  return { ok: true, value: { before: read.value, ...managed }, problems: read.problems };
}

/** Where IPv6 is switched off, its tools may fail; where they show rules, they work. */
export const hasIpv6 = ({ facts, live }: HostState): boolean => facts.ipv6 || live.v6.includes('COMMIT');

const possibleOn = (state: HostState, desired: Ruleset): Ruleset =>
  hasIpv6(state) ? desired : { ...desired, v6: [] };

/** A missing file loads nothing at boot. */
export const savedText = ({ saved }: HostState): RulesText => ({
  v4: saved.v4 ?? '',
  v6: saved.v6 ?? '',
  sets: saved.sets ?? '',
});

/** The same rules, policies and sets. */
export const sameRuleset = (one: Ruleset, other: Ruleset): boolean =>
  equalTables(one.v4, other.v4) &&
  equalTables(one.v6, other.v6) &&
  one.sets.length === other.sets.length &&
  one.sets.every((set) => other.sets.some((like) => like.name === set.name && sameSet(like, set)));
