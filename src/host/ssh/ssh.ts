/**
 * The built-in transport: node-ssh over ssh2, always with host key verification. It works around node-ssh 13.2.1, which
 * trims output and splits characters, reports a lost connection as success without output, and has no error listener
 * between two commands, so that an error would end the process (steelbrain/node-ssh#421).
 */
import { connect as netConnect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { NodeSSH } from 'node-ssh';
import type { ServerHostKeyAlgorithm } from 'ssh2';
import type { Problem } from '../../lib/problem.js';
import type { Host } from '../../policy/fleet.js';
import { authMethods, type Credentials } from './credentials.js';
import { algorithmsFor, checkHostKey, checkPinnedKeys, type KnownHosts, pinnedKeysFor } from './host-key.js';
import {
  type Causes,
  type CommandResult,
  type Connected,
  type Connection,
  collector,
  connectProblem,
  type RunOptions,
  type Transport,
  unreachable,
  withTimeout,
} from './transport.js';

/** Opens a TCP connection; rejects if it cannot. */
export type Dialer = (address: string, port: number) => Promise<Socket>;

export interface SshOptions {
  readonly knownHosts: KnownHosts;
  /** The credentials for a host: its own key, or those of the run. */
  readonly credentials: (host: Host) => Credentials;
  readonly dial?: Dialer;
}

/** A bastion, or the host itself. */
interface Hop {
  /** The names under which its key may be pinned. */
  readonly names: readonly string[];
  readonly port: number;
  readonly user: string;
}

type Dial = (address: string, port: number) => Promise<Duplex>;

/** Concurrent logins at one bastion: sshd rejects bursts (MaxStartups 10:30:100). */
const MAX_BASTION_LOGINS = 6;

/** Three unanswered keepalives end a connection. */
const KEEPALIVE = { keepaliveInterval: 5_000, keepaliveCountMax: 3 };

/** The built-in transport. `dispose` closes all of its connections. */
export function sshTransport(options: SshOptions): Transport & { readonly dispose: () => void } {
  const open = new Set<HopChain>();
  const limiters = new Map<string, Limiter>();
  const limiterOf = ({ user, host, port }: Host['ssh']['bastions'][number]): Limiter => {
    const name = `${user}@${host}:${port}`;
    const limiter = limiters.get(name) ?? makeLimiter(MAX_BASTION_LOGINS);
    limiters.set(name, limiter);
    return limiter;
  };

  /** Logs in to the bastions one after the other; `work` gets a dialer that connects from the last one. */
  const throughBastions = async <T>(
    host: Host,
    seconds: number,
    work: (dial: Dial, chain: HopChain) => Promise<T>,
  ): Promise<
    { readonly ok: true; readonly value: T; readonly chain: HopChain } | Extract<Connected, { ok: false }>
  > => {
    const chain = makeHopChain();
    open.add(chain);
    chain.ended.addEventListener('abort', () => open.delete(chain), { once: true });
    const connect = async (): Promise<T> => {
      let dial: Dial = options.dial ?? ((address, port) => dialTcp(address, port, chain.ended));
      for (const { host: name, user, port } of host.ssh.bastions) {
        const sock = chain.keep(await dial(name, port));
        const { ssh } = await login(options, host, { names: [name], port, user }, sock, undefined, chain);
        dial = (address, to) => ssh.forwardOut('127.0.0.1', 0, address, to);
      }
      return work(dial, chain);
    };
    const [first] = host.ssh.bastions;
    const timeout = `no answer within ${Number(seconds.toFixed(1))} seconds`;
    try {
      const connecting = first === undefined ? connect() : limiterOf(first)(connect);
      return { ok: true, value: await withTimeout(seconds, connecting, timeout, chain.end), chain };
    } catch (cause) {
      chain.end();
      return { ok: false, problem: chain.refusal() ?? connectProblem(host, messageOf(cause), CAUSES) };
    }
  };

  return {
    connect: async (host, { address = host.address, hostKey, seconds }) => {
      const names = [...new Set([host.address, address, ...host.addresses])];
      const { port, user } = host.ssh;
      const connected = await throughBastions(host, seconds, async (dial, chain) => {
        const sock = chain.keep(await dial(address, port));
        const { ssh, key } = await login(options, host, { names, port, user }, sock, hostKey, chain);
        return connectionOver(ssh, remoteAddress(sock) ?? address, key, chain.end);
      });
      return connected.ok ? { ok: true, connection: connected.value } : connected;
    },
    probePort: async (host, address, port, { seconds, greeting }) => {
      const probed = await throughBastions(host, seconds, async (dial, chain) => {
        const sock = chain.keep(await dial(address, port));
        return greeting === undefined || (await firstBytes(sock)).startsWith(greeting);
      });
      if (probed.ok) probed.chain.end();
      return probed.ok && probed.value;
    },
    dispose: () => {
      for (const chain of open) chain.end();
    },
  };
}

/** The first data from a socket, as latin1; empty if it closes before. Rejects with the socket's error. */
export const firstBytes = (sock: Duplex): Promise<string> =>
  new Promise((resolve, reject) => {
    sock.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1')));
    sock.once('error', reject);
    sock.once('close', () => resolve(''));
    sock.resume();
  });

async function login(
  { knownHosts, credentials }: SshOptions,
  host: Host,
  { names, port, user }: Hop,
  sock: Duplex,
  expected: Buffer | undefined,
  { refuse }: HopChain,
): Promise<{ readonly ssh: NodeSSH; readonly key: Buffer }> {
  const [name = host.address] = names;
  const pinned = pinnedKeysFor(knownHosts, names, port);
  const unpinned = checkPinnedKeys(pinned, name, port);
  if (unpinned !== undefined) {
    sock.destroy();
    refuse(unpinned);
    throw new Error(unpinned.message);
  }
  const ssh = new NodeSSH();
  let key: Buffer = Buffer.alloc(0);
  const connecting = ssh.connect({
    sock,
    username: user,
    algorithms: { serverHostKey: algorithmsFor(pinned) as ServerHostKeyAlgorithm[] },
    hostVerifier: (presented: Buffer) => {
      key = presented;
      const same = expected === undefined || presented.equals(expected);
      const refused = checkHostKey(pinned, presented, name) ?? (same ? undefined : otherKey(host));
      if (refused !== undefined) refuse(refused);
      return refused === undefined;
    },
    authHandler: [...authMethods(credentials(host), user)],
    // The caller's deadline covers all hops.
    readyTimeout: 0,
    ...KEEPALIVE,
  });
  // The socket may fail at any later time, also between two commands.
  ssh.connection?.on('error', () => {});
  ssh.connection?.once('handshake', () => skipHostKeyProofs(ssh.connection));
  await connecting;
  return { ssh, key };
}

/**
 * After each login ssh2 1.17 lets the server sign with all of its host keys (hostkeys-prove-00@openssh.com, PROTOCOL of
 * OpenSSH), to learn new ones. Sallyport uses pinned keys only, there is no option for it, and for the host an RSA
 * signature costs half a login.
 */
function skipHostKeyProofs(client: unknown): void {
  const { _protocol: protocol, _callbacks: callbacks } = client as {
    readonly _protocol?: { openssh_hostKeysProve?: () => void };
    readonly _callbacks?: unknown[];
  };
  // The callback for the answer was pushed just before.
  if (protocol?.openssh_hostKeysProve !== undefined && Array.isArray(callbacks))
    protocol.openssh_hostKeysProve = () => void callbacks.pop();
}

const otherKey = (host: Host): Problem =>
  unreachable(host, 'a new connection presented a different pinned host key than the first one');

function connectionOver(ssh: NodeSSH, address: string, hostKey: Buffer, close: () => void): Connection {
  return {
    address,
    hostKey,
    isAlive: () => ssh.isConnected(),
    close,
    run: (command, input, options) => run(ssh, command, input, options, close),
  };
}

async function run(
  ssh: NodeSSH,
  command: string,
  input: string,
  { seconds, onLine }: RunOptions,
  close: () => void,
): Promise<CommandResult> {
  const [stdout, stderr] = [collector(onLine), collector()];
  let end: Pick<CommandResult, 'code' | 'lost'> = { lost: true };
  try {
    const { code, signal } = await withTimeout(
      seconds,
      ssh.execCommand(command, { stdin: input, noTrim: true, onStdout: stdout.add, onStderr: stderr.add }),
      'timed out',
      close,
    );
    end = { code: code ?? undefined, lost: code === null && signal === null };
  } catch {
    // Lost: what arrived until then is still returned.
  }
  return { stdout: stdout.text(), stderr: stderr.text(), ...end };
}

/**
 * Opens a TCP connection; the system resolves names and tries both families (RFC 8305). Rejects with the error of the
 * socket. The signal aborts it: the kernel alone would try for two minutes (tcp_syn_retries, tcp(7)).
 */
export const dialTcp = (host: string, port: number, signal?: AbortSignal): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = netConnect({ host, port, noDelay: true, autoSelectFamily: true, signal });
    // Data that arrives before the new owner listens must not be lost.
    socket.pause();
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });

