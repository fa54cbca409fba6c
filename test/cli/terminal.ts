/** A terminal in memory: what a command prints, and how it ends. */
import { Readable } from 'node:stream';
import type { Io } from '../../src/cli/io.js';
import { run } from '../../src/cli/program.js';

export interface CliResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Sitting {
  readonly stdin?: string;
  readonly env?: Io['env'];
  readonly tty?: boolean;
}

/** Runs `sallyport …argv` from source, in this process. */
export async function sallyport(argv: readonly string[], sitting: Sitting = {}): Promise<CliResult> {
  const [out, err]: [string[], string[]] = [[], []];
  const stream = (parts: string[]) => ({
    isTTY: sitting.tty === true,
    columns: 100,
    write: (text: string) => {
      parts.push(text);
      return true;
    },
  });
  const status = await run(argv, {
    stdout: stream(out),
    stderr: stream(err),
    stdin: Readable.from([sitting.stdin ?? '']),
    env: { HOME: '/nonexistent', ...sitting.env },
  });
  return { status, stdout: out.join(''), stderr: err.join('') };
}
