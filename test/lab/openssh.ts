/** The real OpenSSH client, run inside a lab: the judge of what a host answers. */
import type { DialOptions } from '../../src/lab/dial.js';
import type { Host, Lab, Ran } from '../../src/lab/lab.js';

export interface SshOptions extends DialOptions {
  /** Default: the host's own user. */
  readonly user?: string;
  /** Default: the host's IPv4 address. */
  readonly address?: string;
  /** Default: the lab's. */
  readonly knownHosts?: string;
  readonly connectSeconds?: number;
}

/** One new connection, one command, no configuration but this; host keys are always verified. */
export function openssh(lab: Lab, host: Host, command: string, options: SshOptions = {}): Promise<Ran> {
  return lab.run('ssh', [
    ...['-F', 'none', '-i', lab.identity, '-p', String(host.port)],
    ...(options.from === undefined ? [] : ['-b', options.from]),
    ...[
      '-o',
      `UserKnownHostsFile=${options.knownHosts ?? lab.knownHosts}`,
      '-o',
      'GlobalKnownHostsFile=none',
    ],
    ...['-o', 'StrictHostKeyChecking=yes', '-o', 'BatchMode=yes', '-o', 'IdentitiesOnly=yes'],
    ...['-o', `ConnectTimeout=${options.connectSeconds ?? 10}`],
    `${options.user ?? host.user.name}@${options.address ?? host.addresses.v4}`,
    command,
  ]);
}
