/** What the outcomes of a rollout mean to the person who has to act on them. */
import type { Outcomes, PlanChange } from '../../rollout/results/model.js';
import { diffText } from './rules.js';
import type { OutcomeName } from './totals.js';

/** Completes "the host …": which rules it runs and what to do, which is what is asked first when a rollout fails. */
export const OUTCOME_MEANING: { readonly [name in OutcomeName]: string } = {
  confirmed:
    'runs and boots the new rules; it said so itself over a new SSH connection. `sallyport rollback HOST` takes one back.',
  unchanged: 'ran the new rules already.',
  'rolled-back':
    'runs and boots its old rules. Mend the policy and merge again; running the job again tries the same change again.',
  refused: 'was not touched. The reason says what stood in the way; run the job again when it is gone.',
  unreachable:
    'did not answer. It runs what it ran when it last did: its old rules in phase connect, the new ones in phase soak. Run the job again when it answers.',
  unknown:
    'did not say how it ended, or runs other rules than it confirmed: the reason says which. It puts its old rules back by itself unless it had confirmed: ask it with `sallyport status`, then run the job again.',
  'not-reached':
    'was not touched, because the rollout stopped before it. Running the job again goes on from here.',
};

/** The wave as people call it. */
export const waveText = (wave: number): string => (wave === 0 ? 'canary' : String(wave));

/** At most a tenth of a second is worth reading. */
export const secondsText = (seconds: number): string => `${seconds.toFixed(1)} s`;

/** Hosts that were refused because they are not as the reviewed plan saw them, alike ones together. */
export interface Unreviewed {
  readonly hosts: readonly string[];
  /** Unified text; empty where nothing differs, `undefined` where the plan did not keep what it saw. */
  readonly since: string | undefined;
  readonly next: string;
}

export function unreviewed({ hosts }: Outcomes): readonly Unreviewed[] {
  const groups = new Map<string, { readonly hosts: string[]; readonly changed: PlanChange }>();
  for (const { host, changed } of hosts) {
    if (changed === undefined) continue;
    const key = JSON.stringify(changed);
    const group = groups.get(key) ?? { hosts: [], changed };
    group.hosts.push(host);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ hosts: alike, changed: { since, next } }) => ({
    hosts: alike,
    since: since === undefined ? undefined : diffText(since),
    next: diffText(next),
  }));
}

/** Titles of the two halves of {@link Unreviewed}, and what stands for an empty or an unknown one. */
export const SINCE = 'What changed on the host since the review';
export const NEXT = 'What a deploy would change now';
export const NOTHING = 'Nothing.';
export const NOT_KEPT = 'The plan did not keep the rules that it saw.';
