/** What must hold before a change is confirmed: the `checks:` of the policy, and access to the hosts behind a bastion. */
import pMap from 'p-map';
import type { Check, Host } from '../../policy/fleet.js';
import type { Connection, Transport } from '../ssh/transport.js';

/** Hosts behind a bastion that are probed at most: enough to see that it forwards, and few enough for any window. */
const MAX_PROBED = 24;
/** For a login at the bastion, and the greeting of the host behind it. */
const BASTION_SECONDS = 5;
/** How long a port may take to answer. */
const ANSWER_SECONDS = 2;
/** Probes of a port that must answer: a packet may be lost. */
const ATTEMPTS = 3;

/**
 * Runs the checks of the policy in order.
 * @returns why the first failing check failed, or `undefined` if all hold.
 */
export async function checkFailure(
  host: Host,
  connection: Connection,
  transport: Transport,
  deadline: number,
): Promise<string | undefined> {
  const secondsLeft = (): number => Math.max(0.2, (deadline - performance.now()) / 1000);
  for (const check of host.checks) {
    const reason = await failureOf(check, host, connection, transport, secondsLeft);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

async function failureOf(
  check: Check,
  host: Host,
  connection: Connection,
  transport: Transport,
  secondsLeft: () => number,
): Promise<string | undefined> {
  if (check.kind === 'command') {
    const { code, lost } = await connection.run(check.command, '', { seconds: secondsLeft() });
    if (code === 0) return undefined;
    const end = code === undefined ? 'was killed by a signal' : `exited with status ${code}`;
    return `check "${check.command}" ${lost ? 'timed out' : end}`;
  }
  const { port, open } = check;
  for (let attempt = 1; attempt <= (open ? ATTEMPTS : 1); attempt++) {
    const seconds = Math.min(ANSWER_SECONDS, secondsLeft());
    if ((await transport.probePort(host, connection.address, port, { seconds })) === open) return undefined;
  }
  return `port ${port} ${open ? 'does not answer' : 'answers but must not'}`;
}

/** Probes the hosts behind a bastion, or an even sample of 24 of them, and returns those whose sshd answers. */
export async function reachableBehindBastion(
  hosts: readonly Host[],
  transport: Transport,
): Promise<readonly Host[]> {
  const every = Math.max(1, Math.ceil(hosts.length / MAX_PROBED));
  return answering(
    hosts.filter((_, index) => index % every === 0),
    transport,
    () => BASTION_SECONDS,
  );
}

/** Probes hosts that answered through a bastion before; returns a reason if one of them no longer does. */
export async function bastionFailure(
  hosts: readonly Host[],
  transport: Transport,
  deadline: number,
): Promise<string | undefined> {
  let lost = hosts;
  const left = (): number => (deadline - performance.now()) / 1000;
  for (let attempt = 1; lost.length > 0 && attempt <= ATTEMPTS && left() > 0; attempt++) {
    const found = await answering(lost, transport, () => Math.min(BASTION_SECONDS, Math.max(0.2, left())));
    lost = lost.filter((host) => !found.includes(host));
  }
  const [first] = lost;
  if (first === undefined) return undefined;
  const more = lost.length > 1 ? ` and ${lost.length - 1} more` : '';
  return `${first.name}${more} can no longer be reached through this host`;
}

/** Few at a time: each probe is a login at the same sshd. */
async function answering(
  hosts: readonly Host[],
  transport: Transport,
  seconds: () => number,
): Promise<readonly Host[]> {
  const probe = (host: Host): Promise<boolean> =>
    transport.probePort(host, host.address, host.ssh.port, { seconds: seconds(), greeting: 'SSH-' });
  const answers = await pMap(hosts, probe, { concurrency: 6 });
  return hosts.filter((_, index) => answers[index]);
}
