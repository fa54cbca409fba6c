/** The client of GitHub's REST API. */
import { adoptPull } from './adopt-pull.js';
import type { GitHubClient } from './client.js';
import { upsertComment } from './comments.js';
import {
  branchHead,
  finishDeployment,
  mergedPull,
  openPull,
  setLabels,
  startDeployment,
} from './deployments.js';
import { driftIssue } from './drift-issue.js';
import { attempt, type Clock, type Operation } from './errors.js';
import { type ClientOptions, connect } from './octokit.js';
import { reviewedRun } from './reviewed.js';

const OPERATIONS = {
  comment: { what: 'post the comment', permission: 'pull-requests: write' },
  adopt: { what: 'open the pull request', permission: 'contents: write, pull-requests: write' },
  issue: { what: 'update the drift issue', permission: 'issues: write' },
  fork: { what: 'find the pull request of the fork', permission: 'pull-requests: read' },
  pull: { what: 'find the merged pull request', permission: 'pull-requests: read' },
  reviewed: { what: 'find the reviewed plan', permission: 'actions: read, pull-requests: read' },
  head: { what: 'look up the newest commit of the branch', permission: 'contents: read' },
  labels: { what: 'label the pull request', permission: 'pull-requests: write' },
  deployment: { what: 'record the deployment', permission: 'deployments: write' },
} as const satisfies { readonly [name: string]: Operation };

/** The time of this machine. */
const SYSTEM_CLOCK: Clock = {
  now: Date.now,
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
};

/** A client with the token of the job; sends nothing before the first call. */
export function openGitHub(options: ClientOptions, clock: Clock = SYSTEM_CLOCK): GitHubClient {
  const client = connect(options);
  const run = <T>(name: keyof typeof OPERATIONS, operation: () => Promise<T>) =>
    attempt(OPERATIONS[name], clock, operation);
  return {
    upsertComment: async (pull, marker, body) => {
      const upsert = (blind: boolean) =>
        run('comment', () => upsertComment(client, pull, marker, body, blind));
      const posted = await upsert(false);
      return posted.ok ? posted : upsert(true);
    },
    adoptPull: (marker, pull) => run('adopt', () => adoptPull(client, marker, pull)),
    driftIssue: (marker, report) => run('issue', () => driftIssue(client, marker, report)),
    mergedPull: (commit) => run('pull', async () => (await mergedPull(client, commit))?.number),
    openPull: (repository, branch, commit) => run('fork', () => openPull(client, repository, branch, commit)),
    reviewedRun: (commit) => run('reviewed', () => reviewedRun(client, commit)),
    branchHead: (branch) => run('head', () => branchHead(client, branch)),
    setLabels: (pull, wanted, ours) => run('labels', () => setLabels(client, pull, wanted, ours)),
    startDeployment: (environment, commit, logUrl) =>
      run('deployment', () => startDeployment(client, environment, commit, logUrl)),
    finishDeployment: (deployment, state, description, logUrl) =>
      run('deployment', () => finishDeployment(client, deployment, state, description, logUrl)),
  };
}
