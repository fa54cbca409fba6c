/** One repository at GitHub's API, with the token of the job. */
import { getOctokit } from '@actions/github';

type Octokit = ReturnType<typeof getOctokit>;

export interface RepositoryApi {
  readonly rest: Octokit['rest'];
  readonly paginate: Octokit['paginate'];
  readonly owner: string;
  readonly repo: string;
  /** The login that the token acts as; `undefined` where GitHub does not tell. Asked once. */
  readonly viewer: () => Promise<string | undefined>;
}

export interface ClientOptions {
  readonly token: string;
  /** `https://api.github.com`, or a GitHub Enterprise's. */
  readonly apiUrl: string;
  /** `owner/name`. */
  readonly repository: string;
  /** Milliseconds until an answer is given up on. */
  readonly timeout?: number;
}

/** GitHub gives up on a request after ten seconds; a proxy between may not. */
const DEFAULT_TIMEOUT = 20_000;

export function connect({
  token,
  apiUrl,
  repository,
  timeout = DEFAULT_TIMEOUT,
}: ClientOptions): RepositoryApi {
  // Without a token the action asks nothing; the library still wants one to be made.
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

/** GraphQL knows the login of an app's token (`github-actions[bot]`); REST only that of a person's. */
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

/**
 * Whether this author is us. When GitHub does not say who we are, only a bot can be: a person who pastes our marker
 * into a comment is none.
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

/**
 * GraphQL may name an app without what REST gives it. The other way round there is nothing to allow for: a person may
 * have the bare name of an app.
 */
const bare = (login: string): string => (login.endsWith(BOT) ? login.slice(0, -BOT.length) : login);
