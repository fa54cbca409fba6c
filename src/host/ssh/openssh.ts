/**
 * The second transport: the system's own OpenSSH client, for certificates, FIDO keys, key exchanges that ssh2 lacks,
 * and what the user's ssh_config says. Every command is a process and a TCP connection of its own: nothing is ever
 * multiplexed, whatever the configuration asks for, so that a connection is the proof that it is taken for.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { error, type Problem } from '../../lib/problem.js';
import type { Host } from '../../policy/fleet.js';
import type { KeyOptions } from './credentials.js';
import { type Dialer, dialTcp } from './ssh.js';
import {
  type CommandResult,
  type Connection,
  lines,
  type RunOptions,
  type Transport,
  unreachable,
} from './transport.js';

export interface OpensshOptions extends KeyOptions {
  /** Texts of known_hosts files; only these are trusted. */
  readonly knownHosts: readonly string[];
  readonly dial?: Dialer;
  /** Starts a program in another way than the system's. */
  readonly spawn?: (command: string, args: readonly string[]) => ChildProcess;
}

/** A transport, and the private directory that goes with it. */
export function opensshTransport(options: OpensshOptions): Transport & { readonly dispose: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-ssh-'));
  const dispose = (): void => rmSync(directory, { recursive: true, force: true });
  process.once('exit', dispose);
  const config = writeConfig(directory, options);
  const start = options.spawn ?? ((command, args) => spawn(command, [...args]));

  const argumentsFor = (host: Host, address: string, seconds: number): readonly string[] => [
    ...['-F', config, '-T', '-p', String(host.ssh.port), '-l', host.ssh.user],
    ...['-o', `ConnectTimeout=${Math.max(1, Math.round(seconds))}`],
    // Whichever of its addresses is meant, the key is pinned for the host.
    ...(address === host.address ? [] : ['-o', `HostKeyAlias=${keyAlias(host)}`]),
    ...(host.ssh.identity === undefined ? [] : ['-i', host.ssh.identity, '-o', 'IdentitiesOnly=yes']),
    ...jumps(host.ssh.bastions),
    address,
  ];

  return {
    dispose,
    connect: async (host, { address = host.address, seconds }) => {
      const problem = unusable(host, options);
      if (problem !== undefined) return { ok: false, problem };
      let open = true;
      const going = new Set<ChildProcess>();
      const connection: Connection = {
        address,
        isAlive: () => open,
        close: () => {
          open = false;
          for (const child of going) child.kill('SIGKILL');
        },
        run: async (command, input, how) => {
          const child = start('ssh', [...argumentsFor(host, address, seconds), command]);
          going.add(child);
          const ran = await outcome(child, input, how);
          going.delete(child);
          // The status of ssh itself; a remote command that ends with it is not told apart, and counts as lost.
          return ran.code === LOST ? { ...ran, lost: true, problem: faultOf(host, ran.stderr) } : ran;
        },
      };
      return { ok: true, connection };
    },
    probePort: async (host, address, port, { seconds, greeting }) => {
      if (host.ssh.bastions.length === 0) {
        const dial: Dialer =
          options.dial ?? ((to, at) => dialTcp(to, at, AbortSignal.timeout(seconds * 1000)));
        return speaks(dial, address, port, seconds, greeting);
      }
      const last = host.ssh.bastions.at(-1);
      if (last === undefined) return false;
      const child = start('ssh', [
        ...[
          '-F',
          config,
          '-o',
          `ConnectTimeout=${Math.max(1, Math.round(seconds))}`,
          '-W',
          `[${address}]:${port}`,
        ],
        ...jumps(host.ssh.bastions.slice(0, -1)),
        ...['-p', String(last.port), '-l', last.user, last.host],
      ]);
      return heldOpen(child, seconds, greeting);
    },
  };
}

/** ssh(1): "ssh exits with the exit status of the remote command or with 255 if an error occurred." */
const LOST = 255;

/**
 * The first value of a setting wins, so the user's own files can add to these and not change them. Where a key was
 * given, no other one is tried, and no agent but one that was given: what an earlier job left on a runner, or whoever
 * else uses it, is nobody's identity.
 */
