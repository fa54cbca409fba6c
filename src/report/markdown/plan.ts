/** A plan as Markdown: the pull request's comment, and the longer job summary. */
import type { HostPlan, Plan } from '../../rollout/model.js';
import type { DecidingRule } from '../../traffic/model.js';
import {
  type DiffGroup,
  diffGroups,
  type FindingRow,
  findingRows,
  groupBy,
  type TrafficKind,
  type TrafficRow,
  trafficRows,
} from '../fold.js';
import { diffText } from '../rules.js';
import { type PlanTotals, planTotals, planVerdict } from '../totals.js';
import {
  addresses,
  conditions,
  count,
  exampleText,
  grouped,
  list,
  protocolText,
  ruleReason,
  ruleText,
  shortCommit,
  shortDigest,
} from '../words.js';
import { assemble, type Budget, COMMENT_BUDGET, type Section } from './budget.js';
import { code, fence, html, type LinkTo, placeLink, prose } from './escape.js';

export interface PlanMarkdownOptions {
  /** Default: a comment's. */
  readonly budget?: Budget;
  /** Which of several fleets this is, in the heading. */
  readonly environment?: string;
  readonly linkTo?: LinkTo;
  /** Where the whole report is, as Markdown of our own: `the [job summary](…)`. */
  readonly elsewhere?: string;
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
  const traffic = (kind: TrafficKind, rank: number): readonly Section[] =>
    trafficSection(trafficRows(plan, kind), kind, rank, linkTo, rest);
  const sections: readonly Section[] = [
    verdictSection(plan, totals, options),
    ...unreadSection(plan, totals, rest),
    ...lockoutSection(plan, totals, rest),
    ...traffic('opened', 2),
    ...traffic('possiblyOpened', 3),
    ...traffic('closed', 4),
    ...traffic('possiblyClosed', 5),
    ...traffic('answeredDifferently', 9),
    ...unprovedSection(plan, totals, rest),
    ...findingsSection(findingRows(plan.hosts), linkTo, rest),
    ...diffSection(diffGroups(plan), totals, rest),
    ...foreignSection(plan, rest),
    footer(plan),
  ];
  return assemble(sections, options.budget ?? COMMENT_BUDGET);
}

type Rest = (what: string, block: 'row' | 'item') => (left: number) => string;

const NOTHING_LEFT = (): string => '';

const fixed = (head: string): Section => ({ head, items: [], tail: '', rank: 0, left: NOTHING_LEFT });

/** Long names would eat the room of what matters; nothing that others wrote stands unbounded in a head. */
const clip = (text: string, max: number): string => (text.length > max ? `${text.slice(0, max - 1)}…` : text);

function verdictSection(plan: Plan, totals: PlanTotals, { environment }: PlanMarkdownOptions): Section {
  const where = environment === undefined ? '' : `: ${prose(clip(environment, 100))}`;
  const verdict = clip(planVerdict(totals), 600);
  const mark =
    totals.lockout.violated.length > 0 || totals.findings.error > 0 ? 'CAUTION' : severity(plan, totals);
  return fixed(`## Firewall plan${where}\n\n> [!${mark}]\n> **${prose(verdict)}.**\n\n`);
}

