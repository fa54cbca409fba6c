/** Checks a folder with untrusted files before any of them is opened. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { error, type Problem } from '../../lib/problem.js';

/** More than the policy of 3,000 hosts needs. */
const MOST_ENTRIES = 8_000;
const MOST_BYTES = 32 * 1024 * 1024;
const LARGEST_FILE = 4 * 1024 * 1024;
/** `policies/hosts/web-1.yml` is two levels deep. */
const DEEPEST = 3;

/** Names that are valid on every system and need no escaping in messages. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,120}$/;

/** Why the folder must not be read: links, devices, special characters in names, sizes. Stops at the first problem. */
export async function unsafeTree(folder: string): Promise<readonly Problem[]> {
  const top = await lstat(folder).catch(() => undefined);
  if (top?.isDirectory() !== true) return [refused(`${folder} is not a folder`)];
  const todo = [{ path: folder, depth: 1 }];
  let [entries, bytes] = [0, 0];
  for (let next = todo.pop(); next !== undefined; next = todo.pop())
    for (const name of await readdir(next.path)) {
      const path = join(next.path, name);
      const { size, isFile, isFolder } = await kindOf(path);
      entries += 1;
      bytes += size;
      if (!NAME.test(name))
        return [
          refused(
            `a name in ${next.path} has characters that are not allowed: ${JSON.stringify(name).slice(0, 80)}`,
          ),
        ];
      if (!isFile && !isFolder) return [refused(`${path} is neither a file nor a directory`)];
      if (size > LARGEST_FILE) return [refused(`${path} is larger than ${LARGEST_FILE / 1024 / 1024} MiB`)];
      if (entries > MOST_ENTRIES) return [refused(`it holds more than ${MOST_ENTRIES} files`)];
      if (bytes > MOST_BYTES) return [refused(`it is larger than ${MOST_BYTES / 1024 / 1024} MiB`)];
      if (isFolder && next.depth === DEEPEST) return [refused(`${path} is nested too deeply`)];
      if (isFolder) todo.push({ path, depth: next.depth + 1 });
    }
  return [];
}

/** Of the entry itself: a link is neither file nor folder. */
async function kindOf(
  path: string,
): Promise<{ readonly size: number; readonly isFile: boolean; readonly isFolder: boolean }> {
  const found = await lstat(path);
  const isFile = found.isFile() && found.nlink === 1;
  return { size: isFile ? found.size : 0, isFile, isFolder: found.isDirectory() };
}

const refused = (why: string): Problem =>
  error('untrusted-files', `The files of the pull request are not read: ${why}.`, {
    hint: 'The artifact must hold the policy folder and nothing else.',
  });
