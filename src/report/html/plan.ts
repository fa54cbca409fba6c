/** A plan as one HTML file without dependencies: all of it, with a search, for fleets too large for a comment. */
import { count, grouped, shortCommit } from '../../lib/text.js';
import { visible, visibleLines } from '../../lib/visible.js';
import type { Plan } from '../../rollout/results/model.js';
import { locationText } from '../view/format.js';
import type { FindingRow } from '../view/group.js';
import {
  type DiffItem,
  type Figure,
  type HostItem,
  type HostNote,
  type PlanSection,
  planView,
  type RuleItem,
  type TrafficItem,
  type TrafficSection,
  type UnmanagedItem,
} from '../view/plan-view.js';
import style from './page.css';

/** The view of a plan as an HTML page. */
export function planPage(plan: Plan): string {
  const view = planView(plan, 'page');
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
<p class="verdict">${text(view.verdict)}.</p>
<p class="soft">${text(view.digest)}${view.commit === null ? '' : `, commit ${text(shortCommit(view.commit))}`}</p>
<ul class="numbers">${view.figures.map(figure).join('')}</ul>
<div class="search"><input type="search" id="search" placeholder="Search hosts, ports, addresses, rules" aria-label="Search"> <output id="found" class="soft"></output></div>
${view.sections.map(planSection).join('\n')}
${sectionHtml('Hosts', view.hosts.map(hostHtml))}
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

/** Shows items that contain every word, and hides sections without any. Texts are read once, at the first letter. */
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

const figure = ({ kind, number, label }: Figure): string =>
  `<li class="${kind}"><b>${grouped(number)}</b>${label}</li>`;

const sectionHtml = (title: string, items: readonly string[]): string =>
  `<section><h2>${title}</h2>\n${items.join('\n')}\n</section>`;

const planSection = (section: PlanSection): string =>
  sectionHtml(
    section.kind === 'traffic' ? `${section.title}: ${grouped(section.total)}` : section.title,
    itemsOf(section),
  );

function itemsOf(section: PlanSection): readonly string[] {
  switch (section.kind) {
    case 'notes':
      return section.items.map(noteHtml);
    case 'traffic':
      return [trafficTable(section)];
    case 'findings':
      return section.items.map(findingHtml);
    case 'rules':
      return section.items.map(diffHtml);
    case 'unmanaged':
      return section.items.map(unmanagedHtml);
  }
}

const names = (hosts: readonly string[]): string => hosts.map(text).join(', ');
const soft = (html: string): string => `<span class="soft">${html}</span>`;

const noteHtml = ({ hosts, state, details }: HostNote): string =>
  `<p data-item><b>${names(hosts)}</b> ${rich(state)}${details.length === 0 ? '' : `: ${details.map(text).join(' ')}`}</p>`;

function trafficTable({ column, note, items }: TrafficSection): string {
  const head = `<tr><th>Traffic</th><th>Hosts</th><th>${column ?? 'Why'}</th></tr>`;
  const body = items.map(
    (item) =>
      `<tr data-item><td>${trafficCell(item)}</td><td>${names(item.hosts)}</td><td>${ruleCell(item, column === undefined)}</td></tr>`,
  );
  return `${note === undefined ? '' : `<p class="soft">${note}</p>`}<table><thead>${head}</thead><tbody>${body.join('\n')}</tbody></table>`;
}

function trafficCell({ service, protocol, endpoints, conditions, example }: TrafficItem): string {
  const what =
    service === undefined ? `<b>${text(protocol)}</b>` : `<b>${text(service)}</b> (${text(protocol)})`;
  const ends = endpoints.map((part) => {
    const html = text(typeof part === 'string' ? part : part.text);
    return typeof part !== 'string' && part.named ? `<b>${html}</b>` : html;
  });
  return [
    `${what} ${ends.join('')}`,
    ...(conditions.length === 0 ? [] : [soft(conditions.map(text).join(' · '))]),
    soft(`for example ${text(example)}`),
  ].join('<br>');
}

function ruleCell({ verb, rules, former, formerVerb }: TrafficItem, withVerb: boolean): string {
  const until =
    former.length === 0 ? '' : `<br>${soft(`until now ${formerVerb}`)} ${former.map(ruleHtml).join('<br>')}`;
  return `${withVerb ? `${verb} ` : ''}${rules.map(ruleHtml).join('<br>')}${until}`;
}

function ruleHtml({ source, reason, text: rule }: RuleItem): string {
  const location = source === undefined ? '' : `${soft(text(locationText(source)))}<br>`;
  return `${location}${reason === undefined ? '' : `${text(reason)}<br>`}<code>${text(rule)}</code>`;
}

function findingHtml({ finding: { level, source, message, hint }, hosts }: FindingRow): string {
  const location = source === undefined ? '' : `${soft(text(locationText(source)))} `;
  const mark = level === 'error' ? '<b class="bad">error</b>' : `<b>${level}</b>`;
  return `<p data-item>${mark} ${location}${rich(message)}${hint === undefined ? '' : ` ${rich(hint)}`} ${soft(names(hosts))}</p>`;
}

function diffHtml({ hosts, counts, text: diff, open }: DiffItem): string {
  const lines = visibleLines(diff).split('\n').map(diffLine).join('\n');
  const title = hosts.length === 1 ? names(hosts) : count(hosts.length, 'host');
  return `<details data-item${open ? ' open' : ''}><summary>${title}: ${counts}</summary><p class="soft">${names(hosts)}</p><pre>${lines}</pre></details>`;
}

const CLASSES: { readonly [sign: string]: string } = { '+': 'add', '-': 'del', '@': 'at' };

function diffLine(line: string): string {
  const kind = CLASSES[line.charAt(0)];
  return kind === undefined ? text(line) : `<span class="${kind}">${text(line)}</span>`;
}

const unmanagedHtml = ({ hosts, rules, chains }: UnmanagedItem): string =>
  `<p data-item><b>${names(hosts)}</b> ${count(rules, 'rule')}${chains.length === 0 ? '' : ` in ${names(chains)}`}</p>`;

function hostHtml({ host, status, bad, lockout }: HostItem): string {
  const state = bad ? `<b class="bad">${status}</b>` : status;
  return `<p data-item><b>${text(host)}</b><span class="tag">${state}</span>${lockout === undefined ? '' : ` ${soft(`lock-out: ${lockout}`)}`}</p>`;
}
