/** The state of a host after the soak: whether its rules are still those that were deployed, and whether it drops more. */
import type { Reverified } from '../../host/client.js';
import { list } from '../../lib/text.js';
import type { Fleet } from '../../policy/fleet.js';
import type { DeployableHost } from '../plan/assess.js';
import { transitionsOf } from '../plan/transition.js';
import { differences, diffStates } from '../results/differences.js';
import type { DropRate } from '../results/model.js';
import { isApplied } from './change.js';
import { compareDrops, describeDrops } from './drops.js';

export type SoakResult =
  | { readonly kind: 'good'; readonly drops?: DropRate }
  /** The host is no longer as it was deployed: its outcome changes. */
  | { readonly kind: 'changed'; readonly outcome: Reverified['outcome']; readonly reason: string }
  /** The host is as it was deployed, but drops too much: the rollout stops. */
  | { readonly kind: 'drops'; readonly drops: DropRate; readonly reason: string };

/** A host that has the new rules, and the run that deployed them. */
export interface SoakingHost {
  readonly deployable: DeployableHost;
  readonly run: string;
  /** Until it is verified again. */
  readonly seconds: number;
}

/**
 * The rest of the soak of a host that was changed by an earlier run, which may have ended before its soak. By the host's
 * uptime; where that is not known, the whole soak.
 */
export function remainingSoak(deployable: DeployableHost, soakSeconds: number): SoakingHost | undefined {
  const { record, drops } = deployable.state;
  if (record.last?.outcome !== 'confirmed') return undefined;
  const { now, before } = drops ?? {};
  const since =
    now === undefined || before === undefined
      ? 0
      : now.uptime - (now.boot === before.boot ? before.uptime : 0);
  const seconds = Math.ceil(soakSeconds - since);
  return seconds > 0 ? { deployable, run: record.last.run, seconds } : undefined;
}

/** The result of the soak from what the host answered after it. */
export function judgeSoak(fleet: Fleet, deployable: DeployableHost, verified: Reverified): SoakResult {
  const { outcome, reason, state } = verified;
  if (outcome !== 'confirmed') return { kind: 'changed', outcome, reason };
  const unknown = (reason: string): SoakResult => ({ kind: 'changed', outcome: 'unknown', reason });
  if (state === undefined) return unknown('It confirmed the change, but its rules could not be read again.');
  const { host, transitions } = deployable;
  const now = transitionsOf(fleet, host, state, transitions.desired);
  if (!now.ok) return unknown('It confirmed the change, but its rules cannot be parsed any more.');
  if (!isApplied(now.value.live)) {
    const changes = differences(diffStates(now.value.live.next, now.value.live.before));
    return unknown(`It confirmed the change, but its rules have changed since: ${list(changes, 3)}.`);
  }
  const rise = compareDrops(deployable.state.drops, state.drops, fleet.rollout.maxDropGrowth);
  if (rise === undefined) return { kind: 'good' };
  const { rate, tooMuch } = rise;
  if (!tooMuch || state.drops === undefined) return { kind: 'good', drops: rate };
  const detail = describeDrops(state.drops, state.log ?? [], host.baseline.log?.prefix);
  const drops = `It dropped ${rate.during} packets a minute that no rule matches, and ${rate.before ?? 0} before the change.`;
  return { kind: 'drops', drops: rate, reason: detail === '' ? drops : `${drops} ${detail}.` };
}
