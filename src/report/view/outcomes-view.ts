/** What a report of a rollout shows: the outcome of every host, and what the person who has to act on it needs to know. */
import { grouped } from '../../lib/text.js';
import type { Outcome, Outcomes } from '../../rollout/results/model.js';
import { joinHosts } from './group.js';
import { diffText } from './rules.js';

export type OutcomeName = Outcome['outcome'];

/** Worst first: the order of every table and sentence about outcomes. */
const ORDER: readonly OutcomeName[] = [
  'unknown',
  'rolled-back',
  'refused',
  'unreachable',
  'not-reached',
  'confirmed',
  'unchanged',
];

/** Completes "the host …": which rules it runs and what to do, the first question when a rollout fails. */
const MEANING: { readonly [name in OutcomeName]: string } = {
  confirmed:
    'runs and boots the new rules, confirmed over a new SSH connection. `sallyport rollback HOST` rolls one host back.',
  unchanged: 'already ran the new rules.',
  'rolled-back':
    'runs and boots its old rules. Fix the policy and merge again; running the job again tries the same change again.',
  refused: 'was not changed. The reason says why; run the job again when it is resolved.',
  unreachable:
    'did not answer. It runs the rules of its last answer: the old ones in phase connect, the new ones in phase soak. Run the job again when it answers.',
  unknown:
    'did not report how it ended, or runs other rules than it confirmed: the reason says which. It restores its old rules by itself unless it had confirmed: check it with `sallyport status`, then run the job again.',
  'not-reached':
    'was not changed, because the rollout stopped before it. Running the job again continues from here.',
};

export interface OutcomesView {
  /** Without a full stop. */
  readonly verdict: string;
  /** Every host runs the policy now. */
  readonly succeeded: boolean;
  /** Why the rollout ended before its last host. */
  readonly stopped?: string;
  readonly commit: string | null;
  /** What each outcome means, when not all hosts run the policy. */
  readonly advice: readonly {
    readonly outcome: OutcomeName;
    readonly hosts: number;
    readonly text: string;
  }[];
  readonly hosts: readonly OutcomeRow[];
  /** Hosts that were refused because they are not as the reviewed plan saw them, those that differ alike together. */
  readonly changed: readonly ChangedHosts[];
}

export interface OutcomeRow {
  readonly host: string;
  readonly outcome: OutcomeName;
  readonly wave: string;
  readonly time: string;
  readonly reason: string;
}

export interface ChangedHosts {
  readonly hosts: readonly string[];
  readonly changes: readonly { readonly title: string; readonly text: string; readonly isDiff: boolean }[];
}

/** @param order `rollout`: as the hosts were deployed; `worst-first`: failures before all else. */
export function outcomesView(outcomes: Outcomes, order: 'rollout' | 'worst-first'): OutcomesView {
  const succeeded = allDeployed(outcomes);
  const hosts = outcomes.hosts.toSorted(
    (a, b) => ORDER.indexOf(a.outcome) - ORDER.indexOf(b.outcome) || a.wave - b.wave,
  );
  return {
    verdict: outcomesVerdict(outcomes),
    succeeded,
    stopped: outcomes.stopped,
    commit: outcomes.commit,
    advice: succeeded
      ? []
      : outcomeCounts(outcomes).map(({ outcome, hosts }) => ({
          outcome,
          hosts,
          text: `the host ${MEANING[outcome]}`,
        })),
    hosts: (order === 'rollout' ? outcomes.hosts : hosts).map(outcomeRow),
    changed: changedHosts(outcomes),
  };
}

function outcomeRow({ host, outcome, wave, phase, reason, seconds }: Outcome): OutcomeRow {
  const during = GOOD.has(outcome) || phase === 'done' ? '' : `during ${phase}`;
  return {
    host,
    outcome,
    wave: wave === 0 ? 'canary' : String(wave),
    time: `${seconds.toFixed(1)} s`,
    reason: [during, reason].filter((part) => part !== '').join(': '),
  };
}

function changedHosts({ hosts }: Outcomes): readonly ChangedHosts[] {
  const all = hosts.flatMap(({ host, changed }) => (changed === undefined ? [] : [{ host, changed }]));
  return joinHosts(all, ({ changed }) => JSON.stringify(changed)).map(
    ({ first: { changed }, hosts: names }) => ({
      hosts: names,
      changes: [
        change(
          'What changed on the host since the review',
          changed.since && diffText(changed.since),
          'The plan does not contain the rules that it read.',
        ),
        change('What a deploy would change now', diffText(changed.next)),
      ],
    }),
  );
}

const change = (title: string, diff: string | undefined, missing = ''): ChangedHosts['changes'][number] => ({
  title,
  text: diff === undefined ? missing : diff || 'Nothing.',
  isDiff: !!diff,
});

const GOOD: ReadonlySet<OutcomeName> = new Set(['confirmed', 'unchanged']);

const outcomeCounts = (outcomes: Outcomes): readonly { outcome: OutcomeName; hosts: number }[] =>
  ORDER.map((outcome) => ({
    outcome,
    hosts: outcomes.hosts.filter((host) => host.outcome === outcome).length,
  })).filter(({ hosts }) => hosts > 0);

/** Every host runs the policy now. */
export const allDeployed = (outcomes: Outcomes): boolean =>
  outcomes.hosts.every((host) => GOOD.has(host.outcome));

/** `Deployed: 38 confirmed, 2 unchanged` or `Deploy failed: 1 rolled back, 37 not reached, …`. */
export function outcomesVerdict(outcomes: Outcomes): string {
  const parts = outcomeCounts(outcomes).map(
    ({ outcome, hosts }) => `${grouped(hosts)} ${outcome.replace('-', ' ')}`,
  );
  if (parts.length === 0) return 'Deployed: no hosts';
  return `${allDeployed(outcomes) ? 'Deployed' : 'Deploy failed'}: ${parts.join(', ')}`;
}
