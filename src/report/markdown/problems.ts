/** Problems as Markdown, for the job summary and for the comment of a plan that could not be made. */
import { byLocation, type Problem } from '../../lib/problem.js';
import { count } from '../../lib/text.js';
import { assemble, type Budget, COMMENT_BUDGET } from './budget.js';
import { type LinkTo, locationLink, prose } from './escape.js';

export interface ProblemsMarkdownOptions {
  /** Default: a comment's. */
  readonly budget?: Budget;
  readonly linkTo?: LinkTo;
}

/** How severe a problem is, as an emoji. */
export const LEVEL_MARK = { error: '❌', warning: '⚠️', note: 'ℹ️' } as const;
const LEVELS = ['error', 'warning', 'note'] as const;

/** `3 errors, 1 warning`; `No problems`. */
export function problemsVerdict(problems: readonly Problem[]): string {
  const parts = LEVELS.map((level) => ({
    level,
    number: problems.filter((one) => one.level === level).length,
  }))
    .filter(({ number }) => number > 0)
    .map(({ level, number }) => count(number, level));
  return parts.length === 0 ? 'No problems' : parts.join(', ');
}

/** A list under a heading: errors first, each with its place and how to mend it. */
export function problemsMarkdown(
  heading: string,
  problems: readonly Problem[],
  options: ProblemsMarkdownOptions = {},
): string {
  const sorted = problems.toSorted(
    (a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level) || byLocation(a, b),
  );
  const line = (problem: Problem): string => {
    const location =
      problem.location === undefined ? '' : ` ${locationLink(problem.location, options.linkTo)}`;
    const hint = problem.hint === undefined ? '' : ` ${prose(problem.hint)}`;
    return `- ${LEVEL_MARK[problem.level]}${location} ${prose(problem.message)}${hint}\n`;
  };
  const alert = problems.some(({ level }) => level === 'error')
    ? 'CAUTION'
    : problems.length > 0
      ? 'NOTE'
      : 'TIP';
  return assemble(
    [
      {
        head: `## ${prose(heading)}\n\n> [!${alert}]\n> **${problemsVerdict(problems)}.**\n\n`,
        items: sorted.map(line),
        tail: '',
        rank: 0,
        left: (left) => `- _${count(left, 'more problem')}: see the log of the job._\n`,
      },
    ],
    options.budget ?? COMMENT_BUDGET,
  );
}
