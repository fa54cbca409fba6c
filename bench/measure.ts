/** A command as a whole process: wall time and peak memory, the median of several runs. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..');
export const CLI = join(ROOT, 'dist/cli.js');

export interface Measured {
  readonly seconds: number;
  readonly megabytes: number;
  readonly status: number | null;
  readonly stderr: string;
}

/** Makes a process report its own peak memory on descriptor 3 as it ends. */
export const REPORT_PEAK = `data:text/javascript,import{writeSync}from"node:fs";process.on("exit",()=>writeSync(3,String(process.resourceUsage().maxRSS)))`;

/** Runs `node dist/cli.js …` once; its output is discarded. Reporting the peak takes time itself. */
function once(args: readonly string[], what: 'time' | 'peak'): Promise<Measured> {
  return new Promise((resolve, reject) => {
    const started = process.hrtime.bigint();
    const child = spawn(
      process.execPath,
      [...(what === 'peak' ? ['--import', REPORT_PEAK] : []), CLI, ...args],
      {
        stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      },
    );
    let [peak, stderr] = ['', ''];
    child.stdio[3]?.on('data', (chunk) => {
      peak += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      stderr += chunk;
    });
    child.once('error', reject);
    child.once('close', (status) =>
      resolve({
        seconds: Number(process.hrtime.bigint() - started) / 1e9,
        megabytes: Number(peak) / 1024,
        status,
        stderr,
      }),
    );
  });
}

/**
 * Some runs for the time, and one for the memory.
 * @throws Error when the exit status is not an expected one: a failure is not a measurement.
 */
export async function measure(
  args: readonly string[],
  expected: readonly number[],
  runs = 5,
): Promise<Measured> {
  const all: Measured[] = [];
  for (let run = 0; run <= runs; run++) {
    const one = await once(args, run === runs ? 'peak' : 'time');
    if (one.status === null || !expected.includes(one.status))
      throw new Error(`sallyport ${args.join(' ')} ended with ${one.status}: ${one.stderr.slice(-2000)}`);
    all.push(one);
  }
  return {
    ...median(all.slice(0, runs), ({ seconds }) => seconds),
    megabytes: all[runs]?.megabytes ?? 0,
  };
}

export const median = <T>(of: readonly T[], key: (one: T) => number): T =>
  of.toSorted((a, b) => key(a) - key(b))[of.length >> 1] as T;
