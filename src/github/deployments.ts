/** GitHub deployments, and the commits and pull requests that a deployment is about. */

import type { DeploymentState, Update } from './client.js';
import type { RepositoryApi } from './octokit.js';

/** Characters; GitHub refuses a longer description. */
const MAX_DESCRIPTION = 140;

/** Creates a deployment and marks it as in progress. It requires no status checks; a run that is retried continues its deployment. */
export async function startDeployment(
  { rest, owner, repo }: RepositoryApi,
  environment: string,
  commit: string,
  logUrl: string,
): Promise<number> {
  const { data: known } = await rest.repos.listDeployments({
    owner,
    repo,
    sha: commit,
    environment,
    task: 'deploy:firewall',
  });
  const again = known.find(({ payload }) => JSON.stringify(payload).includes(JSON.stringify(logUrl)));
  const id = again?.id ?? (await create());
  await rest.repos.createDeploymentStatus({
    owner,
    repo,
    deployment_id: id,
    state: 'in_progress',
    log_url: logUrl,
  });
  return id;

  async function create(): Promise<number> {
    const { data } = await rest.repos.createDeployment({
      owner,
      repo,
      ref: commit,
      environment,
      task: 'deploy:firewall',
      description: 'Firewall rules',
      auto_merge: false,
      required_contexts: [],
      payload: { log: logUrl },
    });
    if (!('id' in data)) throw new Error(data.message ?? 'GitHub merged instead of deploying');
    return data.id;
  }
}

/** Sets the final state of a deployment; a long description is cut. */
export async function finishDeployment(
  { rest, owner, repo }: RepositoryApi,
  id: number,
  state: DeploymentState,
  description: string,
  logUrl: string,
): Promise<Update> {
  await rest.repos.createDeploymentStatus({
    owner,
    repo,
    deployment_id: id,
    state,
    description: description.slice(0, MAX_DESCRIPTION),
    log_url: logUrl,
  });
  return { action: 'updated' };
}

/** The pull request whose merge made this commit; for a rebase or a squash too. */
export async function mergedPull({ rest, owner, repo }: RepositoryApi, commit: string) {
  const { data } = await rest.repos.listPullRequestsAssociatedWithCommit({ owner, repo, commit_sha: commit });
  const merged = data.filter((pull) => pull.merged_at !== null);
  return merged.find((pull) => pull.merge_commit_sha === commit) ?? merged[0];
}

/** The open pull request with this newest commit. By branch: GitHub does not list pull requests for commits of a fork. */
export async function openPull(
  { rest, owner, repo }: RepositoryApi,
  repository: string,
  branch: string,
  commit: string,
): Promise<number | undefined> {
  const [from = ''] = repository.split('/');
  const { data } = await rest.pulls.list({
    owner,
    repo,
    state: 'open',
    head: `${from}:${branch}`,
    per_page: 100,
  });
  return data.find(({ head }) => head.sha === commit && head.repo?.full_name === repository)?.number;
}

/** The newest commit of a branch. */
export async function branchHead({ rest, owner, repo }: RepositoryApi, branch: string): Promise<string> {
  return (await rest.repos.getBranch({ owner, repo, branch })).data.commit.sha;
}

/** Adds the labels that are missing and removes those of `ours` that are not wanted. */
export async function setLabels(
  { rest, owner, repo }: RepositoryApi,
  pull: number,
  wanted: readonly string[],
  ours: readonly string[],
): Promise<Update> {
  const { data } = await rest.issues.listLabelsOnIssue({ owner, repo, issue_number: pull, per_page: 100 });
  const present = new Set(data.map(({ name }) => name));
  const missing = wanted.filter((name) => !present.has(name));
  const extra = ours.filter((name) => present.has(name) && !wanted.includes(name));
  if (missing.length > 0)
    await rest.issues.addLabels({ owner, repo, issue_number: pull, labels: [...missing] });
  for (const name of extra) await rest.issues.removeLabel({ owner, repo, issue_number: pull, name });
  return { action: missing.length + extra.length === 0 ? 'unchanged' : 'updated' };
}
