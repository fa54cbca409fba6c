/** Where the action reports to. A report that cannot be posted is logged and fails nothing. */
import type { Marker } from '../../github/client.js';
import {
  formatProblem,
  type Level,
  type Problem,
  type Result,
  type SourceLocation,
} from '../../lib/problem.js';
import { SUMMARY_BUDGET } from '../../report/markdown/budget.js';
import type { LinkTo } from '../../report/markdown/escape.js';
import { problemsMarkdown } from '../../report/markdown/problems.js';
import type { Context } from '../context.js';
import type { GitHubEvent } from '../event/event.js';
import { redactAll } from '../secrets.js';

/** The line in the repository, at the commit that people look at. */
export function linkTo({ event }: Context): LinkTo {
  const commit = event.pull?.headCommit ?? event.commit;
  return ({ file, line }: SourceLocation) => {
    const path = file
      .replace(/^\.\//, '')
      .split('/')
      .map((part) =>
        encodeURIComponent(part).replace(/[()'!*~]/g, (one) => `%${one.charCodeAt(0).toString(16)}`),
      )
      .join('/');
    return file.startsWith('/') || file.split('/').includes('..')
      ? undefined
      : `${event.serverUrl}/${event.repository}/blob/${commit}/${path}#L${line}`;
  };
}

/** GitHub shows ten annotations of a kind for a step. https://github.com/orgs/community/discussions/26680 */
const ANNOTATIONS = 10;
const LEVELS: readonly Level[] = ['error', 'warning', 'note'];

/** Problems as annotations, the most severe first, and those past GitHub's limit as lines of the log. */
export function annotate({ runner }: Context, problems: readonly Problem[]): void {
  for (const level of LEVELS) {
    const distinct = [
      ...new Map(
        problems.filter((one) => one.level === level).map((one) => [formatProblem(one), one]),
      ).values(),
    ];
    for (const problem of distinct.slice(0, ANNOTATIONS)) runner.annotate(problem);
    for (const problem of distinct.slice(ANNOTATIONS)) runner.log(formatProblem(problem));
  }
}

/** Logs what GitHub refused, and adds it to the summary, which holds the report as well. */
export async function reportProblems<T>(context: Context, result: Result<T>): Promise<T | undefined> {
  if (result.ok) return result.value;
  const problems = redactAll(result.problems, context.redact);
  annotate(context, problems);
  await summarise(context, problemsMarkdown('Not posted', problems, { budget: SUMMARY_BUDGET }));
  return undefined;
}

/** Appends to the job summary, without secrets. */
export const summarise = ({ runner, redact }: Context, markdown: string): Promise<void> =>
  runner.summary(redact(markdown));

/** A run for a pull request from a fork gets a token that may only read; a run that follows one gets its own. */
export const mayWrite = ({ pull, origin }: GitHubEvent): boolean =>
  pull?.fork !== true || origin !== undefined;

/** Posts the sticky comment, if there is a pull request, a token that may write, and comments are enabled. */
export async function comment(
  context: Context,
  pull: number | undefined,
  marker: Marker,
  markdown: string,
): Promise<void> {
  const { inputs, event, github, redact, runner } = context;
  if (pull === undefined || !inputs.comment) return;
  if (!mayWrite(event)) {
    runner.log('The token of a pull request from a fork cannot comment: the report is in the job summary.');
    return;
  }
  if (inputs.token === '') {
    runner.log('No github-token given: the report is only in the job summary.');
    return;
  }
  const posted = await reportProblems(context, await github.upsertComment(pull, marker, redact(markdown)));
  if (posted?.url !== undefined) runner.output('comment-url', posted.url);
  if (posted !== undefined)
    runner.log(`Comment ${posted.action}${posted.url === undefined ? '' : `: ${posted.url}`}`);
}

/** Reports the problems that ended a command: annotations, summary, a failed step. @returns the report as markdown */
export async function stop(context: Context, heading: string, found: readonly Problem[]): Promise<string> {
  const problems = redactAll(found, context.redact);
  annotate(context, problems);
  const options = { budget: SUMMARY_BUDGET, linkTo: linkTo(context) };
  await summarise(context, problemsMarkdown(heading, problems, options));
  context.runner.output('outcome', 'failed');
  context.runner.fail(`${heading}: ${problems.map(({ message }) => message).join(' ')}`.slice(0, 1000));
  return problemsMarkdown(heading, problems, { linkTo: linkTo(context) });
}
