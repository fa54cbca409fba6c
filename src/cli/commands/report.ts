/** `report`: what several jobs delivered, as one. */
import type { Command } from 'commander';
import type { Io } from '../io.js';
import { type Act, examples, type OutputOptions, PLAN_FORMATS, withOutput } from '../options.js';

/** Defines `report`. */
export function defineReport(program: Command, act: Act, io: Io): void {
  const report = withOutput(
    program
      .command('report')
      .summary('join the plans, or the deploy reports, of several jobs')
      .description(
        'Reads what "plan --shard" or "deploy --shard" and "--wave" wrote as JSON, and reports it as if one job had done it all: exact numbers, equal diffs folded over all of them, one digest. A shard that delivered nothing is an error, and its hosts stand in the report without a plan. A plan as JSON is what "deploy --plan" takes.',
      )
      .argument('<path...>', 'JSON files, or folders of them'),
    PLAN_FORMATS,
  );
  examples(
    report,
    'sallyport report plans/',
    'sallyport report plans/ --format json --output plan.json     # for deploy --plan',
    'sallyport report deploys/ --format markdown',
  );
  act(report, async (paths: readonly string[], options: OutputOptions) =>
    (await import('./run-report.js')).runReport(paths, options, io),
  );
}