const remoteAddress = (sock: Duplex): string | undefined =>
  'remoteAddress' in sock && typeof sock.remoteAddress === 'string' ? sock.remoteAddress : undefined;

/** Errors of ssh2 alone. */
const CAUSES: Causes = [
  [/ECONNRESET|Connection lost|No response from server/, 'the connection was lost during the handshake'],
  [/no matching host key format/, 'it has no host key of a pinned type', 'Pin the key that it has.'],
  [
    /no matching/,
    'it has no algorithm in common with the built-in SSH client',
    'Set "ssh: {transport: openssh}" for it.',
  ],
];

const messageOf = (cause: unknown): string =>
  cause instanceof Error
    ? [...('code' in cause ? [cause.code] : []), cause.message].join(' ')
    : String(cause);

/** The sockets of one connection and its bastions, to be closed together, and what refused one of them. */
interface HopChain {
  /** Returns the socket, which is closed with the others; at once if the chain has ended. */
  readonly keep: <S extends Duplex>(sock: S) => S;
  readonly end: () => void;
  readonly ended: AbortSignal;
  readonly refuse: (problem: Problem) => void;
  readonly refusal: () => Problem | undefined;
}

function makeHopChain(): HopChain {
  const socks: Duplex[] = [];
  const controller = new AbortController();
  const { signal: ended } = controller;
  let refusal: Problem | undefined;
  return {
    keep: (sock) => {
      // ssh2 listens for errors once it owns the socket; until then nobody would.
      sock.on('error', () => {});
      socks.unshift(sock);
      if (ended.aborted) sock.destroy();
      return sock;
    },
    end: () => {
      controller.abort();
      for (const sock of socks.splice(0)) sock.destroy();
    },
    ended,
    refuse: (problem) => {
      refusal ??= problem;
    },
    refusal: () => refusal,
  };
}

type Limiter = <T>(work: () => Promise<T>) => Promise<T>;

/** Runs so many at a time; the others wait in order. */
function makeLimiter(concurrency: number): Limiter {
  let free = concurrency;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}
