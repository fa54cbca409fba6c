/** The action from its environment to its end; `main.ts` passes the commands in. */
import { readFile } from 'node:fs/promises';
import { openGitHub } from '../github/github.js';
import { failure, formatProblem, messageOf, type Problem, problemsOf, type Result } from '../lib/problem.js';
import { stop } from './commands/publish.js';
import type { Runner, UseCases } from './context.js';
import { badEvent, type GitHubEvent, invalidEvent, readEvent } from './event/event.js';
import { type Inputs, readInputs } from './inputs.js';
import { run } from './run.js';
import { openRunner } from './runner.js';
import { redactor, secretsOf } from './secrets.js';

export interface RunOptions {
  readonly inputs: Inputs;
  readonly event: GitHubEvent;
  /** Writes one line into the log of the job, without secrets. */
  readonly log: (line: string) => void;
  /**
   * From its first call on, the caller ends a cancelled job; until then it ends at once. The signal aborts when the job
   * is cancelled: no further host is started, and pending hosts finish by themselves.
   */
  readonly cancelled: () => AbortSignal;
}

/** The commands, with hosts to work on; `close` ends every connection. */
export type OpenUseCases = (options: RunOptions) => UseCases & { close(): Promise<void> };

const REPORT_IT = 'Report it with the log of this job.';

type Environment = Readonly<Record<string, string | undefined>>;

/** Runs the action. Never throws: an error fails the step. */
export async function start(env: Environment, open: OpenUseCases): Promise<void> {
  const runner = openRunner(env);
  const inputs = readInputs(runner.input);
  if (!inputs.ok) {
    refuse(runner, inputs.problems);
    return;
  }
  const secrets = secretsOf(inputs.value);
  for (const secret of secrets) runner.mask(secret);
  await work(env, inputs.value, runner, redactor(secrets), open);
}

async function work(
  env: Environment,
  inputs: Inputs,
  runner: Runner,
  redact: (text: string) => string,
  open: OpenUseCases,
): Promise<void> {
  const found = await eventOf(env);
  if (!found.ok) return refuse(runner, found.problems);
  const event = found.value;
  const github = openGitHub({ token: inputs.token, apiUrl: event.apiUrl, repository: event.repository });
  const log = (line: string): void => runner.log(redact(line));
  const useCases = open({ inputs, event, log, cancelled });
  const context = { inputs, event, runner, github, useCases, redact };
  try {
    await run(context);
  } catch (thrown) {
    const problems = problemsOf(thrown, REPORT_IT);
    // If even the report fails, the log has the problems.
    await stop(context, 'Sallyport stopped', problems).catch((again: unknown) =>
      runner.fail(redact([...problems, ...problemsOf(again, REPORT_IT)].map(formatProblem).join(' '))),
    );
  } finally {
    await useCases.close();
  }
}

/** Before there is anything to work with. */
function refuse(runner: Runner, problems: readonly Problem[]): void {
  for (const problem of problems) runner.annotate(problem);
  runner.fail(problems.map(({ message }) => message).join(' '));
}

/** The runner writes the event to a file before the step begins. */
async function eventOf(env: Environment): Promise<Result<GitHubEvent>> {
  const path = env.GITHUB_EVENT_PATH;
  let payload: unknown = {};
  try {
    if (path !== undefined) payload = JSON.parse(await readFile(path, 'utf8'));
  } catch (thrown) {
    return failure(badEvent(`cannot be read: ${messageOf(thrown)}`));
  }
  const bad = invalidEvent(env, payload);
  return bad === undefined ? { ok: true, value: readEvent(env, payload), problems: [] } : failure(bad);
}

/** GitHub cancels with SIGINT, and after 7.5 seconds with SIGTERM. */
function cancelled(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}
