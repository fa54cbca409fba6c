/** Reads a policy folder; the one file of this room that touches the disk. */
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { byLocation, error, type Problem, type Result } from '../lib/problem.js';
import type { Fleet } from './fleet.js';
import { type ReadOptions, readFleet } from './resolve/fleet.js';

export { type ReadOptions, readFleet } from './resolve/fleet.js';

/**
 * Loads the policy in a folder: every problem of every file at once. Paths in problems are relative to the working
 * directory where the folder lies in it.
 */
export async function loadFleet(directory: string, options: ReadOptions = {}): Promise<Result<Fleet>> {
  const { folder, paths, files, problems } = await readFolder(directory);
  if (paths.length === 0 && problems.length > 0) return { ok: false, problems };
  const read = readFleet(files, folder, options);
  if (problems.length === 0) return read;
  // What stands in a file that cannot be read is not missing: the faults of the others come after it.
  return {
    ok: false,
    problems: [
      ...problems,
      ...read.problems.filter(({ id }) => !id.startsWith('undefined-') && id !== 'missing-file'),
    ].toSorted(byLocation),
  };
}

/** The texts of a policy folder, by the path that problems show, for those who edit them. */
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
  const folder = shown(directory);
  const problems: Problem[] = [];
  const paths = await policyPaths(folder, problems);
  const texts = await Promise.all(paths.map(async (path) => [path, await readText(path)] as const));
  const files = new Map<string, string>();
  for (const [path, text] of texts)
    if (typeof text === 'string') files.set(path, text);
    else problems.push(text);
  return { folder, paths, files, problems };
}

function shown(directory: string): string {
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
      if (entry.folder)
        problems.push(
          error(
            'stray-folder',
            'Folders in here are not read.',
            start(entry.path),
            'Move its files into the folder above.',
          ),
        );
      else if (isYaml(entry.path)) paths.push(entry.path);
  }
  return paths;
}

const isYaml = (path: string): boolean => /\.ya?ml$/.test(path);
const start = (file: string) => ({ file, line: 1, column: 1 });

interface Entry {
  readonly name: string;
  readonly path: string;
  readonly folder: boolean;
}

/** Links count as what they lead to; hidden files belong to other programs. */
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
      codeOf(cause) === 'ENOENT'
        ? 'Name the folder of the policy; "sallyport init" writes an example.'
        : undefined;
    problems.push(
      error('unreadable-folder', `The folder cannot be read: ${reasonOf(cause)}.`, start(folder), hint),
    );
    return [];
  }
}

async function readText(path: string): Promise<string | Problem> {
  try {
    const bytes = await readFile(path);
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      return error(
        'not-utf-8',
        'The file is not text in UTF-8.',
        { file: path, ...firstBadByte(bytes) },
        'Save it as UTF-8.',
      );
    }
  } catch (cause) {
    return error('unreadable-file', `The file cannot be read: ${reasonOf(cause)}.`, start(path));
  }
}

/** The first place at which the decoder has to put a replacement for what is no UTF-8. */
function firstBadByte(bytes: Buffer): { readonly line: number; readonly column: number } {
  const text = bytes.toString('utf8');
  const before = text.slice(0, Math.max(text.indexOf('\uFFFD'), 0));
  return { line: before.split('\n').length, column: before.length - before.lastIndexOf('\n') };
}

const codeOf = (cause: unknown): string => (cause as NodeJS.ErrnoException).code ?? 'unknown';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it is not there',
  EACCES: 'it may not be read',
  ELOOP: 'its links lead in a circle',
  EISDIR: 'it is a folder',
  ENOTDIR: 'it is no folder',
};
const reasonOf = (cause: unknown): string => REASONS[codeOf(cause)] ?? codeOf(cause);
