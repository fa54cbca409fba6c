/** The run that has the reviewed plan of a merged commit. */
import { mergedPull } from './deployments.js';
import type { RepositoryApi } from './octokit.js';

/** The name of the artifact in the plan workflow. */
const ARTIFACT = 'firewall-plan';
/** Runs of one commit: more than one only when somebody runs the plan again. */
const MOST_RUNS = 10;

/**
 * The newest run for this commit, or for the newest commit of the pull request that merged it, that still has a plan;
 * `undefined` when there is none. Runs of forks are ignored: their plans cannot be trusted.
 */
export async function reviewedRun(client: RepositoryApi, commit: string): Promise<number | undefined> {
  const merged = (await mergedPull(client, commit))?.head.sha;
  for (const head of [commit, ...(merged === undefined ? [] : [merged])])
    for (const run of await ownRuns(client, head)) if (await holdsPlan(client, run)) return run;
  return undefined;
}

const PLANNED: ReadonlySet<string> = new Set(['pull_request', 'merge_group']);

/** Newest first, as GitHub lists them. */
async function ownRuns({ rest, owner, repo }: RepositoryApi, head: string): Promise<readonly number[]> {
  const { data } = await rest.actions.listWorkflowRunsForRepo({
    owner,
    repo,
    head_sha: head,
    status: 'completed',
    per_page: 100,
  });
  return data.workflow_runs
    .filter(
      ({ event, head_repository: from }) => PLANNED.has(event) && from?.full_name === `${owner}/${repo}`,
    )
    .map(({ id }) => id)
    .slice(0, MOST_RUNS);
}

async function holdsPlan({ rest, owner, repo }: RepositoryApi, run: number): Promise<boolean> {
  const { data } = await rest.actions.listWorkflowRunArtifacts({ owner, repo, run_id: run, name: ARTIFACT });
  return data.artifacts.some(({ name, expired }) => name === ARTIFACT && !expired);
}
