/** The pull request that adopts drift into the policy: on a branch of ours, never over commits of other people. */
import { createHash } from 'node:crypto';
import { ProblemError, warning } from '../lib/problem.js';
import type { AdoptionPull, Marker, Update } from './client.js';
import { sameText, withMarker } from './marker.js';
import { findOurs, isNotFound, isOurs, type RepositoryApi } from './octokit.js';

/** One branch for each fleet of a repository; names that differ only in special characters get a hash. */
function adoptBranch(environment: string): string {
  if (environment === '') return 'sallyport/adopt-drift';
  const slug = environment.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  const suffix =
    slug === environment ? '' : `-${createHash('sha256').update(environment).digest('hex').slice(0, 8)}`;
  return `sallyport/adopt-drift-${slug}${suffix}`;
}

/**
 * Updates branch and pull request where they differ. Without files, an open pull request of ours is closed: the hosts are
 * as the policy says again.
 */
export async function adoptPull(client: RepositoryApi, marker: Marker, pull: AdoptionPull): Promise<Update> {
  const branch = adoptBranch(marker.environment);
  const open = await openPullOf(client, branch, marker);
  if (pull.files.length === 0) return open === undefined ? { action: 'none' } : close(client, open, pull);
  const moved = await updateBranch(client, branch, pull);
  const body = withMarker(marker, pull.body);
  if (open === undefined) return create(client, branch, pull, body);
  if (open.title === pull.title && sameText(open.body, body))
    return { action: moved ? 'updated' : 'unchanged', url: open.html_url };
  const { rest, owner, repo } = client;
  await rest.pulls.update({ owner, repo, pull_number: open.number, title: pull.title, body });
  return { action: 'updated', url: open.html_url };
}

type OurPull = NonNullable<Awaited<ReturnType<typeof openPullOf>>>;

async function openPullOf(client: RepositoryApi, branch: string, marker: Marker) {
  const { rest, owner, repo } = client;
  const { data } = await rest.pulls.list({
    owner,
    repo,
    head: `${owner}:${branch}`,
    state: 'open',
    per_page: 100,
  });
  const onBranch = data.filter(({ head }) => head.ref === branch);
  return (await findOurs(client, marker, onBranch))[0];
}

async function create(
  client: RepositoryApi,
  branch: string,
  pull: AdoptionPull,
  body: string,
): Promise<Update> {
  const { rest, owner, repo } = client;
  const { data } = await rest.pulls.create({
    owner,
    repo,
    title: pull.title,
    head: branch,
    base: pull.base,
    body,
  });
  return { action: 'created', url: data.html_url };
}

async function close(client: RepositoryApi, open: OurPull, { body }: AdoptionPull): Promise<Update> {
  const { rest, owner, repo } = client;
  await rest.issues.createComment({ owner, repo, issue_number: open.number, body });
  await rest.pulls.update({ owner, repo, pull_number: open.number, state: 'closed' });
  return { action: 'closed', url: open.html_url };
}

/**
 * Adds a commit on top of the branch, with the base as its second parent: the branch is never forced, and its tree is
 * the base with the files of this adoption.
 * @returns Whether the branch has moved.
 */
async function updateBranch(client: RepositoryApi, branch: string, pull: AdoptionPull): Promise<boolean> {
  const { rest, owner, repo } = client;
  const base = await rest.git.getCommit({ owner, repo, commit_sha: pull.commit });
  const { data: tree } = await rest.git.createTree({
    owner,
    repo,
    base_tree: base.data.tree.sha,
    tree: pull.files.map(({ path, text }) => ({ path, mode: '100644', type: 'blob', content: text })),
  });
  const head = await headOf(client, branch);
  if (head === undefined) {
    const commit = await commitOn([pull.commit]);
    await rest.git.createRef({ owner, repo, ref: `refs/heads/${branch}`, sha: commit });
    return true;
  }
  if (head.tree === tree.sha) return false;
  if (!head.ours)
    throw new ProblemError([
      warning(
        'adopt-branch-taken',
        `The newest commit of the branch \`${branch}\` is not from Sallyport, so nothing was added to it.`,
        { hint: 'Merge or delete the branch; until then the change is in the patch of this run.' },
      ),
    ]);
  const commit = await commitOn([...new Set([head.sha, pull.commit])]);
  await rest.git.updateRef({ owner, repo, ref: `heads/${branch}`, sha: commit, force: false });
  return true;

  async function commitOn(parents: readonly string[]): Promise<string> {
    const message = `${pull.title}\n\n${TRAILER}\n`;
    const made = await rest.git.createCommit({ owner, repo, message, tree: tree.sha, parents: [...parents] });
    return made.data.sha;
  }
}

/** By this and its author, a commit is recognised as ours. */
const TRAILER = 'Sallyport-Adopts: drift';

async function headOf(
  client: RepositoryApi,
  branch: string,
): Promise<{ readonly sha: string; readonly tree: string; readonly ours: boolean } | undefined> {
  const { rest, owner, repo } = client;
  let sha: string;
  try {
    sha = (await rest.git.getRef({ owner, repo, ref: `heads/${branch}` })).data.object.sha;
  } catch (thrown) {
    if (isNotFound(thrown)) return undefined;
    throw thrown;
  }
  const { data } = await rest.repos.getCommit({ owner, repo, ref: sha });
  const author = data.author !== null && 'login' in data.author ? data.author : null;
  const ours =
    data.commit.message.includes(TRAILER) && (await isOurs(client, author as { login: string } | null));
  return { sha, tree: data.commit.tree.sha, ours };
}
