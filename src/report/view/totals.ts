/** Exact numbers of a whole plan, drift report or adoption, and the verdict on each as one sentence. */

import { count, grouped, list } from '../../lib/text.js';
import type { Adoption } from '../../rollout/results/adoption.js';
import type { Drift, HostPlan, Plan } from '../../rollout/results/model.js';
import { findingRows } from './group.js';
import { TRAFFIC_KINDS, type TrafficKind, trafficRows } from './traffic-rows.js';

export interface PlanTotals {
  readonly hosts: number;
  readonly changed: number;
  readonly unchanged: number;
  readonly unreachable: number;
  readonly error: number;
  /** Kinds of traffic, equal ones of many hosts and of both families counted once. */
  readonly traffic: { readonly [kind in TrafficKind]: number };
  readonly rules: { readonly added: number; readonly removed: number; readonly moved: number };
  readonly findings: { readonly error: number; readonly warning: number; readonly note: number };
  readonly lockout: {
    readonly proved: number;
    readonly violated: readonly string[];
    readonly notProven: readonly string[];
    readonly accepted: readonly string[];
  };
  /** Hosts whose traffic diff ran out of its budget: nothing is known to be equal there. */
  readonly unproved: readonly string[];
  /** Hosts with more rows of traffic than a plan lists: what is counted there is not all. */
  readonly cut: readonly string[];
}

/** Counts everything in a plan, whatever a report shows of it. */
export function planTotals(plan: Plan): PlanTotals {
  const withStatus = (status: HostPlan['status']): number =>
    plan.hosts.filter((host) => host.status === status).length;
  const lockedOut = (verdict: 'violated' | 'not-proven', accepted: boolean): readonly string[] =>
    plan.hosts
      .filter(({ lockout }) => lockout?.verdict === verdict && lockout.accepted === accepted)
      .map(({ host }) => host);
  const rules = plan.hosts.flatMap((host) => Object.values(host.rules ?? {}));
  const findings = findingRows(plan.hosts);
  const withLevel = (level: 'error' | 'warning' | 'note'): number =>
    findings.filter(({ finding }) => finding.level === level).length;
  return {
    hosts: plan.hosts.length,
    changed: withStatus('changed'),
    unchanged: withStatus('unchanged'),
    unreachable: withStatus('unreachable'),
    error: withStatus('error'),
    traffic: fromKeys(TRAFFIC_KINDS, (kind) => trafficRows(plan, kind).length),
    rules: fromKeys(['added', 'removed', 'moved'] as const, (kind) =>
      rules.reduce((sum, diff) => sum + diff[kind].length, 0),
    ),
    findings: fromKeys(['error', 'warning', 'note'] as const, withLevel),
    lockout: {
      proved: plan.hosts.filter(({ lockout }) => lockout?.verdict === 'proved').length,
      violated: lockedOut('violated', false),
      notProven: lockedOut('not-proven', false),
      accepted: [...lockedOut('violated', true), ...lockedOut('not-proven', true)],
    },
    unproved: plan.hosts.filter(({ traffic }) => traffic?.proved === false).map(({ host }) => host),
    cut: plan.hosts.filter(({ traffic }) => (traffic?.omitted ?? 0) > 0).map(({ host }) => host),
  };
}

function fromKeys<K extends string, V>(keys: readonly K[], value: (key: K) => V): { readonly [key in K]: V } {
  return Object.fromEntries(keys.map((key) => [key, value(key)])) as { [key in K]: V };
}

/** `Opens 2, closes 1; 38 of 40 hosts change; lock-out proof holds`, without a full stop. Names at most a few hosts. */
export function planVerdict(totals: PlanTotals): string {
  return [trafficVerdict(totals), hostVerdict(totals), unreadVerdict(totals), lockoutVerdict(totals)]
    .filter((part) => part !== '')
    .join('; ');
}

function trafficVerdict({ traffic, changed, unproved, cut }: PlanTotals): string {
  const parts = [
    ...trafficCounts(traffic),
    ...(cut.length > 0 ? [`and more than can be listed on ${count(cut.length, 'host')}`] : []),
    ...(unproved.length > 0 ? [`traffic not fully proved on ${count(unproved.length, 'host')}`] : []),
  ];
  if (parts.length > 0) return capital(parts.join(', '));
  return changed > 0 ? 'Opens and closes no traffic, proved for every packet' : '';
}

