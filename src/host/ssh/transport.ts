/** An SSH connection that runs commands, as `ssh.ts` (built in) and `openssh.ts` (the system's client) implement it. */
import { error, type Problem } from '../../lib/problem.js';
import type { Host } from '../../policy/fleet.js';

export interface Connection {
  /** Runs one command in a channel of its own. Never rejects: a failure is part of the result. */
  run(command: string, input: string, options: RunOptions): Promise<CommandResult>;
  /** The address that was reached, if known; a name may have several. */
  readonly address: string;
  /** The host key that was presented; later connections must present the same. */
  readonly hostKey?: Buffer;
  isAlive(): boolean;
  close(): void;
}

export interface RunOptions {
  /** After so many seconds the command counts as lost and the connection is closed. */
  readonly seconds: number;
  /** Called with each complete line of standard output. */
  readonly onLine?: (line: string) => void;
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit status; `undefined` if a signal killed the command. */
  readonly code?: number;
  /** The connection was lost: whether the command ran is unknown. */
  readonly lost: boolean;
  /** Why it was lost, if known. */
  readonly problem?: Problem;
}

export type Connected =
  | { readonly ok: true; readonly connection: Connection }
  | { readonly ok: false; readonly problem: Problem };

export interface ConnectOptions {
  /** Default: `host.address`. */
  readonly address?: string;
  /** The key that must be presented, besides being pinned. */
  readonly hostKey?: Buffer;
  /** For everything: TCP, key exchange, login. */
  readonly seconds: number;
}

export interface Transport {
  /** Opens a new connection, over a TCP connection of its own. Never rejects. */
  connect(host: Host, options: ConnectOptions): Promise<Connected>;
  /** Whether a port of the host accepts a TCP connection and, if `greeting` is given, starts with it. Never rejects. */
  probePort(host: Host, address: string, port: number, options: ProbeOptions): Promise<boolean>;
}

export interface ProbeOptions {
  readonly seconds: number;
  readonly greeting?: string;
}

/** The problem `host-unreachable` with its cause, a clause without a full stop. */
export const unreachable = (host: Host, why: string, hint?: string): Problem =>
  error('host-unreachable', `${host.name} (${host.address}) cannot be reached over SSH: ${why}.`, { hint });

/** Pattern of an error message, the cause in plain words, a hint. */
export type Causes = readonly (readonly [message: RegExp, why: string, hint?: string])[];

/** Errors of TCP and of the login, as Node, ssh2 and OpenSSH report them. */
const CAUSES: Causes = [
  [
    /All configured authentication methods failed|Permission denied/,
    'it accepts none of the offered keys',
    "Add the public key to the user's authorized_keys, or give another key.",
  ],
  [/ECONNREFUSED|Connection refused/, 'connection refused', 'Check that sshd is running, and the port.'],
  [/ENOTFOUND|EAI_AGAIN|Could not resolve/, 'the name does not resolve', 'Check "address" in the policy.'],
  [/EHOSTUNREACH|ENETUNREACH|No route to host/, 'no route to host'],
  [/ETIMEDOUT|timed out|Timeout/, 'connection timed out'],
];

/**
 * The problem of a connection that failed with an error message, whose last line is quoted if no cause is known.
 * `causes` are tried before the general ones.
 */
export function connectProblem(host: Host, message: string, causes: Causes = []): Problem {
  const [, why = message.replace(/[.\s]+$/, '').replace(/^.*\n/s, ''), hint] =
    [...causes, ...CAUSES].find(([pattern]) => pattern.test(message)) ?? [];
  return unreachable(host, why === '' ? 'the connection was lost' : why, hint);
}

/** Rejects with `message` and calls `onTimeout` unless `work` settles within so many seconds. */
export async function withTimeout<T>(
  seconds: number,
  work: Promise<T>,
  message: string,
  onTimeout: () => void,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(message));
      onTimeout();
    }, seconds * 1000);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Collects the chunks of a stream, and passes its complete lines on as they arrive. */
export function collector(onLine?: (line: string) => void): {
  readonly add: (chunk: Buffer) => void;
  readonly text: () => string;
} {
  const chunks: Buffer[] = [];
  let rest = '';
  return {
    add: (chunk) => {
      chunks.push(chunk);
      if (onLine === undefined) return;
      const parts = (rest + chunk.toString('latin1')).split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) onLine(line);
    },
    text: () => Buffer.concat(chunks).toString('utf8'),
  };
}
