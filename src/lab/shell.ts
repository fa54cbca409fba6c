/** Runs programs for the lab: arguments as a list, input on stdin, output as text. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { error, ProblemError } from '../lib/problem.js';

export interface ProcessResult {
  /** The exit status; 128 plus the signal number after a signal, as in a shell. */
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

/** A ProblemError with one error of the lab. */
export const labError = (id: string, message: string, hint?: string): ProblemError =>
  new ProblemError([error(id, message, { hint })]);

/** Runs a program until it exits. Rejects only if it cannot be started. */
export function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<ProcessResult> {
  return collectOutput(spawn(command, [...args], piped(options)), options.input);
}

/** As {@link run}, but returns stdout; throws a {@link ProblemError} with the last output if the status is not 0. */
export async function must(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const ran = await run(command, args, options);
  if (ran.code === 0) return ran.stdout;
  throw labError(
    'lab-command-failed',
    `${[command, ...args].join(' ').slice(0, 200)} exited with status ${ran.code}: ${lastLines(ran.stderr || ran.stdout)}`,
  );
}

/** Writes `input` to a started program and collects its output until it exits. */
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
    // A program may exit without reading its input.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

/** This process's environment with sbin in PATH, which root may lack after `su`. */
export const systemEnv: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`,
};

const piped = ({ env = systemEnv, cwd }: RunOptions): SpawnOptions => ({
  stdio: ['pipe', 'pipe', 'pipe'],
  env,
  cwd,
});

/** Resolves when the program has printed exactly `line`; rejects with its last output if it exits first. */
export function waitForLine(child: ChildProcess, line: string): Promise<void> {
  const printed = new Promise<void>((resolve) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-4000);
      if (text.split('\n').includes(line)) resolve();
    });
  });
  return Promise.race([printed, rejectOnExit(child)]);
}

/** Rejects with the program's last stderr output when it exits; never resolves. */
export function rejectOnExit(child: ChildProcess): Promise<never> {
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-4000);
  });
  return new Promise((_, reject) => {
    child.once('error', reject);
    child.once('close', (code) =>
      reject(
        labError(
          'lab-start-failed',
          `The program exited with status ${code} before it was ready: ${lastLines(stderr)}`,
        ),
      ),
    );
  });
}

/** Polls until the result is not `undefined`; throws a {@link ProblemError} after so many seconds. */
export async function until<T>(
  what: string,
  poll: () => T | undefined | Promise<T | undefined>,
  seconds = 20,
): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const result = await poll();
    if (result !== undefined) return result;
    if (performance.now() > deadline)
      throw labError('lab-deadline', `Timed out after ${seconds} seconds: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const lastLines = (text: string): string => text.trim().split('\n').slice(-8).join('\n');
