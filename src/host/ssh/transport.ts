/**
 * What the rest of this room needs of SSH: a connection that runs a command with a text on its standard input. Two
 * things implement it: `ssh.ts` (built in) and `openssh.ts` (the system's own client).
 */

import { error, type Problem } from '../../lib/problem.js';
import type { Host } from '../../policy/fleet.js';

export interface Connection {
  /** Runs one command on a channel of its own. Never rejects: what became of it is in the answer. */
  run(command: string, input: string, options: RunOptions): Promise<CommandResult>;
  /** The address that was reached, where it is known; a name may have several. */
  readonly address: string;
  /** The host key that was shown, for the next connection to be held to. */
  readonly hostKey?: Buffer;
  isAlive(): boolean;
  close(): void;
}

export interface RunOptions {
  /** After so many seconds without an end, the answer is counted as lost and the connection is closed. */
  readonly seconds: number;
  /** Complete lines of standard output as they come. */
  readonly onLine?: (line: string) => void;
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  /**
   * Exit status; `undefined` when a signal ended the command. When the connection was `lost`, nobody knows what became
   * of it: ask the host.
   */
  readonly code?: number;
  readonly lost: boolean;
  /** Why it was lost, where that is known. */
  readonly problem?: Problem;
}

export type Connected =
  | { readonly ok: true; readonly connection: Connection }
  | { readonly ok: false; readonly problem: Problem };

export interface ConnectOptions {
  /** Another address of the host than `host.address`. */
  readonly address?: string;
  /** The very key that must be shown, besides being pinned. */
  readonly hostKey?: Buffer;
  /** For everything: the wire, the key exchange, the login. */
  readonly seconds: number;
}

export interface Transport {
  /** Opens a new connection, over a TCP connection of its own. Never rejects. */
  connect(host: Host, options: ConnectOptions): Promise<Connected>;
  /** Whether a port of the host takes a TCP connection and, where `greeting` is given, speaks first with it. */
  probePort(host: Host, address: string, port: number, how: ProbeOptions): Promise<boolean>;
}

export interface ProbeOptions {
  readonly seconds: number;
  readonly greeting?: string;
}

export const unreachable = (host: Host, why: string, hint?: string): Problem =>
  error(
    'host-unreachable',
    `${host.name} (${host.address}) cannot be reached over SSH: ${why}.`,
    undefined,
    hint,
  );

/** One word for a POSIX shell, whatever it holds. */
export const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** Rejects with `message` unless `work` ends in time; `late` is called then, to end it. */
export async function withTimeout<T>(
  seconds: number,
  work: Promise<T>,
  message: string,
  late: () => void,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(message));
      late();
    }, seconds * 1000);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** Splits a stream of chunks into complete lines. */
export function lines(onLine: (line: string) => void): (chunk: Buffer) => void {
  let rest = '';
  return (chunk) => {
    const parts = (rest + chunk.toString('latin1')).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) onLine(line);
  };
}