/** `opens 2`, `closes 1`: kinds of traffic, those of which there are any. */
export const trafficCounts = (traffic: PlanTotals['traffic']): readonly string[] =>
  CHANGES.filter(([kind]) => traffic[kind] > 0).map(([kind, verb]) => `${verb} ${grouped(traffic[kind])}`);

const CHANGES = [
  ['opened', 'opens'],
  ['closed', 'closes'],
  ['possiblyOpened', 'possibly opens'],
  ['possiblyClosed', 'possibly closes'],
] as const;

function hostVerdict({ changed, hosts, unchanged }: PlanTotals): string {
  if (hosts === 0) return 'No hosts';
  if (changed === 0) return unchanged > 0 ? `${count(unchanged, 'host')} unchanged` : '';
  const verb = changed === 1 ? 'changes' : 'change';
  return changed === hosts
    ? `${count(changed, 'host')} ${verb}`
    : `${grouped(changed)} of ${count(hosts, 'host')} ${verb}`;
}

const unreadVerdict = ({ unreachable, error }: PlanTotals): string =>
  counts([unreachable, 'unreachable'], [error, 'could not be planned']);

/** `2 unreachable, 1 could not be read`, without zeros. */
const counts = (...pairs: readonly (readonly [number, string])[]): string =>
  pairs
    .filter(([number]) => number > 0)
    .map(([number, label]) => `${grouped(number)} ${label}`)
    .join(', ');

/** Only the worst result: a proof that holds on other hosts does not make up for it. */
function lockoutVerdict({ lockout }: PlanTotals): string {
  if (lockout.violated.length > 0) return `LOCK-OUT on ${list(lockout.violated, 3)}`;
  if (lockout.notProven.length > 0) return `lock-out proof incomplete for ${list(lockout.notProven, 3)}`;
  if (lockout.accepted.length > 0) return `lock-out risk accepted for ${list(lockout.accepted, 3)}`;
  return lockout.proved > 0 ? 'lock-out proof holds' : '';
}

/** The text with a capital first letter. */
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

export interface DriftTotals {
  readonly hosts: number;
  readonly clean: number;
  readonly drifted: number;
  readonly busy: number;
  readonly unreachable: number;
  readonly error: number;
  readonly ignored: { readonly chains: number; readonly rules: number };
}

/** Counts hosts by status, and what was not compared. */
export function driftTotals(drift: Drift): DriftTotals {
  const sum = (of: 'chains' | 'rules'): number =>
    drift.hosts.reduce((total, host) => total + (host.ignored?.[of] ?? 0), 0);
  return {
    hosts: drift.hosts.length,
    ...fromKeys(
      ['clean', 'drifted', 'busy', 'unreachable', 'error'] as const,
      (status) => drift.hosts.filter((host) => host.status === status).length,
    ),
    ignored: { chains: sum('chains'), rules: sum('rules') },
  };
}

/** `2 of 40 hosts drifted; 1 unreachable`, or `No drift: 40 hosts run the policy`. */
export function driftVerdict(totals: DriftTotals): string {
  const { busy, unreachable, error } = totals;
  const unread = counts(
    [unreachable, 'unreachable'],
    [error, 'could not be read'],
    [busy, `${busy === 1 ? 'is' : 'are'} being changed`],
  );
  if (totals.drifted === 0 && unread === '')
    return `No drift: ${count(totals.clean, 'host')} ${totals.clean === 1 ? 'runs' : 'run'} the policy`;
  const drifted =
    totals.drifted === 0
      ? `No drift on the ${count(totals.clean, 'host')} that could be read`
      : `${grouped(totals.drifted)} of ${count(totals.hosts, 'host')} drifted`;
  return [drifted, unread].filter((part) => part !== '').join('; ');
}

/** Counts differences and hosts that could not be read. */
export const adoptionTotals = ({ hosts }: Adoption): { taken: number; left: number; unread: number } => ({
  taken: hosts.flatMap(({ taken }) => taken).length,
  left: hosts.flatMap(({ left }) => left).length,
  unread: hosts.filter(({ status }) => status !== 'read').length,
});

/** `Adopts 3 differences; 1 left`, without a full stop. */
export function adoptionVerdict(adoption: Adoption): string {
  const { taken, left, unread } = adoptionTotals(adoption);
  return [
    taken === 0 ? 'Nothing to adopt' : `Adopts ${count(taken, 'difference')}`,
    ...(left === 0 ? [] : [`${grouped(left)} left`]),
    ...(unread === 0 ? [] : [`${count(unread, 'host')} could not be read`]),
  ].join('; ');
}
