/** The terminal as the commands see it. */
import { mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { error, type Problem, ProblemError, type Result } from '../lib/problem.js';
import type { TextOptions } from '../report/terminal/paint.js';
import { problemsText } from '../report/terminal/problems.js';
import type { ProgressStream } from '../report/terminal/progress.js';

export interface Io {
  /** Results alone, so that a pipe gets nothing else. */
  readonly stdout: ProgressStream;
  /** Progress, problems, questions. */
  readonly stderr: ProgressStream;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
}

export type Environment = Io['env'];

/** Exit statuses, as the documents promise them. */
export const DONE = 0;
export const FAILED = 1;
export const DIFFERENT = 2;

/** https://no-color.org and https://force-color.org: set and not empty. */
export function textOptions(stream: ProgressStream, env: Environment): TextOptions {
  const colour = env.NO_COLOR ? false : env.FORCE_COLOR ? env.FORCE_COLOR !== '0' : stream.isTTY === true;
  return { colour, ...(stream.isTTY && stream.columns !== undefined ? { width: stream.columns } : {}) };
}

/** Prints problems where they do not disturb a result. */
export function complain({ stderr, env }: Io, problems: readonly Problem[]): void {
  if (problems.length > 0) stderr.write(problemsText(problems, textOptions(stderr, env)));
}

/** The value; else its problems are printed and there is none. Warnings are printed either way. */
export function reportProblems<T>(io: Io, result: Result<T>): { readonly value: T } | undefined {
  complain(io, result.problems);
  return result.ok ? { value: result.value } : undefined;
}

/** To standard output, or into a file with the folders above it. */
export async function emit(io: Io, text: string, file: string | undefined): Promise<void> {
  if (file === undefined || file === '-') io.stdout.write(text);
  else await writeText(file, text);
}

/** Writes a file, and creates the folders above it. @throws ProblemError `cannot-write` */
export async function writeText(file: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  } catch (thrown) {
    throw new ProblemError([cannotWrite(file, thrown)]);
  }
}

/** Asked before anything is done that a report would be missed of; what is in the files stays. */
export async function mustBeWritable(...files: readonly (string | undefined)[]): Promise<void> {
  const problems: Problem[] = [];
  for (const file of files)
    if (file !== undefined && file !== '-')
      await tryToWrite(file).catch((thrown: unknown) => problems.push(cannotWrite(file, thrown)));
  if (problems.length > 0) throw new ProblemError(problems);
}

async function tryToWrite(file: string): Promise<void> {
  const there = await stat(file).catch(() => undefined);
  // Whoever reads from a pipe would take this for the end.
  if (there?.isFIFO() || there?.isCharacterDevice()) return;
  await mkdir(dirname(file), { recursive: true });
  await (await open(file, 'a')).close();
  if (there === undefined) await rm(file);
}

const cannotWrite = (file: string, thrown: unknown): Problem =>
  error('cannot-write', `${file} cannot be written: ${failureOf(thrown)}.`, { hint: 'Choose another file.' });

/** The text of a file, or of standard input for `-`. */
export async function readText(io: Io, file: string): Promise<string> {
  if (file === '-') return readAll(io.stdin);
  try {
    return await readFile(file, 'utf8');
  } catch (thrown) {
    throw new ProblemError([error('cannot-read', `${file} cannot be read: ${failureOf(thrown)}.`)]);
  }
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of its path is not a directory',
  EEXIST: 'a part of its path is not a directory',
  ENOSPC: 'no space left on the device',
  EROFS: 'the file system is read-only',
};

/** Why a file operation failed, in words for the common error codes. */
export function failureOf(thrown: unknown): string {
  const { code, message } = thrown as NodeJS.ErrnoException;
  return REASONS[code ?? ''] ?? message;
}
