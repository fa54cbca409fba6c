/** Runs the commands that connect to hosts. */
import { deploy } from '../../commands/deploy.js';
import { drift } from '../../commands/drift.js';
import { type StateFolders, toRead } from '../../commands/inputs/open-hosts.js';
import { plan } from '../../commands/plan.js';
import { rollback } from '../../commands/rollback.js';
import { status, statusJson } from '../../commands/status.js';
import { planPage } from '../../report/html/plan.js';
import { driftMarkdown } from '../../report/markdown/drift.js';
import { outcomesMarkdown } from '../../report/markdown/outcomes.js';
import { planMarkdown } from '../../report/markdown/plan.js';
import { driftText } from '../../report/terminal/drift.js';
import { outcomesText, statusText } from '../../report/terminal/outcomes.js';
import type { TextOptions } from '../../report/terminal/paint.js';
import { planText } from '../../report/terminal/plan.js';
import { jsonText } from '../../report/view/json.js';
import { allDeployed } from '../../report/view/outcomes-view.js';
import { driftTotals, planTotals } from '../../report/view/totals.js';
import type { Outcomes, Plan } from '../../rollout/results/model.js';
import { readPlan } from '../../rollout/results/read.js';
import type { Shard } from '../../rollout/results/shard.js';
import type { RolloutPart } from '../../rollout/results/waves.js';
import { eventReporter, journal } from '../events.js';
import { hostsOverSsh } from '../hosts.js';
import {
  DIFFERENT,
  DONE,
  emit,
  FAILED,
  type Io,
  mustBeWritable,
  readText,
  reportProblems,
  textOptions,
} from '../io.js';
import type { OutputOptions, PolicyOptions, RiskOptions, SshOptions } from '../options.js';
import { commitOf, ownerOf } from '../origin.js';
import { confirm } from '../prompts.js';

type Common = PolicyOptions & SshOptions & OutputOptions;
export type PlanArguments = Common &
  RiskOptions &
  StateFolders & { readonly exitCode?: boolean; readonly shard?: Shard };
export type DriftArguments = Common & StateFolders;
export type StatusArguments = Common;
export type DeployArguments = Common &
  RiskOptions & {
    readonly plan?: string;
    readonly journal?: string;
    readonly yes?: boolean;
    readonly shard?: Shard;
    readonly wave?: RolloutPart['waves'];
  };
export type RollbackArguments = Common & RiskOptions & { readonly to?: number; readonly yes?: boolean };

/** Runs `plan`. @returns 1 when a deploy would be refused, 2 for changes with `--exit-code` */
export async function runPlan(options: PlanArguments, io: Io): Promise<number> {
  await mustBeWritable(options.output);
  const { onEvent, end } = eventReporter(io, 'reading');
  const commit = await commitOf(options.policies, io.env);
  const planned = await plan({ ...options, onEvent, commit }, toRead(options, hostsOverSsh(io, options)));
  end();
  const made = reportProblems(io, planned);
  if (made === undefined) return FAILED;
  await report(io, options, made.value, PLAN_REPORTS);
  if (isBlocked(made.value)) return FAILED;
  return options.exitCode && planTotals(made.value).changed > 0 ? DIFFERENT : DONE;
}

export const PLAN_REPORTS: Reports<Plan> = {
  text: planText,
  markdown: planMarkdown,
  json: jsonText,
  html: planPage,
};

/** Whether a host has no plan, or a deploy would refuse the plan. */
export function isBlocked(made: Plan): boolean {
  const { unreachable, error, findings, lockout } = planTotals(made);
  return unreachable + error + findings.error + lockout.violated.length + lockout.notProven.length > 0;
}

/** Runs `drift`. @returns 2 when a host drifted, 1 when one could not be read */
export async function runDrift(options: DriftArguments, io: Io): Promise<number> {
  await mustBeWritable(options.output);
  const { onEvent, end } = eventReporter(io, 'reading');
  const result = await drift({ ...options, onEvent }, toRead(options, hostsOverSsh(io, options)));
  end();
  const found = reportProblems(io, result);
  if (found === undefined) return FAILED;
  await report(io, options, found.value, { text: driftText, markdown: driftMarkdown, json: jsonText });
  const { drifted, busy, unreachable, error } = driftTotals(found.value);
  return drifted > 0 ? DIFFERENT : busy + unreachable + error > 0 ? FAILED : DONE;
}

