/** The event of the workflow run, and the command that follows from it. */
import * as z from 'zod';
import { error, failure, type Problem, type Result } from '../../lib/problem.js';
import { faultText, REPORT_INPUT } from '../../rollout/results/validate.js';
import type { CommandName } from '../inputs.js';

export interface GitHubEvent {
  readonly name: string;
  /** `owner/name`. */
  readonly repository: string;
  readonly commit: string;
  /** `refs/heads/main`. */
  readonly ref: string;
  readonly defaultBranch: string;
  readonly pull?: {
    readonly number: number;
    readonly headCommit: string;
    /** From another repository: a read-only token, and no secrets. */
    readonly fork: boolean;
    readonly closed: boolean;
  };
  /** For `workflow_run`: the run that triggered this one. */
  readonly origin?: Origin;
  readonly serverUrl: string;
  readonly apiUrl: string;
  /** The page of this workflow run. */
  readonly runUrl: string;
  readonly actor: string;
}

/** A completed run in `workflow_run`; for a pull request from a fork, GitHub gives neither its number nor its author. */
export interface Origin {
  /** The event that it ran for. */
  readonly event: string;
  readonly commit: string;
  readonly branch: string;
  /** `owner/name`, empty when it is gone. */
  readonly repository: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const repository = z.object({ full_name: z.string() });
const pullRequest = z.object({
  number: z.number(),
  head: z.object({ sha: z.string(), repo: repository.nullish() }),
});
const workflowRun = z.object({
  event: z.string(),
  head_sha: z.string(),
  head_branch: z.string().nullable(),
  head_repository: repository.nullable(),
});
/** What is read of a webhook payload: https://docs.github.com/webhooks/webhook-events-and-payloads. */
const eventPayload = z.object({
  action: z.string().optional(),
  repository: z.object({ default_branch: z.string().optional() }).nullish(),
  pull_request: pullRequest.optional(),
  workflow_run: workflowRun.optional(),
});

/**
 * Why a payload is not one of this event. The part that names the pull request is required: without it, a pull
 * request would pass the checks that stop it from deploying.
 */
export function invalidEvent(env: Environment, payload: unknown): Problem | undefined {
  const name = env.GITHUB_EVENT_NAME ?? '';
  const schema = eventPayload.extend({
    ...(name.startsWith('pull_request') && { pull_request: pullRequest }),
    ...(name === 'workflow_run' && { workflow_run: workflowRun }),
  });
  const { error: fault } = schema.safeParse(payload, REPORT_INPUT);
  return fault && badEvent(`is not a GitHub \`${name}\` event: ${faultText(fault)}`);
}

/** @param what Completes "The event of this run …", without a full stop. */
export const badEvent = (what: string): Problem =>
  error('bad-event', `The event of this run ${what}.`, {
    hint: 'GITHUB_EVENT_NAME and GITHUB_EVENT_PATH are set by the runner; do not change them.',
  });

/** The event from the runner's environment. @param payload The JSON at `GITHUB_EVENT_PATH`, valid for {@link invalidEvent}. */
export function readEvent(env: Environment, payload: unknown): GitHubEvent {
  const { action, repository, pull_request: pull, workflow_run: run } = eventPayload.parse(payload);
  const name = env.GITHUB_REPOSITORY ?? '';
  const serverUrl = env.GITHUB_SERVER_URL ?? 'https://github.com';
  return {
    name: env.GITHUB_EVENT_NAME ?? '',
    repository: name,
    commit: env.GITHUB_SHA ?? '',
    ref: env.GITHUB_REF ?? '',
    defaultBranch: repository?.default_branch ?? 'main',
    pull: pull && {
      number: pull.number,
      headCommit: pull.head.sha,
      // The repository of a deleted fork is null.
      fork: pull.head.repo?.full_name !== name,
      closed: action === 'closed',
    },
    origin: run && {
      event: run.event,
      commit: run.head_sha,
      branch: run.head_branch ?? '',
      repository: run.head_repository?.full_name ?? '',
    },
    serverUrl,
    apiUrl: env.GITHUB_API_URL ?? 'https://api.github.com',
    runUrl: `${serverUrl}/${name}/actions/runs/${env.GITHUB_RUN_ID ?? ''}`,
    actor: env.GITHUB_ACTOR ?? '',
  };
}

export type Command = Exclude<CommandName, 'auto'>;

const COMMANDS: { readonly [event: string]: Command } = {
  pull_request: 'plan',
  merge_group: 'plan',
  workflow_run: 'plan',
  schedule: 'drift',
  workflow_dispatch: 'drift',
};

/**
 * The command for an event; `undefined` when there is nothing to do. A pull request never deploys, whatever the inputs:
 * its author wrote what would be deployed.
 */
export function commandOf(event: GitHubEvent, input: CommandName): Result<Command | undefined> {
  if (event.name === 'pull_request_target') return refused(PULL_REQUEST_TARGET);
  if (input === 'deploy' && isOfPull(event)) return refused(PULL_DEPLOYS);
  if (input === 'adopt' && isOfPull(event)) return refused(PULL_ADOPTS);
  if (input !== 'auto') return found(input);
  if (event.pull?.closed) return found(undefined);
  if (event.name === 'push')
    return found(event.ref === `refs/heads/${event.defaultBranch}` ? 'deploy' : 'check');
  const command = COMMANDS[event.name];
  return command === undefined ? refused(unknownEvent(event.name)) : found(command);
}

/** Of a pull request, or of a run that a pull request triggered. */
const isOfPull = ({ pull, origin }: GitHubEvent): boolean =>
  pull !== undefined || origin?.event.startsWith('pull_request') === true;

const found = (value: Command | undefined): Result<Command | undefined> => ({
  ok: true,
  value,
  problems: [],
});
const refused = (problem: Problem): Result<Command | undefined> => failure(problem);

const PULL_DEPLOYS = error('pull-request-deploys', 'A pull request cannot deploy.', {
  hint: 'Run `command: deploy` on a push to the default branch.',
});
const PULL_ADOPTS = error('pull-request-adopts', 'A pull request cannot adopt.', {
  hint: 'Run `command: adopt` on a schedule or by hand: it compares the hosts with the default branch.',
});
const PULL_REQUEST_TARGET = error(
  'pull-request-target',
  'The event `pull_request_target` gives secrets to code that is not reviewed.',
  { hint: 'Use `pull_request`; for forks, plan from recorded states as the documentation shows.' },
);
const unknownEvent = (name: string): Problem =>
  error('unknown-event', `\`command: auto\` does not support the event \`${name}\`.`, {
    hint: 'Set `command` to check, plan, deploy, drift, adopt or report.',
  });
