/** Commands that need a policy and no host: check, render. */
import { join } from 'node:path';
import type { Command } from 'commander';
import pMap from 'p-map';
import { byLocation } from '../../lib/problem.js';
import { count } from '../../lib/text.js';
import { problemsMarkdown } from '../../report/markdown/problems.js';
import { problemsText } from '../../report/terminal/problems.js';
import { jsonText } from '../../report/view/json.js';
import { complain, DONE, emit, FAILED, type Io, reportProblems, textOptions, writeText } from '../io.js';
import {
  type Act,
  examples,
  type OutputOptions,
  type PolicyOptions,
  type RiskOptions,
  withHosts,
  withOutput,
  withRisk,
} from '../options.js';

/** Defines `check` and `render`. */
export function definePolicyCommands(program: Command, act: Act, io: Io): void {
  const check = withOutput(
    withRisk(
      withHosts(
        program
          .command('check')
          .summary('is the policy sound? (needs no host)')
          .description(
            'Checks everything that needs no host: the YAML, its names, the lints, what it compiles to, the guards and tests of the policy, and whether the admin networks can reach SSH on every host. Every problem is printed, with its file and line.',
          ),
      ),
    ),
  );
  examples(check, 'sallyport check', 'sallyport check --policies firewall/policies --format markdown');
  act(check, (options: PolicyOptions & RiskOptions & OutputOptions) => runCheck(options, io));

  const render = withHosts(
    program
      .command('render')
      .summary('write the rules of each host as files')
      .description(
        'Writes DIR/HOST/rules.v4, rules.v6 and sets: what iptables-save, ip6tables-save and ipset save print once these rules are loaded.',
      )
      .option('--out <dir>', 'where to write', 'build'),
  );
  examples(render, 'sallyport render', 'sallyport render --hosts web-1 --out /tmp/rules');
  act(render, (options: PolicyOptions & { readonly out: string }) => runRender(options, io));
}

async function runCheck(options: PolicyOptions & RiskOptions & OutputOptions, io: Io): Promise<number> {
  const { check } = await import('../../commands/check.js');
  const checked = await check(options);
  const { format, output } = options;
  const verdict = checked.ok
    ? `The policy is sound: ${count(checked.value.hosts, 'host')}, ${count(checked.value.rules, 'rule')}.`
    : 'The policy has problems.';
  const problems = checked.problems.toSorted(byLocation);
  if (format === 'json') await emit(io, jsonText({ version: 1, ok: checked.ok, problems }), output);
  else if (format === 'markdown') await emit(io, problemsMarkdown(verdict, problems), output);
  else if (output !== undefined)
    await emit(io, `${problemsText(problems, { colour: false })}${verdict}\n`, output);
  else {
    complain(io, problems);
    const { colour } = textOptions(io.stdout, io.env);
    if (checked.ok) io.stdout.write(colour ? `\u001b[32m${verdict}\u001b[39m\n` : `${verdict}\n`);
  }
  return checked.ok ? DONE : FAILED;
}

/** Files written at a time: enough to keep the disk busy. */
const WRITES = 16;

async function runRender(options: PolicyOptions & { readonly out: string }, io: Io): Promise<number> {
  const { render, renderedFiles } = await import('../../commands/render.js');
  const rendered = reportProblems(io, await render(options));
  if (rendered === undefined) return FAILED;
  await pMap(renderedFiles(rendered.value), ([path, text]) => writeText(join(options.out, path), text), {
    concurrency: WRITES,
  });
  io.stdout.write(`Wrote the rules of ${count(rendered.value.length, 'host')} to ${options.out}.\n`);
  return DONE;
}