/** Runs `status`. @returns 1 when a host could not be read */
export async function runStatus(options: StatusArguments, io: Io): Promise<number> {
  await mustBeWritable(options.output);
  const { onEvent, end } = eventReporter(io, 'reading');
  const result = await status({ ...options, onEvent }, hostsOverSsh(io, options));
  end();
  const found = reportProblems(io, result);
  if (found === undefined) return FAILED;
  await report(io, options, found.value, {
    text: statusText,
    markdown: () => '',
    json: (hosts) => jsonText(statusJson(hosts)),
  });
  return found.value.every(({ reading }) => reading.status === 'read') ? DONE : FAILED;
}

/** Runs `deploy`. @returns 1 unless every host runs the new rules */
export async function runDeploy(options: DeployArguments, io: Io): Promise<number> {
  await mustBeWritable(options.output, options.journal);
  const reviewed =
    options.plan === undefined
      ? undefined
      : reportProblems(io, readPlan(await readText(io, options.plan), options.plan));
  if (options.plan !== undefined && reviewed === undefined) return FAILED;
  const which = options.hosts ?? 'every host of the policy';
  if (!(await confirmed(io, options, `This changes the firewall of ${which}. Continue?`))) return FAILED;
  const { onEvent, end } = eventReporter(io, 'deploying');
  // Loads the SSH client while git runs.
  const [commit] = await Promise.all([commitOf(options.policies, io.env), import('../../host/open.js')]);
  const { signal, release } = interrupted(io);
  const part = partOf(options);
  const deployed = await deploy(
    {
      ...options,
      part,
      owner: ownerOf(io.env),
      onEvent: options.journal === undefined ? onEvent : journal(options.journal, onEvent),
      signal,
      commit,
      reviewed: reviewed?.value,
    },
    hostsOverSsh(io, options),
  ).finally(release);
  end();
  const done = reportProblems(io, deployed);
  return done === undefined ? FAILED : reportOutcomes(io, options, done.value);
}

const partOf = ({ shard, wave }: DeployArguments): RolloutPart | undefined =>
  shard === undefined && wave === undefined ? undefined : { shard, waves: wave };

/** Runs `rollback` for one host. */
export async function runRollback(host: string, options: RollbackArguments, io: Io): Promise<number> {
  await mustBeWritable(options.output);
  const state =
    options.to === undefined ? 'the known-good state before this one' : `its known-good state ${options.to}`;
  const question = `This rolls ${host} back to ${state}. Continue?`;
  if (!(await confirmed(io, options, question))) return FAILED;
  const { onEvent, end } = eventReporter(io, 'rolling back');
  const result = await rollback(
    { ...options, host, owner: ownerOf(io.env), onEvent },
    hostsOverSsh(io, options),
  );
  end();
  const done = reportProblems(io, result);
  return done === undefined ? FAILED : reportOutcomes(io, options, done.value);
}

/** Writes the report of a deploy or rollback. @returns the exit status */
export async function reportOutcomes(io: Io, options: OutputOptions, outcomes: Outcomes): Promise<number> {
  await report(io, options, outcomes, { text: outcomesText, markdown: outcomesMarkdown, json: jsonText });
  return allDeployed(outcomes) ? DONE : FAILED;
}

/** Asks a person at a terminal; without a terminal the answer is yes. */
async function confirmed(io: Io, { yes }: { readonly yes?: boolean }, question: string): Promise<boolean> {
  return yes === true || (await confirm(io, question)) !== false;
}

/** The first Ctrl-C starts no further host; the second one ends this program at once. */
function interrupted(io: Io): { readonly signal: AbortSignal; readonly release: () => void } {
  const controller = new AbortController();
  const onSignal = (): void => {
    release();
    io.stderr.write(
      '\nNo further host is started. Press Ctrl-C again to exit at once; hosts that are not confirmed roll themselves back.\n',
    );
    controller.abort();
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const release = (): void => {
    for (const name of signals) process.off(name, onSignal);
  };
  for (const name of signals) process.on(name, onSignal);
  return { signal: controller.signal, release };
}

interface Reports<T> {
  readonly text: (value: T, options: TextOptions) => string;
  readonly markdown: (value: T) => string;
  readonly json: (value: T) => string;
  readonly html?: (value: T) => string;
}

/** Writes a report in the chosen format to standard output or a file. */
export async function report<T>(
  io: Io,
  { format, output }: OutputOptions,
  value: T,
  reports: Reports<T>,
): Promise<void> {
  const paint = output === undefined ? textOptions(io.stdout, io.env) : { colour: false };
  await emit(
    io,
    format === 'text' ? reports.text(value, paint) : (reports[format] ?? reports.markdown)(value),
    output,
  );
}
