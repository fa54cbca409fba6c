/** The comment of ours on a pull request, which is updated instead of posted again. */
import type { Marker, Update } from './client.js';
import { sameText, withMarker } from './marker.js';
import { findOurs, isNotFound, type RepositoryApi } from './octokit.js';

/**
 * Finds our comment by its marker and author, and updates it where the text differs; posts a new one when it was deleted.
 * Duplicates, which two jobs at once can leave, are removed; the oldest stays.
 * @param blind When the comments cannot be listed, post a new one: a second comment is better than none.
 */
export async function upsertComment(
  client: RepositoryApi,
  pull: number,
  marker: Marker,
  body: string,
  blind: boolean,
): Promise<Update> {
  const text = withMarker(marker, body);
  const [first, ...others] = await ownComments(client, pull, marker).catch((thrown: unknown) => {
    if (blind) return [];
    throw thrown;
  });
  for (const other of others) await deleteComment(client, other.id);
  if (first === undefined) return create(client, pull, text);
  if (sameText(first.body, text)) return { action: 'unchanged', url: first.html_url };
  return update(client, pull, first.id, text);
}

async function ownComments(client: RepositoryApi, pull: number, marker: Marker) {
  const { owner, repo } = client;
  const all = await client.paginate(client.rest.issues.listComments, {
    owner,
    repo,
    issue_number: pull,
    per_page: 100,
  });
  return (await findOurs(client, marker, all)).toSorted((a, b) => a.id - b.id);
}

async function create({ rest, owner, repo }: RepositoryApi, pull: number, body: string): Promise<Update> {
  const { data } = await rest.issues.createComment({ owner, repo, issue_number: pull, body });
  return { action: 'created', url: data.html_url };
}

async function update(client: RepositoryApi, pull: number, id: number, body: string): Promise<Update> {
  const { rest, owner, repo } = client;
  try {
    const { data } = await rest.issues.updateComment({ owner, repo, comment_id: id, body });
    return { action: 'updated', url: data.html_url };
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown;
    return create(client, pull, body);
  }
}

async function deleteComment({ rest, owner, repo }: RepositoryApi, id: number): Promise<void> {
  try {
    await rest.issues.deleteComment({ owner, repo, comment_id: id });
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown;
  }
}
