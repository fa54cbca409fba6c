/**
 * The openssh transport: the system's OpenSSH client, for certificates, FIDO keys, key exchanges that ssh2 lacks, and the
 * user's ssh_config. Every command is a process with a TCP connection of its own: multiplexing is always off, since a
 * shared connection would prove nothing about new ones.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { error, type Problem } from '../../lib/problem.js';
import type { Host } from '../../policy/fleet.js';
import type { KeyOptions } from './credentials.js';
import { changedHostKey, revokedHostKey, unknownHostKey } from './host-key.js';
import { type Dialer, dialTcp, firstBytes } from './ssh.js';
import {
  type CommandResult,
  type Connection,
  collector,
  connectProblem,
  type RunOptions,
  type Transport,
  withTimeout,
} from './transport.js';

export interface OpensshOptions extends KeyOptions {
  /** Texts of known_hosts files; only these are trusted. */
  readonly knownHosts: readonly string[];
  readonly dial?: Dialer;
  /** Default: `spawn` of Node. */
  readonly spawn?: (command: string, args: readonly string[]) => ChildProcess;
}

/** The openssh transport. `dispose` removes its private directory with the configuration and key. */
export function opensshTransport(options: OpensshOptions): Transport & { readonly dispose: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-ssh-'));
  const dispose = (): void => rmSync(directory, { recursive: true, force: true });
  process.once('exit', dispose);
  const config = writeConfig(directory, options);
  const start = options.spawn ?? ((command, args) => spawn(command, [...args]));
  const common = (seconds: number): readonly string[] => [
    ...['-F', config],
    ...['-o', `ConnectTimeout=${Math.max(1, Math.round(seconds))}`],
  ];

  const argumentsFor = (host: Host, address: string, seconds: number): readonly string[] => [
    ...[...common(seconds), '-T', '-p', String(host.ssh.port), '-l', host.ssh.user],
    // The key is pinned for the host, whichever of its addresses is used.
    ...(address === host.address ? [] : ['-o', `HostKeyAlias=${keyAlias(host)}`]),
    ...(host.ssh.identity === undefined ? [] : ['-i', host.ssh.identity, '-o', 'IdentitiesOnly=yes']),
    ...jumps(host.ssh.bastions),
    address,
  ];

  return {
    dispose,
    connect: async (host, { address = host.address, seconds }) => {
      const problem = passphraseProblem(host, options);
      if (problem !== undefined) return { ok: false, problem };
      let open = true;
      const running = new Set<ChildProcess>();
      const connection: Connection = {
        address,
        isAlive: () => open,
        close: () => {
          open = false;
          for (const child of running) child.kill('SIGKILL');
        },
        run: async (command, input, runOptions) => {
          const child = start('ssh', [...argumentsFor(host, address, seconds), command]);
          running.add(child);
          const result = await resultOf(child, input, runOptions);
          running.delete(child);
          // The status of ssh itself. A remote command with this status cannot be told apart, and counts as lost.
          return result.code === LOST
            ? { ...result, lost: true, problem: sshProblem(host, result.stderr) }
            : result;
        },
      };
      return { ok: true, connection };
    },
    probePort: async ({ ssh: { bastions } }, address, port, { seconds, greeting }) => {
      const last = bastions.at(-1);
      if (last === undefined) {
        const dial: Dialer =
          options.dial ?? ((to, at) => dialTcp(to, at, AbortSignal.timeout(seconds * 1000)));
        return answers(dial, address, port, seconds, greeting);
      }
      const child = start('ssh', [
        ...[...common(seconds), '-W', `[${address}]:${port}`],
        ...jumps(bastions.slice(0, -1)),
        ...['-p', String(last.port), '-l', last.user, last.host],
      ]);
      return answersThrough(child, seconds, greeting);
    },
  };
}

/** ssh(1): "ssh exits with the exit status of the remote command or with 255 if an error occurred." */
const LOST = 255;

/**
 * Writes an ssh_config. The first value of a setting wins, so the user's files, included last, can add settings but not
 * change these. If a key was given, no other key or agent of the runner's user is tried.
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
      // A program in the user's configuration must not add trusted keys either (since OpenSSH 8.5).
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

function passphraseProblem(host: Host, { key }: OpensshOptions): Problem | undefined {
  if (key?.passphrase === undefined) return undefined;
  return error(
    'key-unreadable',
    `${host.name} uses the openssh transport, which does not support a key with a passphrase.`,
    { hint: 'Add the key to an ssh-agent instead.' },
  );
}

function resultOf(
  child: ChildProcess,
  input: string,
  { seconds, onLine }: RunOptions,
): Promise<CommandResult> {
  const [stdout, stderr] = [collector(onLine), collector()];
  child.stdout?.on('data', stdout.add);
  child.stderr?.on('data', stderr.add);
  // It may exit before it has read everything.
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
  return new Promise((resolve) => {
    const end = (code: number | null, lost: boolean): void => {
      clearTimeout(timer);
      resolve({ stdout: stdout.text(), stderr: stderr.text(), code: code ?? undefined, lost });
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      end(null, true);
    }, seconds * 1000);
    child.once('error', () => end(null, true));
    child.once('close', (code) => end(code, code === null));
  });
}

async function answers(
  dial: Dialer,
  address: string,
  port: number,
  seconds: number,
  greeting: string | undefined,
): Promise<boolean> {
  const probe = async (): Promise<boolean> => {
    const socket = await dial(address, port);
    setTimeout(() => socket.destroy(), seconds * 1000).unref();
    return greeting === undefined || (await firstBytes(socket)).startsWith(greeting);
  };
  return withTimeout(seconds, probe(), 'timed out', () => {}).catch(() => false);
}

/** Through a bastion an open port either sends its greeting, or keeps the channel open until the timeout. */
function answersThrough(
  child: ChildProcess,
  seconds: number,
  greeting: string | undefined,
): Promise<boolean> {
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

/** Host key errors of OpenSSH. */
const HOST_KEY_ERRORS: readonly (readonly [RegExp, (host: Host) => Problem])[] = [
  [/REMOTE HOST IDENTIFICATION HAS CHANGED|Offending .*key/, ({ address }) => changedHostKey(address)],
  [/REVOKED HOST KEY|revoked/, ({ address }) => revokedHostKey(address)],
  [
    /host key is known for|Host key verification failed/,
    ({ address, ssh }) => unknownHostKey(address, ssh.port),
  ],
];

function sshProblem(host: Host, stderr: string): Problem {
  const keyError = HOST_KEY_ERRORS.find(([pattern]) => pattern.test(stderr));
  return keyError === undefined ? connectProblem(host, stderr.trim()) : keyError[1](host);
}
