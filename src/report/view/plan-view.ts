/** What a report of a plan shows, in which order and how much of it; printers only format it. */
import type { Problem, SourceLocation } from '../../lib/problem.js';
import { count, grouped } from '../../lib/text.js';
import { createNaming, type Naming } from '../../naming/address-phrases.js';
import type { HostPlan, Plan } from '../../rollout/results/model.js';
import type { DecidingRule } from '../../traffic/model.js';
import { closes, conditions, endpoints, exampleText, type Phrase, protocolText, ruleText } from './format.js';
import { type FindingRow, findingRows, joinHosts, SEVERITY } from './group.js';
import { diffCounts, diffText, ruleCounts } from './rules.js';
import { capital, type PlanTotals, planTotals, planVerdict } from './totals.js';
import {
  cause,
  TRAFFIC_KINDS,
  type TrafficGroup,
  type TrafficKind,
  type TrafficRow,
  trafficGroups,
  trafficRows,
  untilNow,
} from './traffic-rows.js';

/** A comment or job summary on GitHub, a terminal, or a page of its own with a search. */
export type Medium = 'comment' | 'terminal' | 'page';

interface Extent {
  /** Rows of one cause are one row. */
  readonly joined: boolean;
  /** Joined rows, and unmanaged rules, are listed in blocks that a reader can open. */
  readonly collapsible: boolean;
  /** The most deciding rules of a row, reasons of a lock-out proof, and unmanaged chains of a host. */
  readonly rules: number;
  readonly reasons: number;
  readonly chains: number;
}

const ALL = Number.POSITIVE_INFINITY;
const EXTENTS: { readonly [medium in Medium]: Extent } = {
  comment: { joined: true, collapsible: true, rules: 2, reasons: 4, chains: 12 },
  terminal: { joined: true, collapsible: false, rules: 1, reasons: ALL, chains: 0 },
  page: { joined: false, collapsible: false, rules: ALL, reasons: ALL, chains: ALL },
};

export interface PlanView {
  /** Without a full stop. */
  readonly verdict: string;
  readonly level: 'error' | 'warning' | 'change' | 'none';
  readonly digest: string;
  readonly commit: string | null;
  readonly figures: readonly Figure[];
  readonly sections: readonly PlanSection[];
  /** After all sections, for a search. */
  readonly hosts: readonly HostItem[];
}

/** `7 hosts change`. */
export interface Figure {
  readonly kind: 'opened' | 'closed' | 'bad' | '';
  readonly number: number;
  readonly label: string;
}

interface Section<Kind extends string, Item> {
  readonly kind: Kind;
  readonly title: string;
  readonly items: readonly Item[];
  /** Where not all items fit: the smaller, the longer those of this section stay. */
  readonly rank: number;
}

/** Sections without items are left out. */
export type PlanSection =
  | (Section<'notes', HostNote> & { readonly level: 'error' | 'warning' })
  | TrafficSection
  | Section<'findings', FindingRow>
  | Section<'rules', DiffItem>
  | Section<'unmanaged', UnmanagedItem>;

/** `web-1 unreachable: …`, once for all hosts that it is true of. */
export interface HostNote {
  readonly hosts: readonly string[];
  readonly state: string;
  readonly details: readonly string[];
}

export interface TrafficSection extends Section<'traffic', TrafficItem> {
  readonly change: TrafficKind;
  /** Rows before any were joined. */
  readonly total: number;
  /** A sentence. */
  readonly note?: string;
  /** Heading of a column of rules; absent where the verbs differ from row to row. */
  readonly column?: string;
  /** It is shown closed, for readers to open. */
  readonly collapsed: boolean;
  /** Every row that `items` holds joined with others. */
  readonly joined: readonly TrafficItem[];
}

