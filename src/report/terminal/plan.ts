/** A plan as terminal text: verdict, what is not known, traffic, findings, rules. */
import { count, grouped, shortDigest } from '../../lib/text.js';
import { visible, visibleLines } from '../../lib/visible.js';
import type { Plan } from '../../rollout/results/model.js';
import { locationText } from '../view/format.js';
import type { FindingRow } from '../view/group.js';
import {
  type DiffItem,
  type HostNote,
  type PlanSection,
  planView,
  type RuleItem,
  type TrafficItem,
  type TrafficSection,
} from '../view/plan-view.js';
import type { TrafficKind } from '../view/traffic-rows.js';
import { hostLines, type Paint, paint, type TextOptions } from './paint.js';

/** The view of a plan as terminal text. */
export function planText(plan: Plan, options: TextOptions): string {
  const colours = paint(options);
  const view = planView(plan, 'terminal');
  const verdict = `${view.verdict}.`;
  return [
    `${colours.bold(view.level === 'error' ? colours.red(verdict) : verdict)}\n${colours.dim(`Plan ${shortDigest(visible(view.digest))}`)}\n`,
    ...view.sections.flatMap((section) => sectionBlocks(section, colours, options)),
  ].join('\n');
}

/** The blocks of a section, each with a line break at its end. */
export function sectionBlocks(section: PlanSection, colours: Paint, options: TextOptions): readonly string[] {
  const block = (lines: readonly string[]): readonly string[] => [
    `${colours.bold(section.title)}\n${lines.join('')}`,
  ];
  switch (section.kind) {
    case 'notes':
      return block(section.items.map((note) => noteText(note, colours)));
    case 'traffic':
      return [trafficBlock(section, colours, options)];
    case 'findings':
      return block(section.items.map((row) => findingText(row, colours)));
    case 'rules':
      return section.items.map((item) => rulesBlock(item, colours, options));
    case 'unmanaged':
      return [colours.dim(`${section.title}.\n`)];
  }
}

function noteText({ hosts, state, details }: HostNote, colours: Paint): string {
  const head = `  ${colours.red(visible(hosts.join(', ')))} ${state}`;
  const [only = '', ...others] = details.map(visible);
  if (others.length === 0) return `${head}${only === '' ? '' : `: ${only}`}\n`;
  return `${head}:\n${[only, ...others].map((detail) => `    ${detail}\n`).join('')}`;
}

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

function trafficBlock(section: TrafficSection, colours: Paint, options: TextOptions): string {
  const { title, change, total, note, items } = section;
  const colour = (text: string): string => colours[COLOURS[change]](`${SIGNS[change]} ${text}`);
  return [
    `${colours.bold(`${title}: ${grouped(total)}`)}\n`,
    note === undefined ? '' : colours.dim(`  ${note}\n`),
    ...items.map((item) => trafficLines(item, colour, colours, options)),
  ].join('');
}

function trafficLines(
  item: TrafficItem,
  colour: (text: string) => string,
  colours: Paint,
  options: TextOptions,
): string {
  const { service, protocol, endpoints, conditions, hosts, verb, rules, omittedRules } = item;
  const ends = endpoints.map((part) => (typeof part === 'string' ? part : part.text)).join('');
  const what = `${service === undefined ? protocol : `${service} (${protocol})`} ${ends}`;
  const [first = '', ...others] = hosts;
  const lead = others.length === 0 ? '' : `${count(hosts.length, 'host')}: `;
  const more = omittedRules === 0 ? '' : ` and ${count(omittedRules, 'more rule')}`;
  const dim = (text: string): string => colours.dim(`      ${visible(text)}`);
  return [
    `  ${colour(visible(what))}${conditions.length === 0 ? '' : ` (${conditions.map(visible).join(', ')})`}`,
    hostLines([lead + first, ...others], '      ', options),
    ...rules.map((rule) => `      ${verb} ${ruleLine(rule, colours)}${more}`),
    ...item.former.map((rule) => dim(`until now ${item.formerVerb} ${rule.reason ?? rule.text}`)),
    dim(`for example ${item.example}`),
    '',
  ].join('\n');
}

function ruleLine({ source, reason, text }: RuleItem, colours: Paint): string {
  const location = source === undefined ? '' : `${colours.cyan(visible(locationText(source)))} `;
  return location + visible(reason ?? text);
}

/** The colour of each level of problems. */
const LEVEL_COLOUR = { error: 'red', warning: 'yellow', note: 'cyan' } as const;

function findingText({ finding, hosts }: FindingRow, colours: Paint): string {
  const { level, source, message, hint } = finding;
  const location = source === undefined ? '' : `${visible(locationText(source))}: `;
  const where = hosts.length === 1 ? visible(hosts[0] ?? '') : count(hosts.length, 'host');
  return `  ${location}${colours[LEVEL_COLOUR[level]](level)}: ${visible(message)} (${where})\n${hint === undefined ? '' : `    ${colours.dim(visible(hint))}\n`}`;
}

function rulesBlock({ hosts, counts, text }: DiffItem, colours: Paint, options: TextOptions): string {
  const names = hosts.length === 0 ? '' : `${hostLines(hosts, '  ', options)}\n`;
  return `${colours.bold(`Rules: ${counts}`)}\n${names}${diffLines(text, '  ', colours)}`;
}

/** The lines of a diff, indented and in colour. */
export const diffLines = (text: string, indent: string, colours: Paint): string =>
  visibleLines(text)
    .split('\n')
    .map((line) => `${indent}${diffColour(line, colours)}\n`)
    .join('');

function diffColour(line: string, colours: Paint): string {
  if (line.startsWith('+')) return colours.green(line);
  if (line.startsWith('-')) return colours.red(line);
  return line.startsWith('@@') ? colours.cyan(line) : colours.dim(line);
}
