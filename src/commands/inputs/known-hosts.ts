/** The known_hosts files that a policy names. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { error, failure, type Result } from '../../lib/problem.js';
import type { Chosen } from './fleet.js';

/** The text of every file that the chosen hosts name; a file that cannot be read is a problem, never an empty one. */
export async function knownHostsTexts({ fleet, hosts }: Chosen): Promise<Result<readonly string[]>> {
  const named = new Set([fleet, ...hosts].flatMap(({ ssh }) => ssh.knownHosts ?? []));
  if (named.size === 0)
    return failure(
      error('no-known-hosts', 'No known_hosts file given: host keys cannot be verified.', {
        hint: 'Set `ssh.known_hosts` in fleet.yml, or give --known-hosts.',
      }),
    );
  const files = [...named].map((name) => resolve(fleet.directory, name));
  const read = await Promise.all(files.map(readText));
  const problems = read.flatMap((one) => one.problems);
  return problems.length > 0
    ? { ok: false, problems }
    : { ok: true, value: read.flatMap((one) => (one.ok ? [one.value] : [])), problems };
}

async function readText(file: string): Promise<Result<string>> {
  try {
    return { ok: true, value: await readFile(file, 'utf8'), problems: [] };
  } catch {
    return failure(
      error('known-hosts-unreadable', `${file} cannot be read: host keys cannot be verified.`, {
        hint: 'Collect the keys with `ssh-keyscan HOST`, and compare them with the keys on the hosts before you trust them.',
      }),
    );
  }
}
