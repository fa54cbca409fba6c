/** A step of a job, without a runner: inputs, an event, what the use cases answer; and all that came out of it. */
import { createRequire } from 'node:module';
import type { Context, Runner, UseCases } from '../../src/action/context.js';
import type { GitHubEvent } from '../../src/action/event/event.js';
import { readEvent } from '../../src/action/event/event.js';
import { readInputs } from '../../src/action/inputs.js';
import { run } from '../../src/action/run.js';
import { redactor, secretsOf } from '../../src/action/secrets.js';
import type { GitHubClient } from '../../src/github/client.js';
import type { Problem, Result } from '../../src/lib/problem.js';
import { scan, secretsIn } from './leaks.js';

export interface JobResult {
  readonly outputs: Record<string, string>;
  readonly log: string[];
  readonly annotations: Problem[];
  readonly summaries: string[];
  readonly files: Record<string, string>;
  readonly failures: string[];
  /** The calls of GitHub, in order: name and arguments. */
  readonly calls: { readonly name: string; readonly given: readonly unknown[] }[];
  /** Which use cases ran. */
  readonly used: string[];
}

export interface JobSetup {
  readonly inputs?: Readonly<Record<string, string>>;
  readonly event?: Partial<GitHubEvent>;
  readonly answers?: { readonly [name in keyof UseCases]?: Awaited<ReturnType<UseCases[name]>> };
  readonly github?: Partial<GitHubClient>;
  readonly runner?: Partial<Runner>;
}

export const done = <T>(
  value: T,
): { readonly ok: true; readonly value: T; readonly problems: readonly Problem[] } => ({
  ok: true,
  value,
  problems: [],
});
export const failed = (
  ...problems: readonly Problem[]
): { readonly ok: false; readonly problems: readonly Problem[] } => ({ ok: false, problems });

export const SHA = '3f1c9e7a2b4d5c6e7f8091a2b3c4d5e6f7089a1b';

/** A real payload of GitHub, as published. */
export function payload(event: string, action?: string): unknown {
  const all = createRequire(import.meta.url)('@octokit/webhooks-examples') as {
    readonly name: string;
    readonly examples: readonly { readonly action?: string }[];
  }[];
  const examples = all.find(({ name }) => name === event)?.examples ?? [];
  return examples.find((one) => action === undefined || one.action === action);
}

export const pullEvent = (over: Partial<NonNullable<GitHubEvent['pull']>> = {}): Partial<GitHubEvent> => ({
  name: 'pull_request',
  ref: 'refs/pull/7/merge',
  pull: { number: 7, headCommit: 'a'.repeat(40), fork: false, closed: false, ...over },
});

export const pushEvent: Partial<GitHubEvent> = { name: 'push', ref: 'refs/heads/main' };

const ENV = {
  GITHUB_REPOSITORY: 'example/fleet',
  GITHUB_SHA: SHA,
  GITHUB_RUN_ID: '42',
  GITHUB_ACTOR: 'anna',
};

/** Runs the action from its inputs to its end. */
export async function runJob(setup: JobSetup): Promise<JobResult> {
  const job: JobResult = {
    outputs: {},
    log: [],
    annotations: [],
    summaries: [],
    files: {},
    failures: [],
    calls: [],
    used: [],
  };
  const given: Readonly<Record<string, string>> = {
    'github-token': 'ghs_token',
    'ssh-key': 'a-private-key-of-a-test',
    ...setup.inputs,
  };
  const inputs = readInputs((name) => given[name] ?? '');
  if (!inputs.ok) throw new Error(inputs.problems.map(({ message }) => message).join('\n'));
  await run({
    inputs: inputs.value,
    event: { ...readEvent(ENV, {}), ...setup.event },
    runner: { ...runnerOf(job), ...setup.runner },
    github: githubOf(job, setup.github ?? {}),
    useCases: useCasesOf(job, setup.answers ?? {}),
    redact: redactor(secretsOf(inputs.value)),
  } satisfies Context);
  scan(secretsIn(given), { job: JSON.stringify(job) });
  return job;
}

/** What GitHub was first asked by this name. */
export const called = (job: JobResult, name: string): readonly unknown[] | undefined =>
  job.calls.find((call) => call.name === name)?.given;

const runnerOf = (job: JobResult): Runner => ({
  input: () => '',
  output: (name, value) => {
    job.outputs[name] = value;
  },
  mask: () => {},
  log: (text) => job.log.push(text),
  annotate: (problem) => job.annotations.push(problem),
  summary: async (markdown) => {
    job.summaries.push(markdown);
  },
  file: async (name, text) => {
    job.files[name] = text;
    return `/tmp/sallyport/${name}`;
  },
  fail: (message) => job.failures.push(message),
});

const githubOf = (job: JobResult, over: Partial<GitHubClient>): GitHubClient => {
  const known: GitHubClient = {
    upsertComment: async () =>
      done({ action: 'created', url: 'https://github.com/example/fleet/pull/7#issuecomment-1' }),
    adoptPull: async () => done({ action: 'created', url: 'https://github.com/example/fleet/pull/8' }),
    driftIssue: async () => done({ action: 'created', url: 'https://github.com/example/fleet/issues/9' }),
    mergedPull: async () => done(7),
    branchHead: async () => done(SHA),
    openPull: async () => done(7),
    reviewedRun: async () => done(99),
    setLabels: async () => done({ action: 'updated' }),
    startDeployment: async () => done(5),
    finishDeployment: async () => done({ action: 'updated' }),
    ...over,
  };
  return new Proxy(known, {
    get:
      (port, name: keyof GitHubClient) =>
      (...given: readonly unknown[]) => {
        job.calls.push({ name, given });
        return (port[name] as (...all: readonly unknown[]) => unknown)(...given);
      },
  });
};

function useCasesOf(job: JobResult, answers: NonNullable<JobSetup['answers']>): UseCases {
  const answer =
    <T>(name: keyof UseCases, result: Result<T> | undefined) =>
    async (): Promise<Result<T>> => {
      job.used.push(name);
      return result ?? failed({ id: 'not-staged', level: 'error', message: `${name} was not staged.` });
    };
  return {
    check: answer('check', answers.check),
    plan: answer('plan', answers.plan),
    deploy: answer('deploy', answers.deploy),
    drift: answer('drift', answers.drift),
    adopt: answer('adopt', answers.adopt),
    report: answer('report', answers.report),
  };
}