function writeConfig(
  directory: string,
  { knownHosts, key, identityFiles = [], agent }: OpensshOptions,
): string {
  const put = (name: string, text: string): string => {
    const file = join(directory, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  const identities = [...(key === undefined ? [] : [put('key', `${key.text.trim()}\n`)]), ...identityFiles];
  return put(
    'config',
    [
      `UserKnownHostsFile "${put('known_hosts', knownHosts.join('\n'))}"`,
      'GlobalKnownHostsFile none',
      'StrictHostKeyChecking yes',
      'UpdateHostKeys no',
      'VerifyHostKeyDNS no',
      // A program that the user's configuration names may not add trusted keys either (OpenSSH 8.5 has it).
      'IgnoreUnknown KnownHostsCommand',
      'KnownHostsCommand none',
      'BatchMode yes',
      'ControlMaster no',
      'ControlPath none',
      'ControlPersist no',
      'ForwardAgent no',
      'ForwardX11 no',
      'ServerAliveInterval 5',
      'ServerAliveCountMax 3',
      ...identities.map((file) => `IdentityFile "${file}"`),
      ...agentLines(agent, identities.length > 0),
      `Include "${join(homedir(), '.ssh/config')}"`,
      'Include /etc/ssh/ssh_config',
      '',
    ].join('\n'),
  );
}

function agentLines(agent: string | undefined, keyGiven: boolean): readonly string[] {
  if (agent !== undefined) return [`IdentityAgent "${agent}"`];
  return keyGiven ? ['IdentitiesOnly yes', 'IdentityAgent none'] : [];
}

const keyAlias = ({ address, ssh: { port } }: Host): string =>
  port === 22 ? address : `[${address}]:${port}`;

function jumps(bastions: Host['ssh']['bastions']): readonly string[] {
  if (bastions.length === 0) return [];
  const named = bastions.map(
    ({ user, host, port }) => `${user}@${host.includes(':') ? `[${host}]` : host}:${port}`,
  );
  return ['-J', named.join(',')];
}

function unusable(host: Host, { key }: OpensshOptions): Problem | undefined {
  if (key?.passphrase === undefined) return undefined;
  return error(
    'key-unreadable',
    `${host.name} is reached with OpenSSH, which takes no passphrase from here.`,
    undefined,
    'Add the key to an ssh-agent instead.',
  );
}

function outcome(
  child: ChildProcess,
  input: string,
  { seconds, onLine }: RunOptions,
): Promise<CommandResult> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const feed = onLine === undefined ? undefined : lines(onLine);
  child.stdout?.on('data', (chunk: Buffer) => {
    out.push(chunk);
    feed?.(chunk);
  });
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  // It may end before it has read everything.
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
  return new Promise((resolve) => {
    const end = (code: number | null, lost: boolean): void => {
      clearTimeout(timer);
      resolve({
        stdout: Buffer.concat(out).toString('utf8'),
        stderr: Buffer.concat(err).toString('utf8'),
        ...(code === null ? {} : { code }),
        lost,
      });
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      end(null, true);
    }, seconds * 1000);
    child.once('error', () => end(null, true));
    child.once('close', (code) => end(code, code === null));
  });
}

async function speaks(
  dial: Dialer,
  address: string,
  port: number,
  seconds: number,
  greeting: string | undefined,
): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), seconds * 1000);
    const end = (answer: boolean): void => {
      clearTimeout(timer);
      resolve(answer);
    };
    dial(address, port).then(
      (socket) => {
        socket.on('error', () => end(false));
        if (greeting === undefined) end(true);
        socket.once('data', (chunk: Buffer) => end(chunk.toString('latin1').startsWith(greeting ?? '')));
        socket.once('close', () => end(false));
        socket.resume();
        setTimeout(() => socket.destroy(), seconds * 1000).unref();
      },
      () => end(false),
    );
  });
}

/** Through a bastion a port that answers either speaks, or keeps the channel open for a while. */
function heldOpen(child: ChildProcess, seconds: number, greeting: string | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (answer: boolean): void => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      resolve(answer);
    };
    const timer = setTimeout(() => end(greeting === undefined), seconds * 1000);
    child.stdout?.once('data', (chunk: Buffer) => end(chunk.toString('latin1').startsWith(greeting ?? '')));
    child.once('error', () => end(false));
    child.once('close', () => end(false));
  });
}

/** OpenSSH's words for the ways in which connecting fails. */
const CAUSES: readonly (readonly [RegExp, (host: Host) => Problem])[] = [
  [
    /REMOTE HOST IDENTIFICATION HAS CHANGED|Offending .*key/,
    (host) =>
      error(
        'host-key-changed',
        `${host.address} showed another host key than the one that is pinned: it was reinstalled, or someone is in between.`,
        undefined,
        "Compare the key with the host's own console before you change known_hosts.",
      ),
  ],
  [
    /REVOKED HOST KEY|revoked/,
    (host) =>
      error('host-key-revoked', `${host.address} showed a host key that known_hosts marks as revoked.`),
  ],
  [
    /host key is known for|Host key verification failed/,
    (host) =>
      error(
        'host-key-unknown',
        `No host key is pinned for ${host.address}, so there is no telling who answers.`,
        undefined,
        "Compare the key with the host's own console, then add it to known_hosts.",
      ),
  ],
  [
    /Permission denied/,
    (host) =>
      unreachable(
        host,
        'it accepts none of the keys that were offered',
        "Put the public key into the user's authorized_keys, or give another key.",
      ),
  ],
  [
    /Connection refused/,
    (host) => unreachable(host, 'it refuses the connection', 'Check that sshd runs, and the port.'),
  ],
  [
    /Could not resolve/,
    (host) => unreachable(host, 'its name does not resolve', 'Check "address" in the policy.'),
  ],
  [/timed out|Timeout/, (host) => unreachable(host, 'no answer came in time')],
];

function faultOf(host: Host, stderr: string): Problem {
  const cause = CAUSES.find(([pattern]) => pattern.test(stderr));
  if (cause !== undefined) return cause[1](host);
  const words = stderr.trim().split('\n').at(-1) ?? '';
  return unreachable(host, words === '' ? 'the connection was lost' : words.replace(/[.\s]+$/, ''));
}
