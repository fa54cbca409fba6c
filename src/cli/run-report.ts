/** What `report` does. */
import { report as merge, type Report } from '../commands/report.js';
import { hasErrors } from '../problem.js';
import { DONE, FAILED, type Io, told } from './io.js';
import type { OutputOptions } from './options.js';
import { mustNotGo, PLAN_REPORTS, report, reportOutcomes } from './run-hosts.js';

export async function runReport(paths: readonly string[], options: OutputOptions, io: Io): Promise<number> {
  const merged = await merge(paths);
  const made = told(io, merged);
  if (made === undefined) return FAILED;
  const status = await write(made.value, options, io);
  return hasErrors(merged.problems) ? FAILED : status;
}

async function write(made: Report, options: OutputOptions, io: Io): Promise<number> {
  if (made.kind === 'outcomes') return reportOutcomes(io, options, made.value);
  await report(io, options, made.value, PLAN_REPORTS);
  return mustNotGo(made.value) ? FAILED : DONE;
}
