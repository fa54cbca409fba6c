/** What the commands of the action work with: the runner, GitHub, and the use cases. */
import type { Report } from '../commands/report.js';
import type { GitHubClient } from '../github/client.js';
import type { Problem, Result } from '../lib/problem.js';
import type { Adoption } from '../rollout/results/adoption.js';
import type { Drift, Outcomes, Plan } from '../rollout/results/model.js';
import type { GitHubEvent } from './event/event.js';
import type { Inputs } from './inputs.js';

/** The runner of GitHub Actions. */
export interface Runner {
  input(name: string): string;
  output(name: OutputName, value: string): void;
  /** Masks this in the log of the runner from now on. */
  mask(secret: string): void;
  log(text: string): void;
  /** An annotation at the location of the problem. */
  annotate(problem: Problem): void;
  /** Appends to the page of the job; into the log when the page is full or cannot be written. */
  summary(markdown: string): Promise<void>;
  /** Writes a file for later steps and gives its path. */
  file(name: string, text: string): Promise<string>;
  /** Ends the step as failed, after everything else is done. */
  fail(message: string): void;
}

/** As `action.yml` describes them. */
export type OutputName =
  | 'outcome'
  | 'changed'
  | 'opened'
  | 'closed'
  | 'possibly-opened'
  | 'possibly-closed'
  | 'digest'
  | 'failed-hosts'
  | 'unreachable-hosts'
  | 'drifted-hosts'
  | 'json'
  | 'html'
  | 'patch'
  | 'reviewed-run'
  | 'comment-url';

/** The commands of `commands/`, connected to the hosts. */
export interface UseCases {
  check(): Promise<Result<unknown>>;
  plan(): Promise<Result<Plan>>;
  deploy(): Promise<Result<Outcomes>>;
  drift(): Promise<Result<Drift>>;
  adopt(): Promise<Result<Adoption>>;
  report(): Promise<Result<Report>>;
}

export interface Context {
  readonly inputs: Inputs;
  readonly event: GitHubEvent;
  readonly runner: Runner;
  readonly github: GitHubClient;
  readonly useCases: UseCases;
  /** Removes every secret from a text; applied to all output. */
  readonly redact: (text: string) => string;
}
