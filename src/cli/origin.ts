/** The origin of a change: the commit of the policy, and the person. */
import { execFile } from 'node:child_process';
import { hostname, userInfo } from 'node:os';
import type { Environment } from './io.js';

/** The commit of the policy; `undefined` when it has uncommitted edits or is not in git. */
export async function commitOf(folder: string, env: Environment): Promise<string | undefined> {
  const [changed, head] = await Promise.all([
    git(folder, 'status', '--porcelain', '--', '.'),
    git(folder, 'rev-parse', 'HEAD'),
  ]);
  if (changed === undefined) return env.GITHUB_SHA || env.CI_COMMIT_SHA || undefined;
  return changed === '' ? head : undefined;
}

/** `anna@laptop`, for the lock on each host. */
export function ownerOf(env: Environment): string {
  const name = env.GITLAB_USER_LOGIN ?? env.USER ?? env.LOGNAME ?? userInfo().username;
  return `${name}@${hostname()}`;
}

const git = (folder: string, ...words: readonly string[]): Promise<string | undefined> =>
  new Promise((resolve) => {
    execFile('git', ['-C', folder, ...words], { timeout: 5000 }, (failed, stdout) =>
      resolve(failed === null ? stdout.trim() : undefined),
    );
  });
