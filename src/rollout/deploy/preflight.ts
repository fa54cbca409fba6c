/** What is decided about every host before the first one is changed. */
import type { Phase } from '../../host/client.js';
import { list } from '../../lib/text.js';
import type { DeployableHost, HostAssessment } from '../plan/assess.js';
import { OTHER_MANAGER } from '../plan/findings.js';
import { changeSince } from '../plan/states.js';
import type { Transition } from '../plan/transition.js';
import { differences } from '../results/differences.js';
import type { HostPlan, Plan, PlanChange, StateDiff } from '../results/model.js';
import { isUpToDate } from './change.js';

export type Verdict =
  | { readonly kind: 'go'; readonly deployable: DeployableHost; readonly saved: Transition }
  | { readonly kind: 'unchanged'; readonly deployable: DeployableHost }
  | {
      readonly kind: 'unreachable' | 'refused';
      readonly phase: Phase;
      readonly reason: string;
      /** The policy is at fault: no host may be changed. */
      readonly policy: boolean;
      readonly changed?: PlanChange;
    };

/**
 * Whether a host may be changed, is up to date, or is refused.
 * @param reviewed The plan that the deploy is bound to.
 */
export function preflight(assessed: HostAssessment, reviewed?: Plan): Verdict {
  const { plan, deployable } = assessed;
  if (plan.status === 'unreachable')
    return { kind: 'unreachable', phase: 'connect', reason: plan.reason ?? '', policy: false };
  if (deployable === undefined) return refused(plan.reason ?? '');
  const fault = policyFault(plan);
  if (fault !== undefined) return { ...refused(fault), policy: true };
  if (reviewed !== undefined && !isAsReviewed(plan, reviewed)) {
    const changed = changeSince(reviewed, deployable);
    return { ...refused(whyNotReviewed(plan, reviewed, changed)), changed };
  }
  const managed = plan.findings.find(({ id }) => id === OTHER_MANAGER);
  if (managed !== undefined) return refused(`${managed.message} ${managed.hint ?? ''}`.trim());
  if (isUpToDate(deployable)) return { kind: 'unchanged', deployable };
  const { saved } = deployable.transitions;
  // Already refused above for the finding `saved-unreadable`; this is for the types.
  if (!saved.ok) return refused(saved.problems.map(({ message }) => message).join(' '));
  return { kind: 'go', deployable, saved: saved.value };
}

const refused = (reason: string) => ({ kind: 'refused', phase: 'preflight', reason, policy: false }) as const;

function policyFault({ lockout, findings }: HostPlan): string | undefined {
  if (lockout !== undefined && lockout.verdict !== 'proved' && !lockout.accepted) {
    const what =
      lockout.verdict === 'violated'
        ? 'The new rules would lock out SSH'
        : 'Cannot prove that the new rules allow SSH';
    const [first = '', ...more] = lockout.reasons;
    return `${what}. ${first}${more.length === 0 ? '' : ` And ${more.length} more.`}`.trim();
  }
  const errors = findings.filter(({ id, level }) => level === 'error' && id !== OTHER_MANAGER);
  return errors.length === 0 ? undefined : errors.map(({ message }) => message).join(' ');
}

const reviewOf = (now: HostPlan, reviewed: Plan): HostPlan | undefined =>
  reviewed.hosts.find(({ host }) => host === now.host);

const isOtherMachine = (then: HostPlan, now: HostPlan): boolean =>
  then.machine !== undefined && now.machine !== undefined && then.machine !== now.machine;

/**
 * Whether live and next rules are those of the reviewed plan. A host that already has the reviewed next rules, from an
 * earlier run of the same plan, is as reviewed.
 */
function isAsReviewed(now: HostPlan, reviewed: Plan): boolean {
  const then = reviewOf(now, reviewed);
  if (then?.live === undefined || then.next === undefined || isOtherMachine(then, now)) return false;
  return now.next === then.next && (now.live === then.live || now.live === then.next);
}

/** Why a host is not as reviewed. */
function whyNotReviewed(now: HostPlan, reviewed: Plan, { since }: PlanChange): string {
  const then = reviewOf(now, reviewed);
  if (then === undefined) return 'plan-changed: the reviewed plan does not have this host.';
  if (then.live === undefined || then.next === undefined)
    return `plan-changed: the reviewed plan could not read this host (${then.status}).`;
  if (isOtherMachine(then, now))
    return 'plan-changed: another machine answers for this host than in the reviewed plan. Plan again.';
  const what =
    now.live === then.live
      ? 'the policy leads to other rules than the reviewed plan'
      : `the live rules are not those of the reviewed plan${foundText(since)}`;
  return `plan-changed: ${what}.${unreviewed(then, now)} Plan again.`;
}

function foundText(since: StateDiff | undefined): string {
  const changes = since === undefined ? [] : differences(since);
  return changes.length === 0 ? '' : `: ${list(changes, 3)}`;
}

/** What a deploy would now do that was not reviewed. */
function unreviewed(then: HostPlan, now: HostPlan): string {
  const known = new Set(changesOf(then));
  const changes = changesOf(now).filter((change) => !known.has(change));
  return changes.length === 0 ? '' : ` A deploy would now also ${list(changes, 3)}.`;
}

const changesOf = ({ rules }: HostPlan): readonly string[] =>
  rules === undefined
    ? []
    : [rules.v4, rules.v6].flatMap(({ added, removed }) => [
        ...added.map(({ chain, text }) => `add "${chain} ${text}"`),
        ...removed.map(({ chain, text }) => `remove "${chain} ${text}"`),
      ]);
