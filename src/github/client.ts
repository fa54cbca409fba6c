/**
 * What the action needs of GitHub. Errors are values: a report that cannot be posted is a warning in the log and does not
 * stop a deployment.
 */
import type { Result } from '../lib/problem.js';

/** Identifies a comment or issue of ours; a hidden comment in the first line of the text. */
export interface Marker {
  readonly kind: 'plan' | 'deploy' | 'drift' | 'adopt';
  /** Keeps the reports of several fleets in one repository apart. */
  readonly environment: string;
  /** A digest of what the text is about: it is the same when a job runs again. */
  readonly state: string;
}

/** What was done, and the page that shows it. */
export interface Update {
  readonly action: 'created' | 'updated' | 'unchanged' | 'closed' | 'none';
  readonly url?: string;
}

export interface DriftReport {
  readonly clean: boolean;
  readonly title: string;
  readonly body: string;
  /** One line for the comment on a change of state. */
  readonly summary: string;
  /** The hosts that have drifted, and all that were checked. */
  readonly drifted: readonly string[];
  readonly hosts: readonly string[];
}

/** A change of files, to be reviewed as a pull request. */
export interface AdoptionPull {
  /** The target branch, and its commit that the files were made from. */
  readonly base: string;
  readonly commit: string;
  readonly title: string;
  readonly body: string;
  /** Whole new texts, by path in the repository; none when there is nothing to adopt any more. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
}

export type DeploymentState = 'in_progress' | 'success' | 'failure' | 'error';

export interface GitHubClient {
  /** One comment for each marker on this pull request: created, or updated when the text differs. */
  upsertComment(pull: number, marker: Marker, body: string): Promise<Result<Update>>;
  /** One issue for each marker: opened with the first drift, updated when it changes, closed when clean, opened again. */
  driftIssue(marker: Marker, report: DriftReport): Promise<Result<Update>>;
  /** One pull request for each marker, on a branch of ours: opened, updated, closed when there is nothing left. */
  adoptPull(marker: Marker, pull: AdoptionPull): Promise<Result<Update>>;
  /** The pull request that this commit came to the branch by; `undefined` when it was pushed without one. */
  mergedPull(commit: string): Promise<Result<number | undefined>>;
  /**
   * The open pull request whose newest commit this is, from this branch of this repository; `undefined` when there is
   * none, or it has moved on.
   */
  openPull(repository: string, branch: string, commit: string): Promise<Result<number | undefined>>;
  /** The run of this repository that planned what was merged with this commit; `undefined` when none has its plan any more. */
  reviewedRun(commit: string): Promise<Result<number | undefined>>;
  /** The commit that a branch is at now. */
  branchHead(branch: string): Promise<Result<string>>;
  /** Sets exactly these labels of ours on a pull request; others stay. */
  setLabels(pull: number, wanted: readonly string[], ours: readonly string[]): Promise<Result<Update>>;
  /** Records that this commit is being deployed; the number is what `finishDeployment` takes. */
  startDeployment(environment: string, commit: string, logUrl: string): Promise<Result<number>>;
  finishDeployment(
    deployment: number,
    state: DeploymentState,
    description: string,
    logUrl: string,
  ): Promise<Result<Update>>;
}
