/** What opens and closes on all hosts, as few rows: equal ones of many hosts and of both families are one. */

import { groupBy } from '../../lib/group.js';
import type { SourceLocation } from '../../lib/problem.js';
import type { HostPlan, Plan } from '../../rollout/results/model.js';
import type { DecidingRule, Flow, Packet } from '../../traffic/model.js';
import { byExposure } from '../../traffic/questions/rows.js';
import { type AddressBox, addressTexts, boxKey, boxOf, hull, joinBoxes } from './boxes.js';
import { withoutHost } from './group.js';

export const TRAFFIC_KINDS = [
  'opened',
  'possiblyOpened',
  'closed',
  'possiblyClosed',
  'answeredDifferently',
] as const;
export type TrafficKind = (typeof TRAFFIC_KINDS)[number];

/** One kind of traffic that opens or closes, and every host on which it does. */
export interface TrafficRow extends AddressBox {
  /** What decided before and decides now, each rule once; nothing decided where it is empty. */
  readonly before: readonly DecidingRule[];
  readonly after: readonly DecidingRule[];
  readonly example: Packet;
  readonly hosts: readonly string[];
}

/** Rows that one rule is the cause of. */
export interface TrafficGroup {
  /** The box around all of them: it may hold more than they do, never less. */
  readonly whole: TrafficRow;
  readonly rows: readonly TrafficRow[];
}

type HostRow = Omit<TrafficRow, 'hosts'>;

const known = new WeakMap<Plan, Map<TrafficKind, readonly TrafficRow[]>>();

/** Rows of one kind over the whole fleet: the most exposed first, then those of most hosts, then by text. */
export function trafficRows(plan: Plan, kind: TrafficKind): readonly TrafficRow[] {
  // Every part of every report asks, and for a thousand hosts the answer takes a while.
  const kinds = known.get(plan) ?? new Map<TrafficKind, readonly TrafficRow[]>();
  known.set(plan, kinds);
  const rows = kinds.get(kind) ?? foldHosts(plan.hosts, kind);
  kinds.set(kind, rows);
  return rows;
}

function foldHosts(hosts: readonly HostPlan[], kind: TrafficKind): readonly TrafficRow[] {
  const rows = new Map<string, { row: HostRow; readonly hosts: string[] }>();
  for (const host of hosts) {
    if (host.traffic === undefined) continue;
    for (const row of hostRows(host.traffic[kind], kind)) {
      const key = `${boxKey(row)} ${row.before.map(identity)} ${row.after.map(identity)}`;
      const found = rows.get(key);
      if (found === undefined) rows.set(key, { row, hosts: [host.host] });
      else {
        if (found.hosts.at(-1) !== host.host) found.hosts.push(host.host);
        found.row = {
          ...found.row,
          before: agreed(found.row.before, row.before),
          after: agreed(found.row.after, row.after),
        };
      }
    }
  }
  return [...rows]
    .map(([key, { row, hosts: names }]) => ({ key, row: { ...row, hosts: names }, flow: asFlow(row) }))
    .sort(
      (a, b) =>
        byExposure(a.flow, b.flow) || b.row.hosts.length - a.row.hosts.length || (a.key < b.key ? -1 : 1),
    )
    .map(({ row }) => row);
}

const hostRows = (flows: readonly Flow[], kind: TrafficKind): readonly HostRow[] =>
  [...groupBy(flows.map(rowOf), (row) => causeKey(row, kind)).values()].flatMap((group) =>
    joinBoxes(group, joinRows),
  );

const rowOf = (flow: Flow): HostRow => ({
  ...boxOf(flow),
  before: decided(flow.before),
  after: decided(flow.after),
  example: flow.example,
});

const decided = (rule: DecidingRule | null): readonly DecidingRule[] => (rule === null ? [] : [rule]);

/** What is said of several rows together; the first one's example stands for all. */
const joinRows = <T extends HostRow>(rows: readonly T[]): T => ({
  ...(rows[0] as T),
  before: distinct(rows.flatMap(({ before }) => before)),
  after: distinct(rows.flatMap(({ after }) => after)),
});

/** The line that a rule comes from, as far as it is the same on all hosts: live rules and baselines have one a host. */
const agreed = (rules: readonly DecidingRule[], others: readonly DecidingRule[]): readonly DecidingRule[] =>
  rules.map((rule, index) => {
    const { source, ...rest } = rule;
    return source === undefined || placed(source) === placed(others[index]?.source) ? rule : rest;
  });

const placed = (location: SourceLocation | undefined): string =>
  location === undefined ? '' : `${location.file}:${location.line}:${location.column}`;

/**
 * What a rule is to a reader: a line of the policy, whatever the family; else the words of its comment; else its text.
 * Its number in the chain, and the host on which it stands, are nothing to him.
 */
