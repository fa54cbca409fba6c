/**
 * The built-in transport: node-ssh over ssh2, with the host key always verified. Where node-ssh 13.2.1 would mislead,
 * this file knows better: output is collected as bytes (node-ssh trims it and cuts characters in two), an answer
 * without status and signal is a lost connection (node-ssh resolves it as a success without output), and an error
 * between two commands has a listener (else it would end the process, steelbrain/node-ssh#421).
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
  type CommandResult,
  type Connected,
  type Connection,
  lines,
  type RunOptions,
  type Transport,
  unreachable,
  withTimeout,
} from './transport.js';

/** Opens a TCP connection. */
export type Dialer = (address: string, port: number) => Promise<Socket>;

export interface SshOptions {
  readonly knownHosts: KnownHosts;
  /** The ways in for a host: its own key, or the run's. */
  readonly login: (host: Host) => Credentials;
  readonly dial?: Dialer;
}

/** One machine on the way to a host, or the host. */
interface Hop {
  /** The names under which its key may be pinned. */
  readonly names: readonly string[];
  readonly port: number;
  readonly user: string;
}

/** Logins that may be under way at one bastion at the same time: sshd turns away bursts (MaxStartups 10:30:100). */
const MAX_BASTION_LOGINS = 6;

/** A socket that stays silent is asked for a sign of life; three misses end it. */
const KEEPALIVE = { keepaliveInterval: 5_000, keepaliveCountMax: 3 };

export function sshTransport(options: SshOptions): Transport & { readonly dispose: () => void } {
  const chains = new Set<HopChain>();
  const limiters = new Map<string, Limiter>();
  const limiterOf = ({ user, host, port }: Host['ssh']['bastions'][number]): Limiter => {
    const name = `${user}@${host}:${port}`;
    const gate = limiters.get(name) ?? makeLimiter(MAX_BASTION_LOGINS);
    limiters.set(name, gate);
    return gate;
  };

  /** Logs in to one hop after the other; `work` gets a dialler from the last one on. */
  const through = async <T>(
    host: Host,
    seconds: number,
    work: (dial: (address: string, port: number) => Promise<Duplex>, chain: HopChain) => Promise<T>,
  ): Promise<
    { readonly ok: true; readonly value: T; readonly chain: HopChain } | Extract<Connected, { ok: false }>
  > => {
    const chain = makeHopChain();
    chains.add(chain);
    chain.ended.addEventListener('abort', () => chains.delete(chain), { once: true });
    const go = async (): Promise<T> => {
      let dial: (address: string, port: number) => Promise<Duplex> =
        options.dial ?? ((address, to) => dialTcp(address, to, chain.ended));
      for (const { host: name, user, port } of host.ssh.bastions) {
        const sock = chain.keep(await dial(name, port));
        const { ssh } = await login(options, host, { names: [name], port, user }, sock, undefined, chain);
        dial = (address, to) => ssh.forwardOut('127.0.0.1', 0, address, to);
      }
      return work(dial, chain);
    };
    const [first] = host.ssh.bastions;
    try {
      const working = first === undefined ? go() : limiterOf(first)(go);
      return {
        ok: true,
        value: await withTimeout(
          seconds,
          working,
          `no answer within ${Number(seconds.toFixed(1))} seconds`,
          chain.end,
        ),
        chain,
      };
    } catch (cause) {
      chain.end();
      return { ok: false, problem: chain.refusal() ?? faultOf(host, cause) };
    }
  };

  return {
    connect: async (host, { address = host.address, hostKey, seconds }) => {
      const names = [...new Set([host.address, address, ...host.addresses])];
      const { port, user } = host.ssh;
      const arrived = await through(host, seconds, async (dial, chain) => {
        const sock = chain.keep(await dial(address, port));
        const { ssh, key } = await login(options, host, { names, port, user }, sock, hostKey, chain);
        return connectionOver(ssh, remoteAddress(sock) ?? address, key, chain.end);
      });
      return arrived.ok ? { ok: true, connection: arrived.value } : arrived;
    },
    probePort: async (host, address, port, { seconds, greeting }) => {
      const arrived = await through(host, seconds, async (dial, chain) => {
        const sock = chain.keep(await dial(address, port));
        return greeting === undefined || (await firstBytes(sock)).startsWith(greeting);
      });
      if (arrived.ok) arrived.chain.end();
      return arrived.ok && arrived.value;
    },
    dispose: () => {
      for (const chain of chains) chain.end();
    },
  };
}

const firstBytes = (sock: Duplex): Promise<string> =>
  new Promise((resolve, reject) => {
    sock.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1')));
    sock.once('error', reject);
    sock.once('close', () => resolve(''));
    sock.resume();
  });

