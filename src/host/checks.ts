/** `checks:` of the policy: what must hold once the new rules stand, asked while there is still a way back. */
import type { Check, Host } from '../policy/fleet.js';
import type { Connection, Transport } from './transport.js';

/** Why the first check that does not hold does not; `undefined` when all hold. */
export async function failedCheck(
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

/** Of the hosts behind this one, those whose sshd answers through it now. */
export async function answersBehind(behind: readonly Host[], transport: Transport): Promise<readonly Host[]> {
  const answers = await Promise.all(behind.map((host) => answersSsh(host, transport, PASSAGE_SECONDS)));
  return behind.filter((_, index) => answers[index]);
}

/** Why the way through this host is not what it was: the first one that answered through it before, and does not now. */
export async function failedPassage(
  behind: readonly Host[],
  transport: Transport,
  deadline: number,
): Promise<string | undefined> {
  const answers = await Promise.all(
    behind.map(async (host) => {
      for (let chance = 1; chance <= CHANCES && performance.now() < deadline; chance++)
        if (
          await answersSsh(host, transport, Math.min(PASSAGE_SECONDS, (deadline - performance.now()) / 1000))
        )
          return true;
      return false;
    }),
  );
  const lost = behind.filter((_, index) => !answers[index]);
  const [first] = lost;
  if (first === undefined) return undefined;
  return `${first.name}${lost.length > 1 ? ` and ${lost.length - 1} more` : ''} can no longer be reached through it`;
}

const answersSsh = (host: Host, transport: Transport, seconds: number): Promise<boolean> =>
  transport.reaches(host, host.address, host.ssh.port, { seconds, greeting: 'SSH-' });

/** For a login at the bastion, and the greeting of the host behind it. */
const PASSAGE_SECONDS = 5;
/** Silence for so long is no answer. */
const ANSWER_SECONDS = 2;
/** A service that must answer gets so many chances: a packet may be lost. */
const CHANCES = 3;

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
    transport.reaches(host, connection.address, check.port, { seconds: Math.min(ANSWER_SECONDS, left()) });
  for (let chance = 1; chance <= (check.open ? CHANCES : 1); chance++)
    if ((await answers()) === check.open) return undefined;
  return `port ${check.port} ${check.open ? 'does not answer' : 'answers, and must not'}`;
}