export function identity(rule: DecidingRule): string {
  const reason = /--comment (?:"(?:[^"\\]|\\.)*"|\S+)/.exec(rule.text)?.[0];
  return JSON.stringify([rule.table, rule.chain, rule.number === 0, reason ?? rule.text]);
}

/** The same, told apart by the line of the policy where there is one. */
const lineOf = (rule: DecidingRule): string =>
  rule.source === undefined || isOfHost(rule.source) ? identity(rule) : placed(rule.source);

/** A rule as a host prints it stands in a text of one host and family: `web-1 live v4`. */
export const isOfHost = ({ file }: SourceLocation): boolean => / v[46]$/.test(file);

const distinct = (rules: readonly DecidingRule[]): readonly DecidingRule[] => [
  ...new Map(rules.map((rule) => [lineOf(rule), rule])).values(),
];

/** The end of a built-in chain, or of ours in its place, where whatever no rule has named is refused. */
const isDefault = ({ chain, number, text }: DecidingRule): boolean =>
  /^(?:SALLYPORT-)?(?:INPUT|OUTPUT|FORWARD)$/.test(chain) &&
  (number === 0 || /^(?:-m comment --comment (?:"(?:[^"\\]|\\.)*"|\S+) )?-j (?:DROP|REJECT)\b/.test(text));

/**
 * The rules that a reader would call the reason: for what opens the one that accepts it now; for what closes the one
 * that refuses it now, or, where no rule names it any more, the one that used to accept it.
 */
export function cause(
  { before, after }: Pick<TrafficRow, 'before' | 'after'>,
  kind: TrafficKind,
): { readonly rules: readonly DecidingRule[]; readonly gone: boolean } {
  const gone = (kind === 'closed' || kind === 'possiblyClosed') && after.every(isDefault);
  return { rules: gone ? before : after, gone };
}

/** What decided until now, where that was a rule or two of their own and is not the cause itself. */
export function untilNow(
  row: Pick<TrafficRow, 'before' | 'after'>,
  kind: TrafficKind,
): readonly DecidingRule[] {
  const own = cause(row, kind).gone ? [] : row.before.filter((rule) => !isDefault(rule));
  return own.length > 2 ? [] : own;
}

const causeKey = (
  { hook, before, after }: Pick<TrafficRow, 'hook' | 'before' | 'after'>,
  kind: TrafficKind,
): string => {
  const { rules, gone } = cause({ before, after }, kind);
  return `${hook} ${gone} ${rules.map(lineOf)}`;
};

/** A few rows are read one by one; more of one cause are read as one thing. */
const MOST_ROWS = 3;

/** More groups than this, and rules of many hosts that are alike but for addresses are one cause. */
const MOST_GROUPS = 20;

/** Rows by what causes them, in the order of their first. Those that are few stand alone. */
export function trafficGroups(rows: readonly TrafficRow[], kind: TrafficKind): readonly TrafficGroup[] {
  const groups = groupsBy(rows, (row) => causeKey(row, kind));
  return groups.length <= MOST_GROUPS ? groups : groupsBy(rows, (row) => withoutHost(causeKey(row, kind)));
}

const groupsBy = (rows: readonly TrafficRow[], keyOf: (row: TrafficRow) => string): readonly TrafficGroup[] =>
  [...groupBy(rows, keyOf).values()].flatMap((group) =>
    group.length > MOST_ROWS ? [together(group)] : group.map((row) => ({ whole: row, rows: [row] })),
  );

/** A new connection over TCP and IPv4 is what most readers think of. */
const plainness = ({ state, protocol, src }: Packet): number =>
  (state === undefined ? 4 : 0) + (protocol === 'tcp' ? 2 : 0) + (src.includes(':') ? 0 : 1);

function together(rows: readonly TrafficRow[]): TrafficGroup {
  const first = joinRows(rows);
  const example = rows
    .map((row) => row.example)
    .reduce((best, one) => (plainness(one) > plainness(best) ? one : best));
  return {
    rows,
    whole: { ...first, ...hull(rows), example, hosts: [...new Set(rows.flatMap(({ hosts }) => hosts))] },
  };
}

/** As the model measures exposure: by the widest of what the row is about. */
const asFlow = (row: HostRow): Parameters<typeof byExposure>[0] => ({
  ...row,
  src: addressTexts(row.src),
  dst: addressTexts(row.dst),
  protocol: row.services.find(({ protocol }) => protocol.startsWith('any'))?.protocol ?? 'tcp',
  dport: row.services.some(({ dport }) => dport.length === 0)
    ? []
    : row.services.flatMap(({ dport }) => dport),
});
