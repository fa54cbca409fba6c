/** A host's live and saved rules, before and after the policy's part in them is replaced. */
import { type Replacement, replaceManaged, sameSet } from '../../compile/merge/replace-managed.js';
import { readRuleset } from '../../compile/render.js';
import type { HostState } from '../../host/client.js';
import type { Result } from '../../lib/problem.js';
import type { Ruleset, RulesText } from '../../netfilter/model.js';
import { equalTables } from '../../netfilter/tables.js';
import type { Fleet, Host } from '../../policy/fleet.js';

/** From `before` to `next`, and what was found of rules that the policy does not manage. */
export interface Transition extends Replacement {
  readonly before: Ruleset;
}

export interface HostTransitions {
  readonly desired: Ruleset;
  readonly live: Transition;
  /** Not ok when a saved file is not what iptables-restore would read. */
  readonly saved: Result<Transition>;
}

/** @returns The problems instead when the live rules cannot be parsed: then there is no plan for this host. */
export function transitionsOf(
  fleet: Fleet,
  host: Host,
  state: HostState,
  wholeDesired: Ruleset,
): Result<HostTransitions> {
  const desired = supportedBy(state, wholeDesired);
  const live = transition(state.live, desired, `${host.name} live`, fleet, { printed: true });
  if (!live.ok) return live;
  const saved = transition(savedText(state), desired, `${host.name} saved`, fleet, {
    running: live.value.next,
  });
  return { ok: true, value: { desired, live: live.value, saved }, problems: live.problems };
}

function transition(
  text: RulesText,
  desired: Ruleset,
  name: string,
  { ownership, mayRemove }: Fleet,
  { printed, running }: { readonly printed?: true; readonly running?: Ruleset },
): Result<Transition> {
  const read = readRuleset(text, name, printed);
  if (!read.ok) return read;
  const managed = replaceManaged(read.value, desired, ownership, {
    mayRemove: mayRemove?.programs ?? [],
    running,
  });
  return { ok: true, value: { before: read.value, ...managed }, problems: read.problems };
}

/** Without IPv6 in the kernel ip6tables may fail; where ip6tables-save printed rules, it works. */
export const hasIpv6 = ({ facts, live }: HostState): boolean => facts.ipv6 || live.v6.includes('COMMIT');

const supportedBy = (state: HostState, desired: Ruleset): Ruleset =>
  hasIpv6(state) ? desired : { ...desired, v6: [] };

/** The saved files; a missing one is empty, since nothing is loaded from it. Native tables count as they are now. */
export const savedText = ({ saved, live }: HostState): RulesText => ({
  v4: saved.v4 ?? '',
  v6: saved.v6 ?? '',
  sets: saved.sets ?? '',
  nft: live.nft,
});

/** Whether rules, chain policies and sets are equal. */
export const sameRuleset = (one: Ruleset, other: Ruleset): boolean =>
  equalTables(one.v4, other.v4) &&
  equalTables(one.v6, other.v6) &&
  one.sets.length === other.sets.length &&
  one.sets.every((set) => other.sets.some((like) => like.name === set.name && sameSet(like, set)));
