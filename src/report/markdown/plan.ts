/** A plan as Markdown: the pull request's comment, and the longer job summary. */
import type { Problem } from '../../lib/problem.js';
import { count, grouped, list, shortCommit, shortDigest } from '../../lib/text.js';
import type { Plan } from '../../rollout/results/model.js';
import {
  type DiffItem,
  type HostNote,
  type PlanSection,
  type PlanView,
  planView,
  type UnmanagedItem,
} from '../view/plan-view.js';
import { assemble, COMMENT_BUDGET, type Section } from './budget.js';
import { clip, code, fence, hostNames, html, prose } from './escape.js';
import { findingLine } from './problems.js';
import { type Alert, fixed, heading, listSection, type MarkdownOptions, notShown } from './sections.js';
import { trafficSections } from './traffic.js';

export interface PlanMarkdownOptions extends MarkdownOptions {
  /** Problems of the policy itself, whatever the hosts run; notes are left out. */
  readonly policy?: readonly Problem[];
}

/** The view of a plan as Markdown within the budget; every total counts everything, shown or not. */
export function planMarkdown(plan: Plan, options: PlanMarkdownOptions = {}): string {
  const view = planView(plan, 'comment', options.policy);
  const commit = view.commit === null ? '' : ` of commit ${code(shortCommit(view.commit))}`;
  const digest = code(clip(shortDigest(view.digest), 100));
  return assemble(
    [
      heading('Firewall plan', options, ALERTS[view.level], view.verdict),
      ...view.sections.flatMap((section) => sectionsOf(section, options)),
      fixed(`<sub>Plan ${digest}${commit}, against the live state of the hosts.</sub>\n`),
    ],
    options.budget ?? COMMENT_BUDGET,
  );
}

const ALERTS: { readonly [level in PlanView['level']]: Alert } = {
  error: 'CAUTION',
  warning: 'WARNING',
  change: 'IMPORTANT',
  none: 'TIP',
};

const NOTE_MARK = { error: '⛔', warning: '⚠️' } as const;

function sectionsOf(section: PlanSection, options: MarkdownOptions): readonly Section[] {
  const { title, rank } = section;
  const { linkTo } = options;
  const left = (noun: string) => notShown(noun, options);
  const head = `### ${title}\n\n`;
  switch (section.kind) {
    case 'notes': {
      const marked = `### ${NOTE_MARK[section.level]} ${title}\n\n`;
      return [listSection(marked, section.items.map(noteLine), '\n', rank, left('line'))];
    }
    case 'traffic':
      return trafficSections(section, left('row'), linkTo);
    case 'findings': {
      const items = section.items.map((row) => findingLine(row, linkTo));
      return [listSection(head, items, '\n', rank, left('finding'))];
    }
    case 'rules': {
      const more = (number: number): string => `\n_${left('rule diff')(number)}_\n`;
      return [{ head, items: section.items.map(diffBlock), tail: '', rank, left: more }];
    }
    case 'unmanaged': {
      const items = section.items.map(unmanagedLine);
      const summary = `<details><summary>${title}</summary>\n\n`;
      return [listSection(summary, items, '\n</details>\n\n', rank, left('line'))];
    }
  }
}

const noteLine = ({ hosts, state, details }: HostNote): string =>
  `- ${hostNames(hosts)} ${prose(state)}${details.length === 0 ? '' : `: ${prose(list(details))}`}\n`;

/** A block that lists every host of a large fleet would be too large to be shown at all. */
const MAX_NAMES = 200;

/** A closed block with one diff; past a few names the hosts are listed inside. */
function diffBlock({ hosts, counts, text }: DiffItem): string {
  const names = hosts
    .slice(0, 4)
    .map((name) => `<code>${html(name)}</code>`)
    .join(', ');
  const many = hosts.length > 4;
  const more = many ? ` and ${grouped(hosts.length - 4)} more` : '';
  const every = many ? `${count(hosts.length, 'host')}: ${list(hosts.map(code), MAX_NAMES)}\n\n` : '';
  return `<details><summary>${names}${more}: ${counts}</summary>\n\n${every}${fence(text, 'diff')}\n\n</details>\n\n`;
}

function unmanagedLine({ hosts, rules, chains, omittedChains }: UnmanagedItem): string {
  const names = [...chains.map(code), ...(omittedChains > 0 ? ['…'] : [])].join(', ');
  return `- ${hostNames(hosts)}: ${count(rules, 'rule')}${names === '' ? '' : ` in ${names}`}\n`;
}
