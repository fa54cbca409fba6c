/** Problems as Markdown, for the job summary and for the comment of a plan that could not be made. */
import { byLocation, type Problem } from '../../lib/problem.js';
import { count } from '../../lib/text.js';
import { type FindingRow, SEVERITY } from '../view/group.js';
import { assemble, COMMENT_BUDGET } from './budget.js';
import { code, type LinkTo, locationLink, prose } from './escape.js';
import { heading, listSection, type MarkdownOptions } from './sections.js';

const MARKS = { error: '❌', warning: '⚠️', note: 'ℹ️' } as const;
const LEVELS = ['error', 'warning', 'note'] as const;

/** `3 errors, 1 warning`; `No problems`. */
function problemsVerdict(problems: readonly Problem[]): string {
  const parts = LEVELS.map((level) => [level, problems.filter((one) => one.level === level).length] as const)
    .filter(([, number]) => number > 0)
    .map(([level, number]) => count(number, level));
  return parts.length === 0 ? 'No problems' : parts.join(', ');
}

/** A list under a heading: errors first, each with its location and hint. */
export function problemsMarkdown(
  title: string,
  problems: readonly Problem[],
  { linkTo, budget = COMMENT_BUDGET }: Pick<MarkdownOptions, 'budget' | 'linkTo'> = {},
): string {
  const items = problems
    .toSorted((a, b) => SEVERITY[a.level] - SEVERITY[b.level] || byLocation(a, b))
    .map(({ location, ...rest }) =>
      findingLine({ finding: { ...rest, source: location }, hosts: [] }, linkTo),
    );
  const bad = problems.some(({ level }) => level === 'error');
  const alert = bad ? 'CAUTION' : problems.length > 0 ? 'NOTE' : 'TIP';
  const left = (number: number): string => `${count(number, 'more problem')}: see the log of the job.`;
  return assemble(
    [heading(prose(title), {}, alert, problemsVerdict(problems)), listSection('', items, '', 0, left)],
    budget,
  );
}

/** A finding as an item of a list, with the hosts that have it. */
export function findingLine({ finding, hosts }: FindingRow, linkTo: LinkTo | undefined): string {
  const { level, source, message, hint } = finding;
  // What a host printed is in no file of the repository.
  const location =
    source === undefined ? '' : ` ${locationLink(source, source.kind === 'policy' ? linkTo : undefined)}`;
  const names = hosts.length <= 3 ? hosts.map(code).join(', ') : count(hosts.length, 'host');
  return `- ${MARKS[level]}${location} ${prose(message)}${hint === undefined ? '' : ` ${prose(hint)}`}${hosts.length === 0 ? '' : ` (${names})`}\n`;
}