export interface TrafficItem {
  readonly service?: string;
  readonly protocol: string;
  readonly endpoints: Phrase;
  readonly conditions: readonly string[];
  readonly example: string;
  readonly hosts: readonly string[];
  /** `no longer allowed by`, and the rules it is about, of which some may be left out. */
  readonly verb: string;
  readonly rules: readonly RuleItem[];
  readonly omittedRules: number;
  /** `refused by`, and the rules that decided before; often none. */
  readonly formerVerb: string;
  readonly former: readonly RuleItem[];
}

export interface RuleItem {
  readonly source?: SourceLocation;
  readonly reason?: string;
  readonly text: string;
}

export interface DiffItem {
  readonly hosts: readonly string[];
  /** `+2 −1, 4 moved`. */
  readonly counts: string;
  /** Unified text. */
  readonly text: string;
  /** It is few enough to be shown open where it can be closed. */
  readonly open: boolean;
}

export interface UnmanagedItem {
  readonly hosts: readonly string[];
  readonly rules: number;
  readonly chains: readonly string[];
  readonly omittedChains: number;
}

export interface HostItem {
  readonly host: string;
  readonly status: string;
  readonly bad: boolean;
  readonly lockout?: string;
}

/** The view of a plan for a medium. @param policy problems of the policy itself; its notes are left out */
export function planView(plan: Plan, medium: Medium, policy: readonly Problem[] = []): PlanView {
  const totals = planTotals(plan);
  const extent = EXTENTS[medium];
  const naming = createNaming(plan.names);
  const sections: readonly PlanSection[] = [
    notes(plan, 'warning', 0, `${count(totals.unreachable + totals.error, 'host')} without a plan`, unread),
    totals.lockout.violated.length > 0
      ? notes(plan, 'error', 0, 'SSH would be locked out', (host) => lockout(host, extent))
      : notes(plan, 'warning', 0, 'Lock-out proof', (host) => lockout(host, extent)),
    ...TRAFFIC_KINDS.map((kind) => trafficSection(plan, kind, naming, extent)),
    notes(plan, 'warning', 1, 'Traffic not fully proved', unproved),
    notes(plan, 'warning', 1, 'More traffic than can be listed', omitted),
    findingSection(plan, policy),
    ruleSection(plan, totals),
    unmanagedSection(plan, extent),
  ];
  return {
    verdict: planVerdict(totals),
    level: levelOf(totals),
    digest: plan.digest,
    commit: plan.commit,
    figures: figures(totals),
    sections: sections.filter(({ items }) => items.length > 0),
    hosts: medium === 'page' ? plan.hosts.map(hostItem) : [],
  };
}

function levelOf(totals: PlanTotals): PlanView['level'] {
  const { lockout: proofs } = totals;
  if (proofs.violated.length + totals.findings.error > 0) return 'error';
  const uncertain = [totals.unproved, totals.cut, proofs.notProven, proofs.accepted].flat().length;
  if (uncertain + totals.unreachable + totals.error > 0) return 'warning';
  return TRAFFIC_KINDS.some((kind) => totals.traffic[kind] > 0) ? 'change' : 'none';
}

function figures({ traffic, changed, unchanged, unreachable, error }: PlanTotals): readonly Figure[] {
  const all: readonly Figure[] = [
    { kind: 'opened', number: traffic.opened + traffic.possiblyOpened, label: 'opened' },
    { kind: 'closed', number: traffic.closed + traffic.possiblyClosed, label: 'closed' },
    { kind: '', number: changed, label: 'hosts change' },
    { kind: '', number: unchanged, label: 'unchanged' },
    { kind: 'bad', number: unreachable + error, label: 'without a plan' },
  ];
  return all.filter(({ kind, number }) => kind !== 'bad' || number > 0);
}

type Note = Omit<HostNote, 'hosts'>;

function notes(
  { hosts }: Plan,
  level: 'error' | 'warning',
  rank: number,
  title: string,
  noteOf: (host: HostPlan) => Note | undefined,
): PlanSection {
  const all = hosts.flatMap((host) => {
    const note = noteOf(host);
    return note === undefined ? [] : [{ ...note, host: host.host }];
  });
  const items = joinHosts(all, ({ state, details }) => JSON.stringify([state, details])).map(
    ({ first: { state, details }, hosts: names }) => ({ hosts: names, state, details }),
  );
  return { kind: 'notes', level, title, items, rank };
}

