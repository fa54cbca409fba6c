/** A plan as Markdown: the pull request's comment, and the longer job summary. */

import { groupBy } from '../../lib/group.js';
import type { Problem, SourceLocation } from '../../lib/problem.js';
import { count, grouped, list, shortCommit, shortDigest } from '../../lib/text.js';
import { namingOf } from '../../naming/phrases.js';
import type { HostPlan, Plan } from '../../rollout/results/model.js';
import { type DiffGroup, diffGroups, type FindingRow, findingRows, SEVERITY } from '../view/group.js';
import { diffText } from '../view/rules.js';
import { type PlanTotals, planTotals, planVerdict } from '../view/totals.js';
import { isOfHost, TRAFFIC_KINDS } from '../view/traffic-rows.js';
import { assemble, type Budget, COMMENT_BUDGET, type Section } from './budget.js';
import { clip, code, fence, html, type LinkTo, locationLink, prose } from './escape.js';
import { answeredSection, type Rest, trafficSection } from './traffic.js';

export interface PlanMarkdownOptions {
  /** Default: a comment's. */
  readonly budget?: Budget;
  /** Which of several fleets this is, in the heading. */
  readonly environment?: string;
  readonly linkTo?: LinkTo;
  /** Where the whole report is, as Markdown of our own: `the [job summary](…)`. */
  readonly elsewhere?: string;
  /** What there is to say of the policy itself, whatever the hosts run; notes are for the log. */
  readonly policy?: readonly Problem[];
}

/** Verdict first, then what is risky, then the evidence. Every total counts everything, shown or not. */
export function planMarkdown(plan: Plan, options: PlanMarkdownOptions = {}): string {
  const totals = planTotals(plan);
  const { linkTo } = options;
  const elsewhere = options.elsewhere ?? 'the whole plan';
  const rest: Rest = (what, block) => (left) => {
    const line = `${count(left, `more ${what}`)} did not fit here: see ${elsewhere}.`;
    return block === 'row' ? `\n_${line}_\n` : `- _${line}_\n`;
  };
  const traffic = { plan, naming: namingOf(plan.names), linkTo, rest };
  const sections: readonly Section[] = [
    verdictSection(totals, options),
    ...unreadSection(plan, totals, rest),
    ...lockoutSection(plan, totals, rest),
    ...trafficSection(traffic, 'opened', 2),
    ...trafficSection(traffic, 'possiblyOpened', 3),
    ...trafficSection(traffic, 'closed', 4),
    ...trafficSection(traffic, 'possiblyClosed', 5),
    ...answeredSection(traffic),
    ...unprovedSection(plan, totals, rest),
    ...cutSection(plan, totals, rest),
    ...findingsSection(allFindings(plan, options.policy), linkTo, rest),
    ...diffSection(diffGroups(plan), totals, rest),
    ...foreignSection(plan, rest),
    footer(plan),
  ];
  return assemble(sections, options.budget ?? COMMENT_BUDGET);
}

const NOTHING_LEFT = (): string => '';

const fixed = (head: string): Section => ({ head, items: [], tail: '', rank: 0, left: NOTHING_LEFT });

function verdictSection(totals: PlanTotals, { environment }: PlanMarkdownOptions): Section {
  const where = environment === undefined ? '' : `: ${prose(clip(environment, 100))}`;
  const verdict = clip(planVerdict(totals), 600);
  const mark = totals.lockout.violated.length > 0 || totals.findings.error > 0 ? 'CAUTION' : severity(totals);
  return fixed(`## Firewall plan${where}\n\n> [!${mark}]\n> **${prose(verdict)}.**\n\n`);
}

/** GitHub draws each in its own colour: red, amber, blue, green. */
function severity(totals: PlanTotals): 'WARNING' | 'IMPORTANT' | 'TIP' {
  const uncertain =
    totals.unreachable +
    totals.error +
    totals.unproved.length +
    totals.cut.length +
    totals.lockout.notProven.length;
  if (uncertain > 0 || totals.lockout.accepted.length > 0) return 'WARNING';
  return TRAFFIC_KINDS.some((kind) => totals.traffic[kind] > 0) ? 'IMPORTANT' : 'TIP';
}