/** GitHub draws each in its own colour: red, amber, blue, green. */
function severity(plan: Plan, totals: PlanTotals): 'WARNING' | 'IMPORTANT' | 'TIP' {
  const uncertain =
    totals.unreachable + totals.error + totals.unproved.length + totals.lockout.notProven.length;
  if (uncertain > 0 || totals.lockout.accepted.length > 0) return 'WARNING';
  return plan.hosts.some((host) => host.status === 'changed') ? 'IMPORTANT' : 'TIP';
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

const TRAFFIC_TITLES: { readonly [kind in TrafficKind]: string } = {
  opened: '🔓 Opens',
  possiblyOpened: '🔓 Possibly opens',
  closed: '🔒 Closes',
  possiblyClosed: '🔒 Possibly closes',
  answeredDifferently: '↩️ Refuses in another way',
};

const DECIDED: { readonly [kind in TrafficKind]: string } = {
  opened: 'Allowed by',
  possiblyOpened: 'Perhaps allowed by',
  closed: 'No longer allowed by',
  possiblyClosed: 'Perhaps no longer allowed by',
  answeredDifferently: 'Decided by',
};

const HINTS: { readonly [kind in TrafficKind]: string } = {
  opened: '',
  possiblyOpened: 'These depend on matches that cannot be modelled, such as rate limits.\n\n',
  closed: '',
  possiblyClosed: 'These depend on matches that cannot be modelled, such as rate limits.\n\n',
  answeredDifferently: 'Dropped in silence or rejected with an answer: no traffic opens or closes.\n\n',
};

function trafficSection(
  rows: readonly TrafficRow[],
  kind: TrafficKind,
  rank: number,
  linkTo: LinkTo | undefined,
  rest: Rest,
): readonly Section[] {
  if (rows.length === 0) return [];
  const head = [
    `### ${TRAFFIC_TITLES[kind]} ${grouped(rows.length)}\n\n`,
    HINTS[kind],
    `| Traffic | Hosts | ${DECIDED[kind]} |\n| :-- | :-- | :-- |\n`,
  ].join('');
  const items = rows.map(
    (row) => `| ${trafficCell(row)} | ${hostsCell(row.hosts)} | ${ruleCell(row, kind, linkTo)} |\n`,
  );
  return [{ head, items, tail: '\n', rank, left: rest('row', 'row') }];
}

function trafficCell(row: TrafficRow): string {
  const extra = conditions(row).map(prose);
  return [
    `**${prose(protocolText(row))}** ${endpoints(row)}`,
    ...(extra.length === 0 ? [] : [`<sub>${extra.join(' · ')}</sub>`]),
    `<sub>for example ${prose(exampleText(row))}</sub>`,
  ].join('<br>');
}

function endpoints(row: TrafficRow): string {
  const side = (list: readonly string[]): string => {
    const shown = addresses(list)
      .slice(0, 4)
      .map((one) => (one === 'anywhere' ? '**anywhere**' : code(one)));
    const left = addresses(list).length - shown.length;
    return left === 0 ? shown.join(', ') : `${shown.join(', ')} and ${left} more`;
  };
  const from = `from ${side(row.src)}`;
  const to = `to ${side(row.dst)}`;
  if (row.hook === 'INPUT') return row.dst.length === 0 ? from : `${from} ${to}`;
  if (row.hook === 'OUTPUT') return row.src.length === 0 ? `out ${to}` : `out ${from} ${to}`;
  return `forwarded ${from} ${to}`;
}

function hostsCell(hosts: readonly string[]): string {
  if (hosts.length === 1) return code(hosts[0] ?? '');
  const [first = '', last = ''] = [hosts[0], hosts.at(-1)];
  const names = hosts.length > 3 ? `${code(first)} … ${code(last)}` : hosts.map(code).join(', ');
  return `**${count(hosts.length, 'host')}**<br><sub>${names}</sub>`;
}

/** For what closes the rule that used to allow it says more than the final drop. */
function ruleCell(row: TrafficRow, kind: TrafficKind, linkTo: LinkTo | undefined): string {
  const closes = kind === 'closed' || kind === 'possiblyClosed';
  const rules = closes ? row.before : row.after;
  const now = closes ? row.after.slice(0, 1).map((rule) => `<sub>now: ${words(rule)}</sub>`) : [];
  return [...rules.slice(0, 2).map((rule) => decider(rule, linkTo)), ...now].join('<br>') || 'no rule';
}

function decider(rule: DecidingRule, linkTo: LinkTo | undefined): string {
  const place = rule.source === undefined ? '' : `${placeLink(rule.source, linkTo)}<br>`;
  return place + words(rule);
}

/** The rule in the words of the policy, or as it stands where the policy has none for it. */
function words(rule: DecidingRule): string {
  const reason = ruleReason(rule);
  return reason === undefined ? code(clip(ruleText(rule), 200)) : prose(clip(reason, 200));
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

const LEVEL_MARK = { error: '❌', warning: '⚠️', note: 'ℹ️' } as const;

function findingsSection(
  rows: readonly FindingRow[],
  linkTo: LinkTo | undefined,
  rest: Rest,
): readonly Section[] {
  if (rows.length === 0) return [];
  const line = ({ finding, hosts }: FindingRow): string => {
    const place = finding.source === undefined ? '' : ` ${placeLink(finding.source, linkTo)}`;
    const hint = finding.hint === undefined ? '' : ` ${prose(finding.hint)}`;
    const where = hosts.length === 1 ? code(hosts[0] ?? '') : `${count(hosts.length, 'host')}`;
    return `- ${LEVEL_MARK[finding.level]}${place} ${prose(finding.message)}${hint} (${where})\n`;
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

const ruleCounts = (added: number, removed: number, moved: number): string =>
  [`+${grouped(added)}`, `−${grouped(removed)}`, ...(moved > 0 ? [`${grouped(moved)} moved`] : [])].join(' ');

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
  const items = hosts.map(({ host, foreign }) => {
    const chains = foreign?.chains.slice(0, 12).map(code).join(', ') ?? '';
    const more = (foreign?.chains.length ?? 0) > 12 ? ', …' : '';
    return `- ${code(host)}: ${count(foreign?.rules ?? 0, 'rule')}${chains === '' ? '' : ` in ${chains}${more}`}\n`;
  });
  return [{ head, items, tail: '\n</details>\n\n', rank: 8, left: rest('host', 'item') }];
}

function footer(plan: Plan): Section {
  const commit = plan.commit === null ? '' : ` of commit ${code(shortCommit(plan.commit))}`;
  return fixed(
    `<sub>Plan ${code(clip(shortDigest(plan.digest), 100))}${commit}, against the live state of the hosts.</sub>\n`,
  );
}
