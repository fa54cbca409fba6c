/** What `report` does. */
import { report as merge, type Report } from '../../commands/report.js';
import { error, hasErrors, ProblemError } from '../../lib/problem.js';
import { DONE, FAILED, type Io, reportProblems } from '../io.js';
import type { OutputOptions } from '../options.js';
import { isBlocked, PLAN_REPORTS, report, reportOutcomes } from './run-hosts.js';

/** Runs `report`. */
export async function runReport(paths: readonly string[], options: OutputOptions, io: Io): Promise<number> {
  const merged = await merge(paths);
  const made = reportProblems(io, merged);
  if (made === undefined) return FAILED;
  const status = await write(made.value, options, io);
  return hasErrors(merged.problems) ? FAILED : status;
}

async function write(made: Report, options: OutputOptions, io: Io): Promise<number> {
  if (made.kind === 'outcomes') {
    if (options.format === 'html') throw new ProblemError([NO_PAGE]);
    return reportOutcomes(io, options, made.value);
  }
  await report(io, options, made.value, PLAN_REPORTS);
  return isBlocked(made.value) ? FAILED : DONE;
}

const NO_PAGE = error('no-page', 'The format html is for plans only.', {
  hint: 'Choose text, markdown or json.',
});
