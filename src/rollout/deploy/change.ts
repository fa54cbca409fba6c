/** The change that a host's transaction makes, from its plan. */
import { rulesetDigest } from '../../compile/merge/digest.js';
import { nativeDigestText } from '../../compile/merge/native-digests.js';
import { restoreScripts } from '../../compile/merge/restore-scripts.js';
import { renderRuleset } from '../../compile/render.js';
import type { Change } from '../../host/client.js';
import type { Fleet } from '../../policy/fleet.js';
import { nativeDrift } from '../drift/drift-items.js';
import type { DeployableHost } from '../plan/assess.js';
import { sameRuleset, type Transition } from '../plan/transition.js';
import { hostsBehind } from './bastions.js';

export interface Run {
  /** Unique to one transaction: a UUID. */
  readonly run: string;
  readonly commit: string;
  readonly owner: string;
}

/** Whether live rules, saved files and boot are as the policy wants them, and no change is pending, which may roll back. */
export function isUpToDate({ host, state, transitions }: DeployableHost): boolean {
  if (state.record.pending !== undefined || nativeDrift(state, transitions.live).length > 0) return false;
  if (!transitions.saved.ok || !isApplied(transitions.live) || !isApplied(transitions.saved.value))
    return false;
  return state.boot.enabled || !host.boot.enable;
}

/** Whether the rules are already as they will be after the change. */
export const isApplied = ({ before, next }: Transition): boolean => sameRuleset(before, next);

/**
 * The texts and restore scripts of a change.
 * @param saved The transition of the saved files, which could be parsed.
 */
export function changeOf(fleet: Fleet, deployable: DeployableHost, saved: Transition, run: Run): Change {
  const { host, state, transitions } = deployable;
  const { before, next } = transitions.live;
  return {
    ...run,
    hostsBehind: hostsBehind(fleet, host),
    confirmWithinSeconds: fleet.rollout.confirmWithinSeconds,
    live: state.live,
    next: renderRuleset(next),
    forward: restoreScripts(before, next),
    backward: restoreScripts(next, before),
    savedBefore: state.saved,
    savedAfter: renderRuleset(saved.next),
    owned: renderRuleset(transitions.desired),
    ownership: fleet.ownership,
    digest: rulesetDigest(next, fleet.ownership),
    native: next.nft === undefined || next.nft.unread !== undefined ? undefined : nativeDigestText(next.nft),
  };
}