const noteIf = (state: string | false | undefined, details: readonly string[] = []): Note | undefined =>
  state ? { state, details } : undefined;

const UNREAD: { readonly [status in HostPlan['status']]?: string } = {
  unreachable: 'unreachable',
  error: 'could not be planned',
};
const unread = ({ status, reason = 'no reason given' }: HostPlan): Note | undefined =>
  noteIf(UNREAD[status], [reason]);

function lockout({ lockout: proof }: HostPlan, { reasons: most }: Extent): Note | undefined {
  if (proof === undefined || proof.verdict === 'proved') return undefined;
  const { verdict, accepted, reasons } = proof;
  const shown = reasons.length > most ? reasons.slice(0, most - 1) : reasons;
  const more = reasons.length - shown.length;
  return {
    state: `${verdict === 'violated' ? 'locked out' : 'not proved safe'}${accepted ? ' (accepted with `accept-lockout-risk`)' : ''}`,
    details: more === 0 ? shown : [...shown, `${more} more reasons`],
  };
}

const unproved = ({ traffic }: HostPlan): Note | undefined =>
  noteIf(traffic?.proved === false && 'not fully proved', [traffic?.why ?? 'the proof was stopped']);

/** Rows beyond the most that a plan lists are counted, so that nobody takes the list for complete. */
const omitted = ({ traffic }: HostPlan): Note | undefined =>
  noteIf(
    traffic?.omitted !== undefined &&
      `${count(traffic.omitted, 'row')} of traffic not listed or counted here`,
  );

const TRAFFIC = {
  opened: { title: 'Opens', verb: 'allowed by', before: 'refused by', rank: 2 },
  possiblyOpened: { title: 'Possibly opens', verb: 'perhaps allowed by', before: 'refused by', rank: 3 },
  closed: { title: 'Closes', verb: 'refused by', before: 'allowed by', rank: 4 },
  possiblyClosed: { title: 'Possibly closes', verb: 'perhaps refused by', before: 'allowed by', rank: 5 },
  answeredDifferently: { title: 'Answered differently', verb: 'decided by', before: 'decided by', rank: 12 },
} as const satisfies { readonly [kind in TrafficKind]: unknown };

const UNMODELLED = 'These depend on matches that cannot be modelled, such as rate limits.';
const NOTES: { readonly [kind in TrafficKind]?: string } = {
  possiblyOpened: UNMODELLED,
  possiblyClosed: UNMODELLED,
  answeredDifferently: 'Dropped before and rejected now, or the reverse.',
};

function trafficSection(plan: Plan, kind: TrafficKind, naming: Naming, extent: Extent): TrafficSection {
  const rows = trafficRows(plan, kind);
  const { title, verb, rank } = TRAFFIC[kind];
  // Nothing opens or closes: readers who want to know open the block.
  const collapsed = extent.collapsible && kind === 'answeredDifferently';
  const single = (row: TrafficRow): TrafficGroup => ({ whole: row, rows: [row] });
  const groups = extent.joined && !collapsed ? trafficGroups(rows, kind) : rows.map(single);
  const joined = groups.flatMap((group) => (group.rows.length > 1 ? group.rows : []));
  const itemOf = (group: TrafficGroup): TrafficItem => trafficItem(group, kind, naming, extent);
  return {
    kind: 'traffic',
    change: kind,
    title,
    total: rows.length,
    note: NOTES[kind],
    column: closes(kind) ? undefined : capital(verb),
    collapsed,
    items: groups.map(itemOf),
    joined: extent.collapsible ? joined.map((row) => itemOf(single(row))) : [],
    rank,
  };
}

