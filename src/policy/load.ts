/** Reads a policy folder; the only file of this module with side effects. */
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { addError, byLocation, error, type Problem, type Result } from '../lib/problem.js';
import { fileStart, textPosition } from './files/yaml.js';
import type { Fleet } from './fleet.js';
import { type ReadOptions, readFleet } from './resolve/fleet.js';

export { type ReadOptions, readFleet } from './resolve/fleet.js';

/**
 * Loads the policy in a folder, with every problem of every file at once. Paths in problems are relative to the working
 * directory if the folder is inside it.
 */
export async function loadFleet(directory: string, options: ReadOptions = {}): Promise<Result<Fleet>> {
  const { folder, paths, files, problems } = await readFolder(directory);
  if (paths.length === 0 && problems.length > 0) return { ok: false, problems };
  const read = readFleet(files, folder, options);
  if (problems.length === 0) return read;
  // A name that seems undefined may be defined in the file that cannot be read.
  const others = read.problems.filter(({ id }) => !id.startsWith('undefined-') && id !== 'missing-file');
  return { ok: false, problems: [...problems, ...others].toSorted(byLocation) };
}

/** The texts of a policy folder by the path that problems show, for editing. */
export async function policyFiles(directory: string): Promise<Result<ReadonlyMap<string, string>>> {
  const { files, problems } = await readFolder(directory);
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: files, problems };
}

interface Folder {
  readonly folder: string;
  readonly paths: readonly string[];
  readonly files: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
}

async function readFolder(directory: string): Promise<Folder> {
  const folder = displayPath(directory);
  const problems: Problem[] = [];
  const paths = await policyPaths(folder, problems);
  const texts = await Promise.all(paths.map(async (path) => [path, await readText(path)] as const));
  const files = new Map<string, string>();
  for (const [path, text] of texts)
    if (typeof text === 'string') files.set(path, text);
    else problems.push(text);
  return { folder, paths, files, problems };
}

function displayPath(directory: string): string {
  const local = relative(process.cwd(), resolve(directory));
  const path = local === '' ? '.' : local.startsWith('..') ? directory : local;
  return path.replaceAll('\\', '/').replace(/(.)\/+$/, '$1');
}

async function policyPaths(folder: string, problems: Problem[]): Promise<readonly string[]> {
  const top = await list(folder, problems);
  const paths = top.filter(({ folder: isFolder, path }) => !isFolder && isYaml(path)).map(({ path }) => path);
  for (const { path, name, folder: isFolder } of top) {
    if (name !== 'roles' && name !== 'hosts') continue;
    if (!isFolder) continue;
    for (const entry of await list(path, problems))
      if (entry.folder) {
        const hint = 'Move its files to the parent folder.';
        addError(problems, 'stray-folder', 'Subfolders are not read.', {
          location: fileStart(entry.path),
          hint,
        });
      } else if (isYaml(entry.path)) paths.push(entry.path);
  }
  return paths;
}

const isYaml = (path: string): boolean => /\.ya?ml$/.test(path);

interface Entry {
  readonly name: string;
  readonly path: string;
  readonly folder: boolean;
}

/** Follows symbolic links; skips hidden files, which belong to other programs. */
async function list(folder: string, problems: Problem[]): Promise<readonly Entry[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries
      .filter(({ name }) => !name.startsWith('.'))
      .map((entry) => ({
        name: entry.name,
        path: folder === '.' ? entry.name : join(folder, entry.name).replaceAll('\\', '/'),
        folder:
          entry.isDirectory() ||
          (entry.isSymbolicLink() && (entry.name === 'roles' || entry.name === 'hosts')),
      }));
  } catch (cause) {
    const hint =
      codeOf(cause) === 'ENOENT' ? 'Pass the policy folder; "sallyport init" writes an example.' : undefined;
    const message = `Cannot read the folder: ${reasonOf(cause)}.`;
    addError(problems, 'unreadable-folder', message, { location: fileStart(folder), hint });
    return [];
  }
}

async function readText(path: string): Promise<string | Problem> {
  try {
    const bytes = await readFile(path);
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      // The decoder replaces invalid bytes by U+FFFD.
      const decoded = bytes.toString('utf8');
      const location = { file: path, ...textPosition(decoded, Math.max(decoded.indexOf('\uFFFD'), 0)) };
      return error('not-utf-8', 'The file is not valid UTF-8.', { location, hint: 'Save it as UTF-8.' });
    }
  } catch (cause) {
    return error('unreadable-file', `Cannot read the file: ${reasonOf(cause)}.`, {
      location: fileStart(path),
    });
  }
}

const codeOf = (cause: unknown): string => (cause as NodeJS.ErrnoException).code ?? 'unknown';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  ELOOP: 'too many levels of symbolic links',
  EISDIR: 'is a directory',
  ENOTDIR: 'not a directory',
};
const reasonOf = (cause: unknown): string => REASONS[codeOf(cause)] ?? codeOf(cause);
