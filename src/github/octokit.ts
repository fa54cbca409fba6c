/** One repository at GitHub's API, with the token of the job. */
import { getOctokit } from '@actions/github';
import type { Marker } from './client.js';
import { hasMarker } from './marker.js';

type Octokit = ReturnType<typeof getOctokit>;

export interface RepositoryApi {
  readonly rest: Octokit['rest'];
  readonly paginate: Octokit['paginate'];
  readonly owner: string;
  readonly repo: string;
  /** The login of the token; `undefined` where GitHub does not return it. Requested once. */
  readonly viewer: () => Promise<string | undefined>;
}

export interface ClientOptions {
  readonly token: string;
  /** `https://api.github.com`, or a GitHub Enterprise's. */
  readonly apiUrl: string;
  /** `owner/name`. */
  readonly repository: string;
  /** Milliseconds until a request fails. */
  readonly timeout?: number;
}

/** GitHub ends a request after ten seconds; a proxy may not. */
const DEFAULT_TIMEOUT = 20_000;

/** Octokit for one repository. */
export function connect({
  token,
  apiUrl,
  repository,
  timeout = DEFAULT_TIMEOUT,
}: ClientOptions): RepositoryApi {
  // Without a token the action sends nothing, but octokit requires one.
  const octokit = getOctokit(token === '' ? 'none' : token, { baseUrl: apiUrl });
  octokit.hook.before('request', (options) => {
    options.request = { ...options.request, signal: AbortSignal.timeout(timeout) };
  });
  const [owner = '', repo = ''] = repository.split('/');
  let viewer: Promise<string | undefined> | undefined;
  return {
    rest: octokit.rest,
    paginate: octokit.paginate,
    owner,
    repo,
    viewer: () => {
      viewer ??= login(octokit);
      return viewer;
    },
  };
}

/** GraphQL returns the login of an app's token (`github-actions[bot]`); REST only that of a person's. */
async function login(octokit: Octokit): Promise<string | undefined> {
  try {
    const answer = await octokit.graphql<{ viewer: { login: string } }>('query { viewer { login } }');
    return answer.viewer.login;
  } catch {
    try {
      return (await octokit.rest.users.getAuthenticated()).data.login;
    } catch {
      return undefined;
    }
  }
}

interface Text {
  readonly body?: string | null;
  readonly user: Parameters<typeof isOurs>[1];
}

/** The comments, issues or pull requests that have this marker and that our token wrote. */
export async function findOurs<T extends Text>(
  client: RepositoryApi,
  marker: Marker,
  texts: readonly T[],
): Promise<readonly T[]> {
  const found: T[] = [];
  for (const text of texts)
    if (hasMarker(marker, text.body) && (await isOurs(client, text.user))) found.push(text);
  return found;
}

/** Whether GitHub answered 404. */
export const isNotFound = (thrown: unknown): boolean => (thrown as { status?: number }).status === 404;

/**
 * Whether this author is the login of our token. Where that is unknown, any bot is: a person may have pasted our marker
 * into a comment.
 */
export async function isOurs(
  client: RepositoryApi,
  user: { readonly login: string; readonly type?: string } | null,
): Promise<boolean> {
  const viewer = await client.viewer();
  if (user === null) return false;
  if (viewer === undefined) return user.type === 'Bot';
  return viewer.endsWith(BOT) ? user.login === viewer : bare(user.login) === viewer;
}

const BOT = '[bot]';

/** GraphQL may return an app's login without `[bot]`. Not the reverse: a person may have the bare name of an app. */
const bare = (login: string): string => (login.endsWith(BOT) ? login.slice(0, -BOT.length) : login);
