/** Errors of GitHub's API as problems: what failed, how to fix it, and when to retry. */
import { failure, type Problem, ProblemError, type Result, warning } from '../lib/problem.js';

/** An operation in messages, and the permission that the job needs for it. */
export interface Operation {
  /** Completes "Cannot …": `post the comment`. */
  readonly what: string;
  /** As a workflow names it: `pull-requests: write`. */
  readonly permission: string;
}

/** The time for retries; tests pass one that does not wait. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  sleep(milliseconds: number): Promise<void>;
}

interface ApiError {
  readonly problem: Problem;
  /** Milliseconds until a retry may succeed; `null`: after the next back-off; `undefined`: never. */
  readonly retryAfter: number | null | undefined;
}

const BACK_OFF = [1_000, 4_000, 15_000];
/** Milliseconds that one operation may take over all tries: a report is not worth more of a job's time. */
const TIME_LIMIT = 120_000;

/**
 * Runs an idempotent operation until it succeeds, cannot succeed, or the time is up. Never throws.
 */
export async function attempt<T>(
  operation: Operation,
  clock: Clock,
  run: () => Promise<T>,
): Promise<Result<T>> {
  const deadline = clock.now() + TIME_LIMIT;
  for (let tries = 0; ; tries += 1) {
    try {
      return { ok: true, value: await run(), problems: [] };
    } catch (thrown) {
      if (thrown instanceof ProblemError) return { ok: false, problems: thrown.problems };
      const { problem, retryAfter } = apiError(thrown, operation, clock.now());
      const step = BACK_OFF[tries];
      if (retryAfter === undefined || step === undefined) return failure(problem);
      const wait = Math.max(retryAfter ?? 0, step);
      if (clock.now() + wait > deadline) return failure(problem);
      await clock.sleep(wait);
    }
  }
}

/** https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api */
function apiError(thrown: unknown, operation: Operation, now: number): ApiError {
  const { status, headers, message } = describe(thrown);
  const limited = rateLimit(status, headers, message, now);
  if (limited !== undefined) return rateLimited(operation, limited, now);
  const known = ERRORS[status];
  if (known !== undefined)
    return {
      problem: warning(known.id, `Cannot ${operation.what}: ${known.why}.`, {
        hint: known.hint(operation, message),
      }),
      retryAfter: undefined,
    };
  return {
    problem: warning('github-fault', `Cannot ${operation.what}: ${message}.`, {
      hint: status >= 500 ? 'Run the job again when GitHub works: https://www.githubstatus.com.' : undefined,
    }),
    retryAfter: status >= 500 ? null : undefined,
  };
}

const ERRORS: {
  readonly [status: number]: {
    readonly id: string;
    readonly why: string;
    readonly hint: (operation: Operation, message: string) => string;
  };
} = {
  401: {
    id: 'github-unauthorized',
    why: 'GitHub does not accept the token (401)',
    hint: () => 'Give the action the token of the job as `github-token`, or one that has not expired.',
  },
  403: {
    id: 'github-forbidden',
    why: 'the token has no permission for it (403)',
    hint: ({ permission }, message) =>
      /not permitted to create or approve pull requests/i.test(message)
        ? 'Tick "Allow GitHub Actions to create and approve pull requests" in the settings of the repository, under Actions.'
        : `Give the job \`permissions: { ${permission} }\`; a pull request from a fork never has it.`,
  },
  404: {
    id: 'github-not-found',
    why: 'not found, or the token has no permission to read it (404)',
    hint: ({ permission }) =>
      `Give the job \`permissions: { ${permission} }\`, and check whether it was deleted.`,
  },
  410: {
    id: 'github-gone',
    why: 'it is disabled in this repository (410)',
    hint: () => 'Enable issues in the settings of the repository.',
  },
  422: {
    id: 'github-invalid',
    why: 'GitHub does not accept the content (422)',
    hint: (_, message) => `GitHub says: ${message}.`,
  },
};

function rateLimited(operation: Operation, wait: number, now: number): ApiError {
  const until = new Date(now + wait).toISOString().slice(11, 16);
  const message = `Cannot ${operation.what}: the rate limit of the token is used up until ${until} UTC.`;
  return {
    problem: warning('github-rate-limit', message, { hint: 'Run the job again after that.' }),
    retryAfter: wait,
  };
}

/** Milliseconds to wait where this is the primary or the secondary rate limit. */
function rateLimit(status: number, headers: Headers, message: string, now: number): number | undefined {
  if (status !== 403 && status !== 429) return undefined;
  const retryAfter = Number(headers['retry-after']);
  if (Number.isFinite(retryAfter) && retryAfter >= 0) return retryAfter * 1000;
  if (headers['x-ratelimit-remaining'] === '0')
    return Math.max(0, Number(headers['x-ratelimit-reset'] ?? 0) * 1000 - now);
  return status === 429 || /rate limit/i.test(message) ? 60_000 : undefined;
}

type Headers = { readonly [name: string]: string | number | undefined };

/** The parts of octokit's RequestError; a failed connection has no status and counts as a server error. */
function describe(thrown: unknown): {
  readonly status: number;
  readonly headers: Headers;
  readonly message: string;
} {
  const error = thrown as {
    readonly status?: unknown;
    readonly message?: unknown;
    readonly response?: { readonly headers?: Headers };
  };
  return {
    status: typeof error.status === 'number' ? error.status : 500,
    headers: error.response?.headers ?? {},
    message:
      String(error.message ?? thrown)
        .split('\n')[0]
        ?.replace(/ - https:\S+$/, '')
        .replace(/\.$/, '') ?? '',
  };
}