function unreadSection(plan: Plan, totals: PlanTotals, rest: Rest): readonly Section[] {
  const unread = plan.hosts.filter(({ status }) => status === 'unreachable' || status === 'error');
  if (unread.length === 0) return [];
  const title = `### ⚠️ ${count(totals.unreachable + totals.error, 'host')} without a plan\n\n`;
  const items = folded(unread, ({ status, reason = 'no reason given' }) => {
    const what = status === 'error' ? 'could not be planned' : 'unreachable';
    return `${what}: ${prose(reason)}`;
  });
  return [{ head: title, items, tail: '\n', rank: 0, left: rest('line', 'item') }];
}

/** One line for all hosts about which the same is to be said. */
const folded = (hosts: readonly HostPlan[], say: (host: HostPlan) => string): readonly string[] =>
  [...groupBy(hosts, say)].map(
    ([words, group]) => `- ${hostNames(group.map(({ host }) => host))} ${words}\n`,
  );

function hostNames(hosts: readonly string[]): string {
  const [first = '', last = ''] = [hosts[0], hosts.at(-1)];
  return hosts.length > 3
    ? `**${count(hosts.length, 'host')}** (${code(first)} … ${code(last)})`
    : list(hosts.map(code));
}

function lockoutSection(plan: Plan, totals: PlanTotals, rest: Rest): readonly Section[] {
  const risky = plan.hosts.filter(({ lockout }) => lockout !== undefined && lockout.verdict !== 'proved');
  if (risky.length === 0) return [];
  const { violated } = totals.lockout;
  const title = violated.length > 0 ? '### ⛔ SSH would be locked out\n\n' : '### ⚠️ Lock-out proof\n\n';
  const items = folded(risky, ({ lockout }) => {
    const state = lockout?.verdict === 'violated' ? 'locked out' : 'not proved safe';
    const accepted = lockout?.accepted ? ' **Accepted** with `accept-lockout-risk`.' : '';
    return `${state}: ${prose(list(lockout?.reasons ?? [], 4))}${accepted}`;
  });
  return [{ head: title, items, tail: '\n', rank: 0, left: rest('line', 'item') }];
}

function unprovedSection(plan: Plan, totals: PlanTotals, rest: Rest): readonly Section[] {
  if (totals.unproved.length === 0) return [];
  const hosts = plan.hosts.filter(({ traffic }) => traffic?.proved === false);
  const items = folded(
    hosts,
    ({ traffic }) => `not fully proved: ${prose(traffic?.why ?? 'the proof was ended')}`,
  );
  return [
    { head: '### ⚠️ Traffic not fully proved\n\n', items, tail: '\n', rank: 1, left: rest('line', 'item') },
  ];
}

/** More rows than a plan lists are counted, so that nobody takes what is listed for all. */
function cutSection(plan: Plan, totals: PlanTotals, rest: Rest): readonly Section[] {
  if (totals.cut.length === 0) return [];
  const hosts = plan.hosts.filter(({ traffic }) => (traffic?.omitted ?? 0) > 0);
  const items = folded(
    hosts,
    ({ traffic }) => `${count(traffic?.omitted ?? 0, 'row')} of traffic beyond those counted here`,
  );
  return [
    {
      head: '### ⚠️ More traffic than can be listed\n\n',
      items,
      tail: '\n',
      rank: 1,
      left: rest('line', 'item'),
    },
  ];
}

/** What a host printed stands in no file of the repository. */
const where = (location: SourceLocation, linkTo: LinkTo | undefined): string =>
  locationLink(location, isOfHost(location) ? undefined : linkTo);

/** Those of the policy are of no host, and stand before those of hosts that are as severe. */
function allFindings({ hosts }: Plan, policy: readonly Problem[] = []): readonly FindingRow[] {
  const own = policy
    .filter(({ level }) => level !== 'note')
    .map(({ location, ...rest }) => ({ ...rest, ...(location === undefined ? {} : { source: location }) }));
  return [...own.map((finding) => ({ finding, hosts: [] })), ...findingRows(hosts)].toSorted(
    (a, b) => SEVERITY[a.finding.level] - SEVERITY[b.finding.level],
  );
}

