/** From a host's plan to the change that its transaction makes. */
import { rulesetDigest } from '../../compile/merge/digest.js';
import { stepsBetween } from '../../compile/merge/restore-scripts.js';
import { renderHost } from '../../compile/render.js';
import type { Change } from '../../host/client.js';
import type { Ruleset, RulesText } from '../../netfilter/model.js';
import { printSets } from '../../netfilter/sets.js';
import { printTables } from '../../netfilter/text/print.js';
import type { Fleet } from '../../policy/fleet.js';
import type { DeployableHost } from '../plan/assess.js';
import { sameRuleset, type Transition } from '../plan/transition.js';
import { hostsBehind } from './bastions.js';

export interface Run {
  /** Unique to one transaction. */
  readonly run: string;
  readonly commit: string;
  readonly owner: string;
}

/**
 * A host on which nothing is left to do: live and saved are as the policy wants them, and so is the boot. What somebody
 * has not confirmed yet may go back.
 */
export function isUpToDate({ host, state, transitions }: DeployableHost): boolean {
  if (state.record.pending !== undefined) return false;
  if (!transitions.saved.ok || !isApplied(transitions.live) || !isApplied(transitions.saved.value))
    return false;
  return state.boot.enabled || !host.boot.enable;
}

/** What must stand stands already. */
export const isApplied = ({ before, owned }: Transition): boolean => sameRuleset(before, owned.next);

/** @param saved The saved files with the policy in its place; a {@link DeployableHost} host's, once they could be read. */
export function changeOf(fleet: Fleet, deployable: DeployableHost, saved: Transition, run: Run): Change {
  const { host, state, transitions } = deployable;
  const { before, owned } = transitions.live;
  return {
    ...run,
    hostsBehind: hostsBehind(fleet, host),
    confirmWithinSeconds: fleet.rollout.confirmWithinSeconds,
    live: state.live,
    next: textOf(owned.next),
    forward: stepsBetween(before, owned.next),
    backward: stepsBetween(owned.next, before),
    savedBefore: state.saved,
    savedAfter: textOf(saved.owned.next),
    owned: renderHost(transitions.desired),
    ownership: fleet.ownership,
    digest: rulesetDigest(owned.next, fleet.ownership),
  };
}

export const textOf = (ruleset: Ruleset): RulesText => ({
  v4: printTables(ruleset.v4),
  v6: printTables(ruleset.v6),
  sets: printSets(ruleset.sets),
});
