/** What opens and closes, as tables of Markdown. */

import { count, grouped } from '../../lib/text.js';
import type { Naming } from '../../naming/phrases.js';
import type { Plan } from '../../rollout/results/model.js';
import type { DecidingRule } from '../../traffic/model.js';
import {
  closes,
  conditions,
  endpoints,
  exampleText,
  protocolText,
  ruleReason,
  ruleText,
  serviceName,
} from '../view/format.js';
import {
  cause,
  isOfHost,
  type TrafficGroup,
  type TrafficKind,
  type TrafficRow,
  trafficGroups,
  trafficRows,
  untilNow,
} from '../view/traffic-rows.js';
import type { Section } from './budget.js';
import { clip, code, type LinkTo, locationLink, prose } from './escape.js';

/** Says of a kind of thing how many did not fit. */
export type Rest = (what: string, block: 'row' | 'item') => (left: number) => string;

const TRAFFIC_TITLES: { readonly [kind in TrafficKind]: string } = {
  opened: '🔓 Opens',
  possiblyOpened: '🔓 Possibly opens',
  closed: '🔒 Closes',
  possiblyClosed: '🔒 Possibly closes',
  answeredDifferently: '↩️ Refused in another way',
};

const COLUMN: { readonly [kind in TrafficKind]: string } = {
  opened: 'Allowed by',
  possiblyOpened: 'Perhaps allowed by',
  closed: 'Why',
  possiblyClosed: 'Why',
  answeredDifferently: 'Decided by',
};

const UNTIL: { readonly [kind in TrafficKind]: string } = {
  opened: 'refused by',
  possiblyOpened: 'refused by',
  closed: 'allowed by',
  possiblyClosed: 'allowed by',
  answeredDifferently: 'decided by',
};

const HINTS: { readonly [kind in TrafficKind]: string } = {
  opened: '',
  possiblyOpened: 'These depend on matches that cannot be modelled, such as rate limits.\n\n',
  closed: '',
  possiblyClosed: 'These depend on matches that cannot be modelled, such as rate limits.\n\n',
  answeredDifferently: '',
};

/** What every row is written with. */
export interface RenderContext {
  readonly plan: Plan;
  readonly naming: Naming;
  readonly linkTo: LinkTo | undefined;
  readonly rest: Rest;
}

/** The table, and behind it, folded, the rows of what the table says in one. */
export function trafficSection(scene: RenderContext, kind: TrafficKind, rank: number): readonly Section[] {
  const rows = trafficRows(scene.plan, kind);
  if (rows.length === 0) return [];
  const columns = `| Traffic | Hosts | ${COLUMN[kind]} |\n| :-- | :-- | :-- |\n`;
  const head = `### ${TRAFFIC_TITLES[kind]} ${grouped(rows.length)}\n\n${HINTS[kind]}${columns}`;
  const groups = trafficGroups(rows, kind);
  const inFull = groups.flatMap((group) => (group.rows.length > 1 ? group.rows : []));
  const left = scene.rest('row', 'row');
  const table = {
    head,
    items: groups.map((group) => tableRow(group, kind, scene)),
    tail: '\n',
    rank,
    left,
  };
  if (inFull.length === 0) return [table];
  const summary = `<details><summary>The ${grouped(inFull.length)} rows that are folded above</summary>\n\n`;
  return [
    table,
    {
      head: summary + columns,
      items: inFull.map((row) => tableRow({ whole: row, rows: [row] }, kind, scene)),
      tail: '\n</details>\n\n',
      rank: rank + 6,
      left,
    },
  ];
}

/** Nothing opens or closes: who wants to know looks inside. */
export function answeredSection(scene: RenderContext): readonly Section[] {
  const kind = 'answeredDifferently';
  const rows = trafficRows(scene.plan, kind);
  if (rows.length === 0) return [];
  const summary = `${TRAFFIC_TITLES[kind]}: ${count(rows.length, 'kind')} of traffic that stays refused`;
  return [
    {
      head: `<details><summary>${summary}</summary>\n\n| Traffic | Hosts | Decided by |\n| :-- | :-- | :-- |\n`,
      items: rows.map((row) => tableRow({ whole: row, rows: [row] }, kind, scene)),
      tail: '\n</details>\n\n',
      rank: 12,
      left: scene.rest('row', 'row'),
    },
  ];
}

const tableRow = (group: TrafficGroup, kind: TrafficKind, scene: RenderContext): string =>
  `| ${trafficCell(group, kind, scene)} | ${hostsCell(group.whole.hosts)} | ${ruleCell(group.whole, kind, scene)} |\n`;

function trafficCell({ whole, rows }: TrafficGroup, kind: TrafficKind, { naming }: RenderContext): string {
  const name = serviceName(whole, naming);
  const what = prose(protocolText(whole));
  const service = name === undefined ? `**${what}**` : `**${prose(name)}** (${what})`;
  const ends = endpoints(whole, naming, ({ text, named }) => (named ? `**${prose(text)}**` : code(text)));
  const several = rows.length > 1;
  const still = several && cause(whole, kind).gone ? ', but for what other rules allow' : '';
  const extra = [
    ...conditions(whole, naming, kind, rows).map(prose),
    ...(several ? [`${grouped(rows.length)} rows`] : []),
  ];
  return [
    `${service} ${ends}${still}`,
    ...(extra.length === 0 ? [] : [`<sub>${extra.join(' · ')}</sub>`]),
    `<sub>for example ${prose(exampleText(whole))}</sub>`,
  ].join('<br>');
}

function hostsCell(hosts: readonly string[]): string {
  if (hosts.length <= 3) return hosts.map(code).join(', ');
  const [first = '', last = ''] = [hosts[0], hosts.at(-1)];
  return `**${count(hosts.length, 'host')}**<br><sub>${code(first)} … ${code(last)}</sub>`;
}

function ruleCell(row: TrafficRow, kind: TrafficKind, { linkTo }: RenderContext): string {
  const { rules, gone } = cause(row, kind);
  const verb = closes(kind) ? [`<sub>${gone ? 'no longer allowed by' : 'refused by'}</sub>`] : [];
  const deciders = rules.slice(0, 2).map((rule) => decider(rule, linkTo));
  const more = rules.length > 2 ? [`and ${count(rules.length - 2, 'more rule')}`] : [];
  const before = untilNow(row, kind).map(words);
  const until = before.length === 0 ? [] : [`<sub>until now ${UNTIL[kind]} ${before.join(' and ')}</sub>`];
  return [...verb, ...(deciders.length === 0 ? ['no rule'] : deciders), ...more, ...until].join('<br>');
}

/** A rule that a host alone has stands in no file that could be opened. */
function decider(rule: DecidingRule, linkTo: LinkTo | undefined): string {
  const { source } = rule;
  const location = source === undefined || isOfHost(source) ? '' : `${locationLink(source, linkTo)}<br>`;
  return location + words(rule);
}

/** The rule in the words of the policy, or as it stands where the policy has none for it. */
function words(rule: DecidingRule): string {
  const reason = ruleReason(rule);
  return reason === undefined ? code(clip(ruleText(rule), 200)) : prose(clip(reason, 200));
}