const LEVEL_MARK = { error: '❌', warning: '⚠️', note: 'ℹ️' } as const;

function findingsSection(
  rows: readonly FindingRow[],
  linkTo: LinkTo | undefined,
  rest: Rest,
): readonly Section[] {
  if (rows.length === 0) return [];
  const line = ({ finding, hosts }: FindingRow): string => {
    const location = finding.source === undefined ? '' : ` ${where(finding.source, linkTo)}`;
    const hint = finding.hint === undefined ? '' : ` ${prose(finding.hint)}`;
    const names = hosts.length <= 3 ? hosts.map(code).join(', ') : count(hosts.length, 'host');
    const on = hosts.length === 0 ? '' : ` (${names})`;
    return `- ${LEVEL_MARK[finding.level]}${location} ${prose(finding.message)}${hint}${on}\n`;
  };
  const [first] = rows;
  const rank = first?.finding.level === 'error' ? 1 : 6;
  return [
    { head: '### Findings\n\n', items: rows.map(line), tail: '\n', rank, left: rest('finding', 'item') },
  ];
}

function diffSection(groups: readonly DiffGroup[], totals: PlanTotals, rest: Rest): readonly Section[] {
  if (groups.length === 0) return [];
  const { added, removed, moved } = totals.rules;
  const title = `### Rules: ${ruleCounts(added, removed, moved)}\n\n`;
  return [{ head: title, items: groups.map(diffBlock), tail: '', rank: 7, left: rest('rule diff', 'row') }];
}

/** `+2 −1`, `4 moved`. */
const ruleCounts = (added: number, removed: number, moved: number): string =>
  [
    ...(added + removed > 0 || moved === 0 ? [`+${grouped(added)} −${grouped(removed)}`] : []),
    ...(moved > 0 ? [`${grouped(moved)} moved`] : []),
  ].join(', ');

/** A block that lists every host of a large fleet would be too large to be shown at all. */
const MAX_NAMES = 200;

/** One folded diff; past a few names the hosts are listed inside. */
function diffBlock(group: DiffGroup): string {
  const names = group.hosts
    .slice(0, 4)
    .map((name) => `<code>${html(name)}</code>`)
    .join(', ');
  const more = group.hosts.length > 4 ? ` and ${grouped(group.hosts.length - 4)} more` : '';
  const every =
    group.hosts.length > 4
      ? `${count(group.hosts.length, 'host')}: ${list(group.hosts.map(code), MAX_NAMES)}\n\n`
      : '';
  const summary = `${names}${more}: ${ruleCounts(group.added, group.removed, group.moved)}`;
  return `<details><summary>${summary}</summary>\n\n${every}${fence(diffText(group), 'diff')}\n\n</details>\n\n`;
}

function foreignSection(plan: Plan, rest: Rest): readonly Section[] {
  const hosts = plan.hosts.filter(
    ({ foreign }) => foreign !== undefined && foreign.rules + foreign.chains.length > 0,
  );
  if (hosts.length === 0) return [];
  const head = `<details><summary>Left alone: rules that are not the policy's, on ${count(hosts.length, 'host')}</summary>\n\n`;
  const items = folded(hosts, ({ foreign }) => {
    const chains = foreign?.chains.slice(0, 12).map(code).join(', ') ?? '';
    const more = (foreign?.chains.length ?? 0) > 12 ? ', …' : '';
    return `with ${count(foreign?.rules ?? 0, 'rule')}${chains === '' ? '' : ` in ${chains}${more}`}`;
  });
  return [{ head, items, tail: '\n</details>\n\n', rank: 8, left: rest('line', 'item') }];
}

function footer(plan: Plan): Section {
  const commit = plan.commit === null ? '' : ` of commit ${code(shortCommit(plan.commit))}`;
  return fixed(
    `<sub>Plan ${code(clip(shortDigest(plan.digest), 100))}${commit}, against the live state of the hosts.</sub>\n`,
  );
}
