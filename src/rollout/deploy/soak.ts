/** What a host is found to be after the soak: as it was deployed, or not; and whether it drops more than before. */
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
  /** The host is not as it was left: its outcome changes. */
  | { readonly kind: 'changed'; readonly outcome: Reverified['outcome']; readonly reason: string }
  /** The host is as it was left, and drops too much: no further host may follow it. */
  | { readonly kind: 'drops'; readonly drops: DropRate; readonly reason: string };

/** A host that runs the new rules, and the change that brought them. */
export interface SoakingHost {
  readonly deployable: DeployableHost;
  readonly run: string;
  /** Until it is asked again. */
  readonly seconds: number;
}

/**
 * What is left of the soak of a host that runs the new rules since an earlier run, which may have ended in the middle.
 * By the host's own clock since its boot; a host that cannot tell soaks as if it had just been changed.
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

export function judgeSoak(fleet: Fleet, deployable: DeployableHost, said: Reverified): SoakResult {
  if (said.outcome !== 'confirmed') return { kind: 'changed', outcome: said.outcome, reason: said.reason };
  const unknown = (reason: string): SoakResult => ({ kind: 'changed', outcome: 'unknown', reason });
  const { state } = said;
  if (state === undefined) return unknown('It confirmed the change, but its rules could not be read again.');
  const { host, transitions } = deployable;
  const now = transitionsOf(fleet, host, state, transitions.desired);
  if (!now.ok) return unknown('It confirmed the change, but its rules cannot be understood any more.');
  if (!isApplied(now.value.live)) {
    const others = differences(diffStates(now.value.live.next, now.value.live.before));
    return unknown(`It confirmed the change, but someone changed its rules since: ${list(others, 3)}.`);
  }
  const rise = compareDrops(deployable.state.drops, state.drops, fleet.rollout.maxDropGrowth);
  if (rise === undefined) return { kind: 'good' };
  const { rate, tooMuch } = rise;
  if (!tooMuch || state.drops === undefined) return { kind: 'good', drops: rate };
  const what = describeDrops(state.drops, state.log ?? [], host.baseline.log?.prefix);
  const reason = `It dropped ${rate.during} packets a minute that no rule names, and ${rate.before ?? 0} before the change.`;
  return { kind: 'drops', drops: rate, reason: what === '' ? reason : `${reason} ${what}.` };
}
