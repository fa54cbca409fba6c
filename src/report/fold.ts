/** Equal things of many hosts and of both families, folded into one, so that a thousand hosts read like one. */
import type { Family, RuleDiff, SetDiff } from '../netfilter/model.js';
import type { Place } from '../problem.js';
import type { Finding, HostPlan, Plan } from '../rollout/model.js';
import type { DecidingRule, Flow, Packet } from '../traffic/model.js';

/** `Map.groupBy`, which Node 20 lacks; groups and members keep their order. */
export function groupBy<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

/** One kind of traffic that opens or closes, and every host on which it does. */
export interface TrafficRow
  extends Pick<Flow, 'hook' | 'in' | 'out' | 'state' | 'protocol' | 'sport' | 'dport' | 'type'> {
  /** What else must hold: flags, a hardware address, an id; empty when nothing does. */
  readonly also: readonly string[];
  readonly families: readonly Family[];
  readonly src: readonly string[];
  readonly dst: readonly string[];
  /** What decided before and decides now, one for each family where they differ; `null` decided nothing. */
  readonly before: readonly DecidingRule[];
  readonly after: readonly DecidingRule[];
  readonly example: Packet;
  readonly hosts: readonly string[];
}

export type TrafficKind = 'opened' | 'closed' | 'possiblyOpened' | 'possiblyClosed' | 'answeredDifferently';

/** Rows of one kind over the whole fleet: widest sources first, then on most hosts, then by text. */
export function trafficRows(plan: Plan, kind: TrafficKind): readonly TrafficRow[] {
  const rows = new Map<string, { row: Omit<TrafficRow, 'hosts'>; hosts: string[] }>();
  for (const host of plan.hosts) {
    if (host.traffic === undefined) continue;
    for (const row of foldFamilies(host.traffic[kind])) {
      const key = keyOfRow(row);
      const known = rows.get(key);
      if (known === undefined) rows.set(key, { row, hosts: [host.host] });
      else {
        if (known.hosts.at(-1) !== host.host) known.hosts.push(host.host);
        known.row = {
          ...known.row,
          before: agreed(known.row.before, row.before),
          after: agreed(known.row.after, row.after),
        };
      }
    }
  }
  return [...rows.entries()]
    .map(([key, { row, hosts }]) => ({ key, row: { ...row, hosts } }))
    .sort(
      (a, b) =>
        breadth(b.row) - breadth(a.row) || b.row.hosts.length - a.row.hosts.length || order(a.key, b.key),
    )
    .map(({ row }) => row);
}

/** The line that a rule comes from, as far as it is the same on all hosts: live rules and baselines have one a host. */
const agreed = (known: readonly DecidingRule[], other: readonly DecidingRule[]): readonly DecidingRule[] =>
  known.map((rule, index) => {
    const { source, ...rest } = rule;
    return source === undefined || placed(source) === placed(other[index]?.source) ? rule : rest;
  });

const placed = (place: Place | undefined): string =>
  place === undefined ? '' : `${place.file}:${place.line}:${place.column}`;

/** From anywhere weighs more than every port, which weighs more than every destination. */
const breadth = (row: TrafficRow): number =>
  (row.src.length === 0 ? 4 : 0) + (row.dport.length === 0 ? 2 : 0) + (row.dst.length === 0 ? 1 : 0);

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const decided = (rule: DecidingRule | null): readonly DecidingRule[] => (rule === null ? [] : [rule]);

/**
 * A v4 and a v6 flow become one row when they say the same of everything but addresses and were decided by the same
 * line of the policy. Several flows of one family stay apart: the union of two boxes is no box.
 */
function foldFamilies(flows: readonly Flow[]): readonly Omit<TrafficRow, 'hosts'>[] {
  const groups = groupBy(flows, keyAcrossFamilies);
  return [...groups.values()].flatMap((group) => {
    const [first, second] = group;
    const pair =
      group.length === 2 && first !== undefined && second !== undefined && first.family !== second.family;
    if (!pair) return group.map(single);
    const [v4, v6] = first.family === 'v4' ? [first, second] : [second, first];
    return [
      {
        ...single(v4),
        families: ['v4', 'v6'] as const,
        src: [...v4.src, ...v6.src],
        dst: [...v4.dst, ...v6.dst],
        before: distinct([...decided(v4.before), ...decided(v6.before)]),
        after: distinct([...decided(v4.after), ...decided(v6.after)]),
      },
    ];
  });
}

