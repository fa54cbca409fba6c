/** What opens and closes on all hosts, as few rows: equal ones of many hosts and of both families are one. */

import { groupBy } from '../../lib/group.js';
import type { SourceLocation } from '../../lib/problem.js';
import { withoutComment } from '../../netfilter/text/print.js';
import type { HostPlan, Plan } from '../../rollout/results/model.js';
import type { DecidingRule, Flow, Packet } from '../../traffic/model.js';
import { byExposure } from '../../traffic/questions/rows.js';
import { type AddressBox, addressTexts, boxKey, createBoxOf, hull, joinBoxes } from './boxes.js';
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
  /** The smallest box around all of them: it may contain more traffic than they do, never less. */
  readonly whole: TrafficRow;
  readonly rows: readonly TrafficRow[];
}

type HostRow = Omit<TrafficRow, 'hosts'>;

const cache = new WeakMap<Plan, Map<TrafficKind, readonly TrafficRow[]>>();

/** Rows of one kind over the whole fleet: the most exposed first, then those of most hosts, then by text. */
export function trafficRows(plan: Plan, kind: TrafficKind): readonly TrafficRow[] {
  // Asked several times for each report, and slow for a thousand hosts.
  const kinds = cache.get(plan) ?? new Map<TrafficKind, readonly TrafficRow[]>();
  cache.set(plan, kinds);
  const rows = kinds.get(kind) ?? joinPlans(plan.hosts, kind);
  kinds.set(kind, rows);
  return rows;
}

function joinPlans(hosts: readonly HostPlan[], kind: TrafficKind): readonly TrafficRow[] {
  const boxOf = createBoxOf();
  const rowOf = (flow: Flow): HostRow => ({
    ...boxOf(flow),
    before: ruleList(flow.before),
    after: ruleList(flow.after),
    example: flow.example,
  });
  const rows = new Map<string, { row: HostRow; readonly hosts: string[] }>();
  for (const host of hosts) {
    if (host.traffic === undefined) continue;
    for (const row of joinRowsOfHost(host.traffic[kind].map(rowOf), kind)) {
      const key = `${boxKey(row)} ${row.before.map(identity)} ${row.after.map(identity)}`;
      const found = rows.get(key);
      if (found === undefined) rows.set(key, { row, hosts: [host.host] });
      else {
        if (found.hosts.at(-1) !== host.host) found.hosts.push(host.host);
        found.row = {
          ...found.row,
          before: withCommonSource(found.row.before, row.before),
          after: withCommonSource(found.row.after, row.after),
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

const joinRowsOfHost = (rows: readonly HostRow[], kind: TrafficKind): readonly HostRow[] =>
  [...groupBy(rows, (row) => causeKey(row, kind)).values()].flatMap((group) => joinBoxes(group, joinRows));

const ruleList = (rule: DecidingRule | null): readonly DecidingRule[] => (rule === null ? [] : [rule]);

/** Several rows as one, with the example of the first. */
const joinRows = <T extends HostRow>(rows: readonly T[]): T => ({
  ...(rows[0] as T),
  before: distinct(rows.flatMap(({ before }) => before)),
  after: distinct(rows.flatMap(({ after }) => after)),
});

/** Rules with their source where it is the same on all hosts: live rules and baselines have one for each host. */
const withCommonSource = (
  rules: readonly DecidingRule[],
  others: readonly DecidingRule[],
): readonly DecidingRule[] =>
  rules.map((rule, index) => {
    const { source, ...rest } = rule;
    return source === undefined || placed(source) === placed(others[index]?.source) ? rule : rest;
  });

const placed = (location: SourceLocation | undefined): string =>
  location === undefined ? '' : `${location.file}:${location.line}:${location.column}`;

/**
 * What makes rules the same for a reader: table, chain and comment, or the text without a comment; not the number in the
 * chain or the host.
 */
const identity = ({ table, chain, number, text, reason }: DecidingRule): string =>
  JSON.stringify([table, chain, number === 0, reason ?? text]);

/** The same, by the line of the policy where there is one. */
const lineOf = (rule: DecidingRule): string =>
  rule.source?.kind === 'policy' ? placed(rule.source) : identity(rule);

const distinct = (rules: readonly DecidingRule[]): readonly DecidingRule[] => [
  ...new Map(rules.map((rule) => [lineOf(rule), rule])).values(),
];

/** The end of a built-in chain, or of our chain that it jumps to: refuses what no rule matched. */
const isDefault = ({ chain, number, text, reason }: DecidingRule): boolean =>
  /^(?:SALLYPORT-)?(?:INPUT|OUTPUT|FORWARD)$/.test(chain) &&
  (number === 0 || /^-j (?:DROP|REJECT)\b/.test(withoutComment({ text, comment: reason })));

/**
 * The rules that are the cause of a row: of what opens, those that accept it now; of what closes, those that refuse it
 * now or, if only a default does (`gone`), those that used to accept it.
 */
export function cause(
  { before, after }: Pick<TrafficRow, 'before' | 'after'>,
  kind: TrafficKind,
): { readonly rules: readonly DecidingRule[]; readonly gone: boolean } {
  const gone = (kind === 'closed' || kind === 'possiblyClosed') && after.every(isDefault);
  return { rules: gone ? before : after, gone };
}

/** The rules that decided before, if they are one or two, no defaults, and not the cause itself. */
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

/** More rows of one cause than this are joined. */
const MOST_ROWS = 3;

/** With more groups than this, rules of several hosts that differ only in addresses are one cause. */
const MOST_GROUPS = 20;

/** Rows by their cause, in the order of the first row of each; few rows of one cause are not joined. */
export function trafficGroups(rows: readonly TrafficRow[], kind: TrafficKind): readonly TrafficGroup[] {
  const groups = groupsBy(rows, (row) => causeKey(row, kind));
  return groups.length <= MOST_GROUPS ? groups : groupsBy(rows, (row) => withoutHost(causeKey(row, kind)));
}

const groupsBy = (rows: readonly TrafficRow[], keyOf: (row: TrafficRow) => string): readonly TrafficGroup[] =>
  [...groupBy(rows, keyOf).values()].flatMap((group) =>
    group.length > MOST_ROWS ? [joinGroup(group)] : group.map((row) => ({ whole: row, rows: [row] })),
  );

/** Readers expect an example of a new connection over TCP and IPv4. */
const plainness = ({ state, protocol, src }: Packet): number =>
  (state === undefined ? 4 : 0) + (protocol === 'tcp' ? 2 : 0) + (src.includes(':') ? 0 : 1);

function joinGroup(rows: readonly TrafficRow[]): TrafficGroup {
  const first = joinRows(rows);
  const example = rows
    .map((row) => row.example)
    .reduce((best, one) => (plainness(one) > plainness(best) ? one : best));
  return {
    rows,
    whole: { ...first, ...hull(rows), example, hosts: [...new Set(rows.flatMap(({ hosts }) => hosts))] },
  };
}

/** The widest flow of the row, which decides about its exposure. */
const asFlow = (row: HostRow): Parameters<typeof byExposure>[0] => ({
  ...row,
  src: addressTexts(row.src),
  dst: addressTexts(row.dst),
  protocol: row.services.find(({ protocol }) => protocol.startsWith('any'))?.protocol ?? 'tcp',
  dport: row.services.some(({ dport }) => dport.length === 0)
    ? []
    : row.services.flatMap(({ dport }) => dport),
});
