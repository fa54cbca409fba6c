/** `checks:` of the policy: what must hold once the new rules stand, asked while there is still a way back. */
import pMap from 'p-map';
import type { Check, Host } from '../../policy/fleet.js';
import type { Connection, Transport } from '../ssh/transport.js';

/** Why the first check that does not hold does not; `undefined` when all hold. */
export async function checkFailure(
  host: Host,
  connection: Connection,
  transport: Transport,
  deadline: number,
): Promise<string | undefined> {
  for (const check of host.checks) {
    const reason = await failure(check, host, connection, transport, deadline);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** Of the hosts behind this one, or of so many among them, those whose sshd answers through it now. */
export async function reachableBehindBastion(
  behind: readonly Host[],
  transport: Transport,
): Promise<readonly Host[]> {
  const every = Math.max(1, Math.ceil(behind.length / MAX_PROBED));
  const asked = behind.filter((_, index) => index % every === 0);
  return answering(asked, transport, () => BASTION_SECONDS);
}

/** Why the way through this host is not what it was: hosts that answered through it before, and do not now. */
export async function bastionFailure(
  behind: readonly Host[],
  transport: Transport,
  deadline: number,
): Promise<string | undefined> {
  let lost = behind;
  const left = (): number => (deadline - performance.now()) / 1000;
  for (let attempt = 1; lost.length > 0 && attempt <= ATTEMPTS && left() > 0; attempt++) {
    const answer = await answering(lost, transport, () => Math.min(BASTION_SECONDS, Math.max(0.2, left())));
    lost = lost.filter((host) => !answer.includes(host));
  }
  const [first] = lost;
  if (first === undefined) return undefined;
  return `${first.name}${lost.length > 1 ? ` and ${lost.length - 1} more` : ''} can no longer be reached through it`;
}

/** Few at a time: each is a login at the same sshd. */
async function answering(
  hosts: readonly Host[],
  transport: Transport,
  seconds: () => number,
): Promise<readonly Host[]> {
  const said = await pMap(hosts, (host) => answersSsh(host, transport, seconds()), { concurrency: 6 });
  return hosts.filter((_, index) => said[index]);
}

const answersSsh = (host: Host, transport: Transport, seconds: number): Promise<boolean> =>
  transport.probePort(host, host.address, host.ssh.port, { seconds, greeting: 'SSH-' });

/** Of hundreds behind a jump host, asking some is enough to see that the way is open, and fits into any window. */
const MAX_PROBED = 24;
/** For a login at the bastion, and the greeting of the host behind it. */
const BASTION_SECONDS = 5;
/** Silence for so long is no answer. */
const ANSWER_SECONDS = 2;
/** A service that must answer gets so many chances: a packet may be lost. */
const ATTEMPTS = 3;

async function failure(
  check: Check,
  host: Host,
  connection: Connection,
  transport: Transport,
  deadline: number,
): Promise<string | undefined> {
  const left = (): number => Math.max(0.2, (deadline - performance.now()) / 1000);
  if (check.kind === 'command') {
    const ran = await connection.run(check.command, '', { seconds: left() });
    if (ran.code === 0) return undefined;
    return `the check "${check.command}" ${ran.lost ? 'did not end in time' : `ended with status ${ran.code ?? 'of a signal'}`}`;
  }
  const answers = (): Promise<boolean> =>
    transport.probePort(host, connection.address, check.port, { seconds: Math.min(ANSWER_SECONDS, left()) });
  for (let attempt = 1; attempt <= (check.open ? ATTEMPTS : 1); attempt++)
    if ((await answers()) === check.open) return undefined;
  return `port ${check.port} ${check.open ? 'does not answer' : 'answers, and must not'}`;
}