async function login(
  { knownHosts, login }: SshOptions,
  host: Host,
  hop: Hop,
  sock: Duplex,
  expected: Buffer | undefined,
  { refuse }: HopChain,
): Promise<{ readonly ssh: NodeSSH; readonly key: Buffer }> {
  const pins = pinnedKeysFor(knownHosts, hop.names, hop.port);
  const unpinned = checkPinnedKeys(pins, hop.names[0] ?? host.address, hop.port);
  if (unpinned !== undefined) {
    sock.destroy();
    refuse(unpinned);
    throw new Error(unpinned.message);
  }
  const ssh = new NodeSSH();
  let key: Buffer = Buffer.alloc(0);
  const connecting = ssh.connect({
    sock,
    username: hop.user,
    algorithms: { serverHostKey: algorithmsFor(pins) as ServerHostKeyAlgorithm[] },
    hostVerifier: (shown: Buffer) => {
      key = shown;
      const same = expected === undefined || shown.equals(expected);
      const refused =
        checkHostKey(pins, shown, hop.names[0] ?? host.address) ?? (same ? undefined : otherKey(host));
      if (refused !== undefined) refuse(refused);
      return refused === undefined;
    },
    authHandler: [...authMethods(login(host), hop.user)],
    // The caller's deadline covers all hops.
    readyTimeout: 0,
    ...KEEPALIVE,
  });
  // The socket may fail at any later moment, between two commands too.
  ssh.connection?.on('error', () => {});
  ssh.connection?.once('handshake', () => skipHostKeyProofs(ssh.connection));
  await connecting;
  return { ssh, key };
}

/**
 * After each login ssh2 1.17 has the server sign with all of its host keys (hostkeys-prove-00@openssh.com, PROTOCOL of
 * OpenSSH), so that known_hosts may learn new ones. Nothing is learnt here: the pins are the policy's. There is no
 * option, and for a host an RSA signature costs as much as half a login.
 */
function skipHostKeyProofs(client: unknown): void {
  const { _protocol: protocol, _callbacks: waiting } = client as {
    readonly _protocol?: { openssh_hostKeysProve?: () => void };
    readonly _callbacks?: unknown[];
  };
  // What waits for the answer was put there right before.
  if (protocol?.openssh_hostKeysProve !== undefined && Array.isArray(waiting))
    protocol.openssh_hostKeysProve = () => void waiting.pop();
}

const otherKey = (host: Host): Problem =>
  unreachable(host, 'a new connection showed another of its pinned host keys than the first one did');

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
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const feed = onLine === undefined ? undefined : lines(onLine);
  const said = (): Pick<CommandResult, 'stdout' | 'stderr'> => ({
    stdout: Buffer.concat(out).toString('utf8'),
    stderr: Buffer.concat(err).toString('utf8'),
  });
  try {
    const { code, signal } = await withTimeout(
      seconds,
      ssh.execCommand(command, {
        stdin: input,
        noTrim: true,
        onStdout: (chunk) => {
          out.push(chunk);
          feed?.(chunk);
        },
        onStderr: (chunk) => err.push(chunk),
      }),
      'no end in time',
      close,
    );
    return { ...said(), ...(code === null ? {} : { code }), lost: code === null && signal === null };
  } catch {
    return { ...said(), lost: true };
  }
}

/**
 * The system resolves names and tries both families (RFC 8305). Without `ended` the kernel would go on trying for two
 * minutes (tcp_syn_retries of tcp(7)), and keep this process from ending.
 */
export const dialTcp = (host: string, port: number, ended?: AbortSignal): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const signal = ended === undefined ? {} : { signal: ended };
    const socket = netConnect({ host, port, noDelay: true, autoSelectFamily: true, ...signal });
    // Nothing that arrives before the new owner listens may be lost.
    socket.pause();
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });

const remoteAddress = (sock: Duplex): string | undefined =>
  'remoteAddress' in sock && typeof sock.remoteAddress === 'string' ? sock.remoteAddress : undefined;

/** What people understand of the ways in which connecting fails. */
const CAUSES: readonly (readonly [RegExp, string, string?])[] = [
  [
    /All configured authentication methods failed/,
    'it accepts none of the keys that were offered',
    "Put the public key into the user's authorized_keys, or give another key.",
  ],
  [/ECONNREFUSED/, 'it refuses the connection', 'Check that sshd runs, and the port.'],
  [/ENOTFOUND|EAI_AGAIN/, 'its name does not resolve', 'Check "address" in the policy.'],
  [/EHOSTUNREACH|ENETUNREACH/, 'there is no route to it'],
  [/ECONNRESET|Connection lost|No response from server/, 'the connection was lost while it was being made'],
  [/no matching host key format/, 'it has no host key of a type that is pinned', 'Pin the key it has.'],
  [
    /no matching/,
    'it has no algorithm in common with the built-in SSH client',
    'Set "ssh: {transport: openssh}" for it.',
  ],
];

function faultOf(host: Host, cause: unknown): Problem {
  const words = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const [, why = words.replace(/[.\s]+$/, ''), hint] =
    CAUSES.find(([pattern]) => pattern.test(`${code} ${words}`)) ?? [];
  return unreachable(host, why, hint);
}

/** What was opened on the way, to be closed together, and what refused to go on. */
interface HopChain {
  /** Hands a socket back; it is closed at once when the trip has ended. */
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
      // ssh2 listens once it owns the socket; until then nobody would.
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

/** Lets so many through at a time; the others wait in line. */
function makeLimiter(places: number): Limiter {
  let free = places;
  const line: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => line.push(resolve));
    try {
      return await work();
    } finally {
      const next = line.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}