const single = (flow: Flow): Omit<TrafficRow, 'hosts'> => ({
  hook: flow.hook,
  in: flow.in,
  out: flow.out,
  state: flow.state,
  protocol: flow.protocol,
  sport: flow.sport,
  dport: flow.dport,
  type: flow.type,
  also: flow.also ?? [],
  families: [flow.family],
  src: flow.src,
  dst: flow.dst,
  before: decided(flow.before),
  after: decided(flow.after),
  example: flow.example,
});

/** The same rule at another number of its chain, or of another host's file, is the same rule to a reader. */
const identity = (rule: DecidingRule): string =>
  JSON.stringify([rule.table, rule.chain, rule.number === 0, rule.text]);

/** One line of the policy is one rule to a reader, in whatever family. */
const distinct = (rules: readonly DecidingRule[]): readonly DecidingRule[] => [
  ...new Map(
    rules.map((rule) => [rule.source === undefined ? identity(rule) : placed(rule.source), rule]),
  ).values(),
];

/** A rule as a host prints it stands in a text of one family (`web-1 live v4`): its words tell which rule it is. */
const isOfOneFamily = ({ file }: Place): boolean => / v[46]$/.test(file);

const lineOf = (rule: DecidingRule | null): unknown =>
  rule === null
    ? null
    : [
        rule.table,
        rule.chain,
        rule.source === undefined || isOfOneFamily(rule.source) ? rule.text : rule.source,
      ];

const keyAcrossFamilies = (flow: Flow): string =>
  JSON.stringify([
    flow.hook,
    flow.in,
    flow.out,
    flow.state,
    flow.protocol,
    flow.sport,
    flow.dport,
    flow.type,
    flow.also ?? [],
    flow.src.length === 0,
    flow.dst.length === 0,
    lineOf(flow.before),
    lineOf(flow.after),
  ]);

const keyOfRow = ({ example: _, before, after, ...rest }: Omit<TrafficRow, 'hosts'>): string =>
  JSON.stringify([rest, before.map(identity), after.map(identity)]);

/** Hosts whose rules change in exactly the same way. */
export interface DiffGroup {
  readonly hosts: readonly string[];
  readonly v4: RuleDiff;
  readonly v6: RuleDiff;
  readonly sets: readonly SetDiff[];
  readonly added: number;
  readonly removed: number;
  readonly moved: number;
}

const NO_CHANGE: RuleDiff = { added: [], removed: [], moved: [], text: '' };

/** The largest groups first. */
export function diffGroups(plan: Plan): readonly DiffGroup[] {
  const groups = groupBy(plan.hosts.filter(changesRules), (host) =>
    JSON.stringify([host.rules?.v4.text, host.rules?.v6.text, host.sets ?? []]),
  );
  return [...groups.values()]
    .flatMap((hosts) => hosts.slice(0, 1).map((host) => diffGroup(host, hosts)))
    .sort((a, b) => b.hosts.length - a.hosts.length);
}

const changesRules = (host: HostPlan): boolean =>
  host.status === 'changed' &&
  ((host.rules?.v4.text || host.rules?.v6.text) !== '' || (host.sets ?? []).length > 0);

function diffGroup(host: HostPlan, hosts: readonly HostPlan[]): DiffGroup {
  const [v4, v6, sets] = [host.rules?.v4 ?? NO_CHANGE, host.rules?.v6 ?? NO_CHANGE, host.sets ?? []];
  const total = (of: (part: { added: readonly unknown[]; removed: readonly unknown[] }) => number): number =>
    [v4, v6, ...sets].reduce((sum, part) => sum + of(part), 0);
  return {
    hosts: hosts.map((one) => one.host),
    v4,
    v6,
    sets,
    added: total((part) => part.added.length),
    removed: total((part) => part.removed.length),
    moved: v4.moved.length + v6.moved.length,
  };
}

/** The same finding on many hosts is one finding. */
export interface FindingRow {
  readonly finding: Finding;
  readonly hosts: readonly string[];
}

const SEVERITY = { error: 0, warning: 1, note: 2 } as const;

/** Most severe first, then on most hosts. */
export function findingRows(
  hosts: readonly { readonly host: string; readonly findings: readonly Finding[] }[],
): readonly FindingRow[] {
  const rows = groupBy(
    hosts.flatMap(({ host, findings }) => findings.map((finding) => ({ host, finding }))),
    ({ finding }) =>
      JSON.stringify([finding.id, finding.level, finding.message, finding.hint, finding.source]),
  );
  return [...rows.values()]
    .flatMap((group) =>
      group
        .slice(0, 1)
        .map(({ finding }) => ({ finding, hosts: [...new Set(group.map(({ host }) => host))] })),
    )
    .sort((a, b) => SEVERITY[a.finding.level] - SEVERITY[b.finding.level] || b.hosts.length - a.hosts.length);
}
