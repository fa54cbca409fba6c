/** The lab's only way to start programs: arguments as a list, input on stdin, everything it said as text. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { error, ProblemError } from '../lib/problem.js';

export interface ProcessResult {
  /** The exit status; 128 plus the signal's number when a signal ended it, as a shell would say. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGKILL: 9,
  SIGPIPE: 13,
  SIGTERM: 15,
};

/** Runs a program to its end. Rejects only when it cannot be started. */
export function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<ProcessResult> {
  return collectOutput(spawn(command, [...args], piped(options)), options.input);
}

/** As {@link run}, but anything other than exit status 0 is a {@link ProblemError} that quotes what it said. */
export async function must(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const ran = await run(command, args, options);
  if (ran.code === 0) return ran.stdout;
  throw new ProblemError([
    error(
      'lab-command-failed',
      `${[command, ...args].join(' ').slice(0, 200)} ended with status ${ran.code}: ${lastLines(ran.stderr || ran.stdout)}`,
    ),
  ]);
}

/** Feeds `input` to a started program and collects what it says until it ends. */
export function collectOutput(child: ChildProcess, input = ''): Promise<ProcessResult> {
  return new Promise((resolve, reject) => {
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
    child.once('error', reject);
    child.once('close', (code, signal) =>
      resolve({
        code: code ?? 128 + (SIGNALS[signal ?? ''] ?? 0),
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      }),
    );
    // A program that ends without reading its input is no fault of the caller's.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

/** Root's path may lack the sbin directories when it came through `su`. */
export const systemEnv: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`,
};

const piped = ({ env = systemEnv, cwd }: RunOptions): SpawnOptions => ({
  stdio: ['pipe', 'pipe', 'pipe'],
  env,
  ...(cwd === undefined ? {} : { cwd }),
});

/** Resolves when the program has written a line that is exactly `line`; rejects with its words when it ends first. */
export function waitForLine(child: ChildProcess, line: string): Promise<void> {
  const said = new Promise<void>((resolve) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-4000);
      if (text.split('\n').includes(line)) resolve();
    });
  });
  return Promise.race([said, rejectOnExit(child)]);
}

/** Rejects with the program's last words when it ends; never resolves. */
export function rejectOnExit(child: ChildProcess): Promise<never> {
  let words = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-4000);
  });
  return new Promise((_, reject) => {
    child.once('error', reject);
    child.once('close', (code) =>
      reject(
        new ProblemError([
          error('lab-start-failed', `It ended with status ${code} before it was ready: ${lastLines(words)}`),
        ]),
      ),
    );
  });
}

/** Asks again and again until the answer is not `undefined`; a {@link ProblemError} at the deadline. */
export async function until<T>(
  what: string,
  ask: () => T | undefined | Promise<T | undefined>,
  seconds = 20,
): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline)
      throw new ProblemError([error('lab-deadline', `${what}: not within ${seconds} seconds.`)]);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** One word for a POSIX shell, whatever it holds. */
export const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

const lastLines = (text: string): string => text.trim().split('\n').slice(-8).join('\n');
