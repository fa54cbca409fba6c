/** A plan as one HTML file that needs nothing else: the whole of it, with a search, for fleets that no comment holds. */

import { count, grouped, shortCommit } from '../../lib/text.js';
import { visible, visibleLines } from '../../lib/visible.js';
import { type Naming, namingOf } from '../../naming/phrases.js';
import type { HostPlan, Plan } from '../../rollout/results/model.js';
import type { DecidingRule } from '../../traffic/model.js';
import {
  closes,
  conditions,
  endpoints,
  exampleText,
  locationText,
  protocolText,
  ruleReason,
  ruleText,
  serviceName,
} from '../view/format.js';
import { type DiffGroup, diffGroups, type FindingRow, findingRows } from '../view/group.js';
import { diffText } from '../view/rules.js';
import { type PlanTotals, planTotals, planVerdict } from '../view/totals.js';
import {
  cause,
  TRAFFIC_KINDS,
  type TrafficKind,
  type TrafficRow,
  trafficRows,
} from '../view/traffic-rows.js';
import style from './page.css';

export function planPage(plan: Plan): string {
  const totals = planTotals(plan);
  const naming = namingOf(plan.names);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>Firewall plan</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>Firewall plan</h1>
<p class="verdict">${text(planVerdict(totals))}.</p>
<p class="soft">${text(plan.digest)}${plan.commit === null ? '' : `, commit ${text(shortCommit(plan.commit))}`}</p>
${numbers(totals)}
<div class="search"><input type="search" id="search" placeholder="Search hosts, ports, addresses, rules" aria-label="Search"> <output id="found" class="soft"></output></div>
${TRAFFIC_KINDS.map((kind) => traffic(kind, trafficRows(plan, kind), naming)).join('')}
${section('Not proved, or more than can be listed', plan.hosts.flatMap(unsure))}
${findings(findingRows(plan.hosts))}
${section('Rules', rules(diffGroups(plan)))}
${section('Hosts', plan.hosts.map(host))}
</main>
<script>${SEARCH}</script>
</body>
</html>
`;
}

/** Text for HTML, in an element or between double quotes. */
const text = (value: string): string =>
  visible(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** What our own messages put between backticks is code. */
const rich = (value: string): string => text(value).replace(/`([^`]+)`/g, '<code>$1</code>');

/** Every word must be found; parts without anything found go as well. Texts are read once, at the first letter. */
const SEARCH = `
const input = document.getElementById('search');
const found = document.getElementById('found');
let parts;
input.addEventListener('input', () => {
  parts ??= [...document.querySelectorAll('section')].map((part) => ({
    part,
    items: [...part.querySelectorAll('[data-item]')].map((item) => [item, item.textContent.toLowerCase()]),
  }));
  const words = input.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let sum = 0;
  for (const { part, items } of parts) {
    let shown = 0;
    for (const [item, text] of items) {
      item.hidden = !words.every((word) => text.includes(word));
      if (!item.hidden) shown += 1;
    }
    part.hidden = shown === 0;
    sum += shown;
  }
  found.textContent = words.length === 0 ? '' : sum + ' found';
});
`;

const TITLES: { readonly [kind in TrafficKind]: string } = {
  opened: 'Opens',
  possiblyOpened: 'Possibly opens',
  closed: 'Closes',
  possiblyClosed: 'Possibly closes',
  answeredDifferently: 'Refuses in another way',
};

const COLUMN: { readonly [kind in TrafficKind]: string } = {
  opened: 'Allowed by',
  possiblyOpened: 'Perhaps allowed by',
  closed: 'Why',
  possiblyClosed: 'Why',
  answeredDifferently: 'Decided by',
};

function numbers({ traffic, ...totals }: PlanTotals): string {
  const cells: readonly (readonly [string, number, string])[] = [
    ['opened', traffic.opened + traffic.possiblyOpened, 'opened'],
    ['closed', traffic.closed + traffic.possiblyClosed, 'closed'],
    ['', totals.changed, 'hosts change'],
    ['', totals.unchanged, 'unchanged'],
    ['bad', totals.unreachable + totals.error, 'without a plan'],
  ];
  const shown = cells.filter(([, number], index) => index < 4 || number > 0);
  return `<ul class="numbers">${shown.map(([kind, number, words]) => `<li class="${kind}"><b>${grouped(number)}</b>${words}</li>`).join('')}</ul>`;
}

const section = (title: string, items: readonly string[]): string =>
  items.length === 0 ? '' : `<section><h2>${title}</h2>\n${items.join('\n')}\n</section>`;

function traffic(kind: TrafficKind, rows: readonly TrafficRow[], naming: Naming): string {
  if (rows.length === 0) return '';
  const head = `<tr><th>Traffic</th><th>Hosts</th><th>${COLUMN[kind]}</th></tr>`;
  const body = rows.map(
    (row) =>
      `<tr data-item><td>${what(row, kind, naming)}</td><td>${row.hosts.map(text).join(', ')}</td><td>${why(row, kind)}</td></tr>`,
  );
  return section(`${TITLES[kind]}: ${grouped(rows.length)}`, [
    `<table><thead>${head}</thead><tbody>${body.join('\n')}</tbody></table>`,
  ]);
}

function what(row: TrafficRow, kind: TrafficKind, naming: Naming): string {
  const extra = conditions(row, naming, kind);
  const name = serviceName(row, naming);
  const service = text(protocolText(row));
  return [
    name === undefined ? `<b>${service}</b>` : `<b>${text(name)}</b> (${service})`,
    ` ${endpoints(row, naming, ({ text: one, named }) => (named ? `<b>${text(one)}</b>` : text(one)))}`,
    extra.length === 0 ? '' : `<br><span class="soft">${extra.map(text).join(' · ')}</span>`,
    `<br><span class="soft">for example ${text(exampleText(row))}</span>`,
  ].join('');
}

function why(row: TrafficRow, kind: TrafficKind): string {
  const { rules, gone } = cause(row, kind);
  const verb = closes(kind) ? (gone ? 'no longer allowed by ' : 'refused by ') : '';
  const before = gone ? [] : row.before;
  const until =
    before.length === 0 ? '' : `<br><span class="soft">until now:</span> ${before.map(decider).join('<br>')}`;
  return verb + rules.map(decider).join('<br>') + until;
}

function decider(rule: DecidingRule): string {
  const reason = ruleReason(rule);
  const location =
    rule.source === undefined ? '' : `<span class="soft">${text(locationText(rule.source))}</span><br>`;
  return `${location}${reason === undefined ? '' : `${text(reason)}<br>`}<code>${text(ruleText(rule))}</code>`;
}

function findings(rows: readonly FindingRow[]): string {
  if (rows.length === 0) return '';
  const line = ({ finding, hosts }: FindingRow): string => {
    const location =
      finding.source === undefined ? '' : `<span class="soft">${text(locationText(finding.source))}</span> `;
    const hint = finding.hint === undefined ? '' : ` ${rich(finding.hint)}`;
    const level = finding.level === 'error' ? '<b class="bad">error</b>' : `<b>${finding.level}</b>`;
    return `<p data-item>${level} ${location}${rich(finding.message)}${hint} <span class="soft">${hosts.map(text).join(', ')}</span></p>`;
  };
  return section('Findings', rows.map(line));
}

/** What nobody may take for all there is. */
function unsure({ host: name, traffic: diff }: HostPlan): readonly string[] {
  const words = [
    ...(diff?.proved === false ? [diff.why ?? 'The proof was ended.'] : []),
    ...((diff?.omitted ?? 0) > 0 ? [`${count(diff?.omitted ?? 0, 'more row')} of traffic.`] : []),
  ];
  return words.length === 0 ? [] : [`<p data-item><b>${text(name)}</b> ${text(words.join(' '))}</p>`];
}

/** More than this, opened, is nothing that anyone would scroll through. */
const MOST_OPEN = 20;

const rules = (groups: readonly DiffGroup[]): readonly string[] =>
  groups.map((group) => diff(group, groups.length <= MOST_OPEN));

function diff(group: DiffGroup, open: boolean): string {
  const lines = visibleLines(diffText(group)).split('\n').map(diffLine).join('\n');
  const [first = ''] = group.hosts;
  const who = group.hosts.length === 1 ? first : count(group.hosts.length, 'host');
  const title = text(`${who}: +${group.added} −${group.removed}`);
  return `<details data-item${open ? ' open' : ''}><summary>${title}</summary><p class="soft">${group.hosts.map(text).join(', ')}</p><pre>${lines}</pre></details>`;
}

const CLASSES: { readonly [sign: string]: string } = { '+': 'add', '-': 'del', '@': 'at' };

function diffLine(line: string): string {
  const kind = CLASSES[line.charAt(0)];
  return kind === undefined ? text(line) : `<span class="${kind}">${text(line)}</span>`;
}

function host({ host: name, status, reason, lockout, foreign }: HostPlan): string {
  const facts = [
    ...(reason === undefined ? [] : [reason]),
    ...(lockout === undefined
      ? []
      : [`Lock-out: ${lockout.verdict}${lockout.accepted ? ', accepted' : ''}.`, ...lockout.reasons]),
    ...(foreign === undefined || foreign.rules + foreign.chains.length === 0
      ? []
      : [`Left alone: ${count(foreign.rules, 'rule')}; ${foreign.chains.join(', ')}.`]),
  ];
  const state = status === 'unreachable' || status === 'error' ? `<b class="bad">${status}</b>` : status;
  return `<p data-item><b>${text(name)}</b><span class="tag">${state}</span> <span class="soft">${facts.map(text).join(' ')}</span></p>`;
}
