/** A plan as terminal text: verdict, what cannot be seen, traffic, findings, rules. */

import { count, grouped, shortDigest } from '../../lib/text.js';
import { visible, visibleLines } from '../../lib/visible.js';
import { type Naming, namingOf } from '../../naming/phrases.js';
import type { Plan } from '../../rollout/results/model.js';
import type { DecidingRule } from '../../traffic/model.js';
import {
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
import { planTotals, planVerdict } from '../view/totals.js';
import {
  cause,
  TRAFFIC_KINDS,
  type TrafficGroup,
  type TrafficKind,
  trafficGroups,
  trafficRows,
  untilNow,
} from '../view/traffic-rows.js';
import { hostLines, type Paint, paint, type TextOptions } from './paint.js';

export function planText(plan: Plan, options: TextOptions): string {
  const colours = paint(options);
  const totals = planTotals(plan);
  const bad = totals.lockout.violated.length + totals.findings.error > 0;
  const verdict = `${planVerdict(totals)}.`;
  const parts = [
    `${colours.bold(bad ? colours.red(verdict) : verdict)}\n${colours.dim(`Plan ${shortDigest(visible(plan.digest))}`)}\n`,
    unread(plan, colours),
    lockout(plan, colours),
    ...trafficBlocks(plan, colours, options),
    unproved(plan, colours),
    findings(findingRows(plan.hosts), colours),
    ...diffGroups(plan).map((group) => rulesBlock(group, colours, options)),
    foreign(plan, colours),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

const TITLES: { readonly [kind in TrafficKind]: string } = {
  opened: 'Opens',
  possiblyOpened: 'Possibly opens (depends on matches that cannot be modelled)',
  closed: 'Closes',
  possiblyClosed: 'Possibly closes (depends on matches that cannot be modelled)',
  answeredDifferently: 'Refuses in another way (no traffic opens or closes)',
};

const SIGNS: { readonly [kind in TrafficKind]: string } = {
  opened: '+',
  possiblyOpened: '+?',
  closed: '-',
  possiblyClosed: '-?',
  answeredDifferently: '~',
};

/** Opening is what needs a second look, so it is the one in amber. */
const COLOURS: { readonly [kind in TrafficKind]: 'yellow' | 'green' | 'cyan' } = {
  opened: 'yellow',
  possiblyOpened: 'yellow',
  closed: 'green',
  possiblyClosed: 'green',
  answeredDifferently: 'cyan',
};

const VERBS: { readonly [kind in TrafficKind]: string } = {
  opened: 'allowed by',
  possiblyOpened: 'perhaps allowed by',
  closed: 'refused by',
  possiblyClosed: 'perhaps refused by',
  answeredDifferently: 'decided by',
};

function unread(plan: Plan, colours: Paint): string {
  const lines = plan.hosts
    .filter(({ status }) => status === 'unreachable' || status === 'error')
    .map(
      ({ host, status, reason }) => `  ${colours.red(visible(host))} ${status}: ${visible(reason ?? '')}\n`,
    );
  return lines.length === 0 ? '' : `${colours.bold('Without a plan')}\n${lines.join('')}`;
}

function lockout(plan: Plan, colours: Paint): string {
  const lines = plan.hosts.flatMap(({ host, lockout: proof }) =>
    proof === undefined || proof.verdict === 'proved'
      ? []
      : [
          `  ${colours.red(visible(host))} ${proof.verdict === 'violated' ? 'locks SSH out' : 'could not be proved safe'}${proof.accepted ? ' (accepted)' : ''}\n`,
          ...proof.reasons.map((reason) => `    ${visible(reason)}\n`),
        ],
  );
  return lines.length === 0 ? '' : `${colours.bold('Lock-out proof')}\n${lines.join('')}`;
}

/** A block for each kind of traffic that there is. */
export function trafficBlocks(plan: Plan, colours: Paint, options: TextOptions): readonly string[] {
  const naming = namingOf(plan.names);
  return TRAFFIC_KINDS.map((kind) => {
    const rows = trafficRows(plan, kind);
    if (rows.length === 0) return '';
    const title = `${colours.bold(`${TITLES[kind]}: ${grouped(rows.length)}`)}\n`;
    const lines = trafficGroups(rows, kind).map((group) =>
      trafficLines(group, kind, naming, colours, options),
    );
    return title + lines.join('');
  });
}

function trafficLines(
  { whole: row, rows }: TrafficGroup,
  kind: TrafficKind,
  naming: Naming,
  colours: Paint,
  options: TextOptions,
): string {
  const name = serviceName(row, naming);
  const service = name === undefined ? protocolText(row) : `${name} (${protocolText(row)})`;
  const { rules, gone } = cause(row, kind);
  const still = rows.length > 1 && gone ? ', but for what other rules allow' : '';
  const what = visible(`${service} ${endpoints(row, naming, ({ text }) => text)}${still}`);
  const extra = [
    ...conditions(row, naming, kind, rows).map(visible),
    ...(rows.length === 1 ? [] : [`${grouped(rows.length)} rows`]),
  ];
  const [rule] = rules;
  const where = row.hosts.length === 1 ? '' : `${count(row.hosts.length, 'host')}: `;
  return [
    `  ${colours[COLOURS[kind]](`${SIGNS[kind]} ${what}`)}${extra.length === 0 ? '' : ` (${extra.join(', ')})`}`,
    hostLines([where + (row.hosts[0] ?? ''), ...row.hosts.slice(1)], '      ', options),
    ...(rule === undefined
      ? []
      : [`      ${gone ? 'no longer allowed by' : VERBS[kind]} ${decider(rule, colours)}`]),
    ...untilNow(row, kind).map((before) =>
      colours.dim(`      until now: ${visible(ruleReason(before) ?? ruleText(before))}`),
    ),
    colours.dim(`      for example ${visible(exampleText(row))}`),
    '',
  ].join('\n');
}

function decider(rule: DecidingRule, colours: Paint): string {
  const location = rule.source === undefined ? '' : `${colours.cyan(visible(locationText(rule.source)))} `;
  return location + visible(ruleReason(rule) ?? ruleText(rule));
}

function unproved(plan: Plan, colours: Paint): string {
  const lines = plan.hosts
    .filter((host) => host.traffic?.proved === false)
    .map((host) => `  ${visible(host.host)} ${visible(host.traffic?.why ?? '')}\n`);
  const cut = plan.hosts
    .filter((host) => (host.traffic?.omitted ?? 0) > 0)
    .map(
      (host) => `  ${visible(host.host)} ${count(host.traffic?.omitted ?? 0, 'row')} beyond those counted\n`,
    );
  return [
    lines.length === 0 ? '' : `${colours.bold('Traffic not fully proved')}\n${lines.join('')}`,
    cut.length === 0 ? '' : `${colours.bold('More traffic than can be listed')}\n${cut.join('')}`,
  ]
    .filter((part) => part !== '')
    .join('\n');
}

export const LEVEL_COLOUR = { error: 'red', warning: 'yellow', note: 'cyan' } as const;

function findings(rows: readonly FindingRow[], colours: Paint): string {
  if (rows.length === 0) return '';
  const line = ({ finding, hosts }: FindingRow): string => {
    const location = finding.source === undefined ? '' : `${visible(locationText(finding.source))}: `;
    const hint = finding.hint === undefined ? '' : `    ${colours.dim(visible(finding.hint))}\n`;
    const where = hosts.length === 1 ? visible(hosts[0] ?? '') : count(hosts.length, 'host');
    return `  ${location}${colours[LEVEL_COLOUR[finding.level]](finding.level)}: ${visible(finding.message)} (${where})\n${hint}`;
  };
  return `${colours.bold('Findings')}\n${rows.map(line).join('')}`;
}

export function rulesBlock(group: DiffGroup, colours: Paint, options: TextOptions): string {
  const title = `Rules +${group.added} -${group.removed}${group.moved > 0 ? ` ${group.moved} moved` : ''}`;
  const body = visibleLines(diffText(group))
    .split('\n')
    .map((line) => `  ${diffColour(line, colours)}\n`)
    .join('');
  const hosts = group.hosts.length === 0 ? '' : `${hostLines(group.hosts, '  ', options)}\n`;
  return `${colours.bold(title)}\n${hosts}${body}`;
}

export function diffColour(line: string, colours: Paint): string {
  if (line.startsWith('+')) return colours.green(line);
  if (line.startsWith('-')) return colours.red(line);
  return line.startsWith('@@') ? colours.cyan(line) : colours.dim(line);
}

function foreign(plan: Plan, colours: Paint): string {
  const hosts = plan.hosts.filter(
    (host) => host.foreign !== undefined && host.foreign.rules + host.foreign.chains.length > 0,
  );
  if (hosts.length === 0) return '';
  const total = hosts.reduce((sum, host) => sum + (host.foreign?.rules ?? 0), 0);
  return colours.dim(
    `Left alone: ${count(total, 'rule')} that are not the policy's, on ${count(hosts.length, 'host')}.\n`,
  );
}
