/** The real OpenSSH client, run inside a lab: the reference for whether a host accepts a login. */
import type { DialOptions } from '../../../src/lab/dialer.js';
import type { Host, Lab, ProcessResult } from '../../../src/lab/lab.js';
import { until } from '../../../src/lab/shell.js';

export interface SshOptions extends DialOptions {
  /** Default: the host's own user. */
  readonly user?: string;
  /** Default: the host's IPv4 address. */
  readonly address?: string;
  /** Default: the host's. */
  readonly port?: number;
  /** Default: the lab's. */
  readonly knownHosts?: string;
  readonly connectSeconds?: number;
}

/** Runs one command over a new connection, without ssh_config; host keys are always verified. */
export const openssh = (
  lab: Lab,
  host: Host,
  command: string,
  options: SshOptions = {},
): Promise<ProcessResult> => lab.run('ssh', [...argumentsFor(lab, host, options), command]);

/** An established connection to a program that echoes its input. */
export interface Session {
  /** Waits until a line is echoed. */
  echoes(line: string): Promise<void>;
  end(): void;
}

export async function openSession(lab: Lab, host: Host, options: SshOptions = {}): Promise<Session> {
  const ssh = lab.spawn('ssh', [...argumentsFor(lab, host, options), 'cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let echoed = '';
  ssh.stdout?.on('data', (chunk: Buffer) => {
    echoed += chunk.toString();
  });
  const echoes: Session['echoes'] = async (line) => {
    ssh.stdin?.write(`${line}\n`);
    await until(`"${line}" comes back from ${host.name}`, () =>
      echoed.split('\n').includes(line) ? true : undefined,
    );
  };
  await echoes('ready');
  return { echoes, end: () => void ssh.kill('SIGKILL') };
}

const argumentsFor = (lab: Lab, host: Host, options: SshOptions): readonly string[] => [
  ...['-F', 'none', '-i', lab.identity, '-p', String(options.port ?? host.port)],
  ...(options.from === undefined ? [] : ['-b', options.from]),
  ...['-o', `UserKnownHostsFile=${options.knownHosts ?? lab.knownHosts}`, '-o', 'GlobalKnownHostsFile=none'],
  ...['-o', 'StrictHostKeyChecking=yes', '-o', 'BatchMode=yes', '-o', 'IdentitiesOnly=yes'],
  ...['-o', `ConnectTimeout=${options.connectSeconds ?? 10}`],
  `${options.user ?? host.user.name}@${options.address ?? host.addresses.v4}`,
];