function trafficItem(
  { whole, rows }: TrafficGroup,
  kind: TrafficKind,
  naming: Naming,
  extent: Extent,
): TrafficItem {
  const { rules, gone } = cause(whole, kind);
  const path = endpoints(whole, naming);
  const former = extent.joined ? untilNow(whole, kind) : gone ? [] : whole.before;
  const itemOf = (rule: DecidingRule): RuleItem => ruleItem(rule, extent);
  return {
    service: naming.service(whole.services),
    protocol: protocolText(whole),
    endpoints: rows.length > 1 && gone ? [...path, ', except what other rules allow'] : path,
    conditions: [
      ...conditions(whole, naming, kind, rows),
      ...(rows.length > 1 ? [`${grouped(rows.length)} rows`] : []),
    ],
    example: exampleText(whole),
    hosts: whole.hosts,
    verb: gone ? 'no longer allowed by' : TRAFFIC[kind].verb,
    rules: rules.slice(0, extent.rules).map(itemOf),
    omittedRules: Math.max(0, rules.length - extent.rules),
    formerVerb: TRAFFIC[kind].before,
    former: former.map(itemOf),
  };
}

/** A rule that only a host has is in no file that a comment could link to. */
const ruleItem = (rule: DecidingRule, { collapsible }: Extent): RuleItem => ({
  source: collapsible && rule.source?.kind !== 'policy' ? undefined : rule.source,
  reason: rule.reason,
  text: ruleText(rule),
});

/** Problems of the policy are of no host, and come before those of hosts that are as severe. */
function findingSection({ hosts }: Plan, policy: readonly Problem[]): PlanSection {
  const own = policy
    .filter(({ level }) => level !== 'note')
    .map(({ location, ...rest }): FindingRow => ({ finding: { ...rest, source: location }, hosts: [] }));
  const items = [...own, ...findingRows(hosts)].toSorted(
    (a, b) => SEVERITY[a.finding.level] - SEVERITY[b.finding.level],
  );
  return { kind: 'findings', title: 'Findings', items, rank: items[0]?.finding.level === 'error' ? 1 : 6 };
}

/** More diffs than this, opened, would be too much to scroll through. */
const MOST_OPEN = 20;

function ruleSection({ hosts }: Plan, { rules: { added, removed, moved } }: PlanTotals): PlanSection {
  const diffs = hosts.flatMap(({ host, status, rules, sets = [] }) =>
    status === 'changed' && rules !== undefined && (rules.v4.text + rules.v6.text !== '' || sets.length > 0)
      ? [{ host, ...rules, sets }]
      : [],
  );
  const groups = joinHosts(diffs, ({ v4, v6, sets }) => JSON.stringify([v4.text, v6.text, sets])).toSorted(
    (a, b) => b.hosts.length - a.hosts.length,
  );
  const items = groups.map(
    ({ first, hosts: names }): DiffItem => ({
      hosts: names,
      counts: diffCounts(first),
      text: diffText(first),
      open: groups.length <= MOST_OPEN,
    }),
  );
  return { kind: 'rules', title: `Rules: ${ruleCounts(added, removed, moved)}`, items, rank: 7 };
}

function unmanagedSection({ hosts }: Plan, { chains: most }: Extent): PlanSection {
  const all = hosts.flatMap(({ host, foreign }) =>
    foreign === undefined || foreign.rules + foreign.chains.length === 0 ? [] : [{ host, ...foreign }],
  );
  const items = joinHosts(all, ({ rules, chains }) => JSON.stringify([rules, chains])).map(
    ({ first: { rules, chains }, hosts: names }): UnmanagedItem => ({
      hosts: names,
      rules,
      chains: chains.slice(0, most),
      omittedChains: Math.max(0, chains.length - most),
    }),
  );
  const total = all.reduce((sum, { rules }) => sum + rules, 0);
  const title = `Left unchanged: ${count(total, 'rule')} on ${count(all.length, 'host')} that the policy does not manage`;
  return { kind: 'unmanaged', title, items, rank: 8 };
}

const hostItem = ({ host, status, lockout: proof }: HostPlan): HostItem => ({
  host,
  status,
  bad: status === 'unreachable' || status === 'error',
  lockout: proof?.verdict,
});
