/** The proof that a host still lets people in: new connections over every way that worked before its rules changed. */
import { isIP } from 'node:net';
import type { Host } from '../../policy/fleet.js';
import { type AgentAnswer, ask, type Variables } from '../agent/agent.js';
import type { Change, Phase } from '../client.js';
import type { Connection, Transport } from '../ssh/transport.js';
import { bastionFailure, checkFailure } from './checks.js';
import { type RunOutcome, readOutcome } from './outcome.js';

/** A new connection that takes longer than this is given up, and another one tried. */
export const attemptSeconds = (window: number): number => Math.min(5, window / 3);
/** Between two attempts; the last one repeats. Few, lest a rate limit takes them for an attack. */
export const RETRY_DELAYS = [0.2, 0.5, 1, 2];

export interface TransactionContext {
  readonly host: Host;
  readonly change: Change;
  readonly transport: Transport;
  /** The connection that the state was read over. */
  readonly connection: Connection;
  readonly report: (phase: Phase) => void;
}

/** The addresses, one a family, over which a new connection worked before anything changed. */
export async function workingAddresses({
  host,
  connection,
  transport,
}: TransactionContext): Promise<readonly string[]> {
  const first = connection.address;
  const other = host.addresses.find((address) => isIP(address) !== isIP(first) && isIP(first) !== 0);
  if (other === undefined) return [first];
  const how = { seconds: 3, greeting: 'SSH-' };
  return (await transport.probePort(host, other, host.ssh.port, how)) ? [first, other] : [first];
}

export type Verification =
  | { readonly kind: 'confirm'; readonly connection: Connection; readonly close: () => void }
  | { readonly kind: 'ended'; readonly end: RunOutcome }
  | { readonly kind: 'failed'; readonly reason: string };

/** What worked before: addresses of this host, and hosts that were reached through it. */
interface Baseline {
  readonly ways: readonly string[];
  readonly behind: readonly Host[];
  /** The first way's connection is not asked for anything yet. */
  readonly bare: boolean;
}

/** A new connection over every way that worked before, to the hosts behind, then the checks of the policy. */
export async function verify(
  scene: TransactionContext,
  { ways, behind, bare }: Baseline,
  token: string,
  deadline: number,
): Promise<Verification> {
  const { host } = scene;
  const tried = await Promise.all(
    ways.map((way, index) => verifyAddress(scene, way, token, deadline, bare && index === 0)),
  );
  const connections = tried.flatMap((one) => (one.kind === 'proved' ? [one.connection] : []));
  const close = (): void => {
    for (const connection of connections) connection.close();
  };
  const ended = tried.find((one) => one.kind === 'ended');
  const failed = tried.find((one) => one.kind === 'failed');
  const [connection] = connections;
  if (ended !== undefined || failed !== undefined || connection === undefined) {
    close();
    return ended ?? { kind: 'failed', reason: failed?.reason ?? 'no new connection was made' };
  }
  const reason =
    (await bastionFailure(behind, scene.transport, deadline)) ??
    (await checkFailure(host, connection, scene.transport, deadline));
  if (reason === undefined) return { kind: 'confirm', connection, close };
  close();
  return { kind: 'failed', reason };
}

type AddressResult =
  | { readonly kind: 'proved'; readonly connection: Connection }
  | { readonly kind: 'ended'; readonly end: RunOutcome }
  | { readonly kind: 'failed'; readonly reason: string };

/** Tries until a command over a new connection (a login, if `bare`) reads the run's token back, or the deadline is near. */
async function verifyAddress(
  scene: TransactionContext,
  way: string,
  token: string,
  deadline: number,
  bare: boolean,
): Promise<AddressResult> {
  const { host, change, transport, connection: first } = scene;
  const seconds = attemptSeconds(change.confirmWithinSeconds);
  let reason = '';
  const unreached = (why: string): string => `no new connection over ${way}: ${why.replace(/\.$/, '')}`;
  for (let attempt = 0; performance.now() < deadline; attempt++) {
    const connected = await transport.connect(host, {
      address: way,
      seconds: Math.min(seconds, Math.max(0.5, (deadline - performance.now()) / 1000)),
      ...(first.hostKey === undefined ? {} : { hostKey: first.hostKey }),
    });
    if (connected.ok) {
      const { connection } = connected;
      if (bare) return { kind: 'proved', connection };
      const variables: Variables = { RUN: change.run };
      const answer = await ask(connection, host, { verb: 'probe', variables }, { seconds });
      const end = readOutcome(answer);
      if (end === undefined && isPending(answer, token)) return { kind: 'proved', connection };
      connection.close();
      if (end !== undefined) return { kind: 'ended', end };
      reason = probeFailure(answer, unreached);
    } else reason = unreached(connected.problem.message);
    await pause(Math.min(RETRY_DELAYS[attempt] ?? 2, Math.max(0, (deadline - performance.now()) / 1000)));
  }
  return { kind: 'failed', reason: reason === '' ? unreached('there was no time for one') : reason };
}

/** Why an answer over a new connection is no proof. */
function probeFailure(answer: AgentAnswer, unreached: (why: string) => string): string {
  if (answer.kind !== 'answer')
    return unreached(answer.problem?.message ?? 'a new connection did not carry a command');
  const phase = answer.words.find((line) => line.startsWith('pending '))?.split(' ')[1];
  return phase === undefined
    ? unreached('the host did not know of the change')
    : `the change was not in place in time; the host is still in the phase ${phase}`;
}

/** `pending PHASE LEFT TOKEN`, with the rules applied. */
const isPending = (answer: AgentAnswer, token: string): boolean =>
  answer.kind === 'answer' &&
  answer.words.some((line) => {
    const [word, phase, , read] = line.split(' ');
    return word === 'pending' && phase === 'verify' && read === token;
  });

export const pause = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000));
