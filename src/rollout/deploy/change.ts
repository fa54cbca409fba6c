/** From a host's plan to the change that its transaction makes. */
import { rulesetDigest } from '../../compile/merge/digest.js';
import { stepsBetween } from '../../compile/merge/restore-scripts.js';
import { renderHost } from '../../compile/render.js';
import type { Change } from '../../host/client.js';
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
export const isApplied = ({ before, next }: Transition): boolean => sameRuleset(before, next);

/** @param saved The saved files with the policy in its place; a {@link DeployableHost} host's, once they could be read. */
export function changeOf(fleet: Fleet, deployable: DeployableHost, saved: Transition, run: Run): Change {
  const { host, state, transitions } = deployable;
  const { before, next } = transitions.live;
  return {
    ...run,
    hostsBehind: hostsBehind(fleet, host),
    confirmWithinSeconds: fleet.rollout.confirmWithinSeconds,
    live: state.live,
    next: renderHost(next),
    forward: stepsBetween(before, next),
    backward: stepsBetween(next, before),
    savedBefore: state.saved,
    savedAfter: renderHost(saved.next),
    owned: renderHost(transitions.desired),
    ownership: fleet.ownership,
    digest: rulesetDigest(next, fleet.ownership),
  };
}
