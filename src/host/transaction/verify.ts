/** Verifies that a host still accepts new connections, over every address that accepted one before the change. */
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Host } from '../../policy/fleet.js';
import { type AgentAnswer, askAgent } from '../agent/agent.js';
import type { Change, Phase } from '../client.js';
import type { Connection, Transport } from '../ssh/transport.js';
import { bastionFailure, checkFailure } from './checks.js';
import { type RunOutcome, readOutcome } from './read-outcome.js';

/** Seconds after which a new connection is abandoned and another one tried. */
export const attemptSeconds = (window: number): number => Math.min(5, window / 3);

/** Seconds between attempts; the last value repeats. Few attempts, lest a rate limit takes them for an attack. */
const RETRY_DELAYS = [0.2, 0.5, 1, 2];

/** Waits before attempt `attempt + 1`, for `longest` seconds at most. */
export const retryDelay = (attempt: number, longest = Number.POSITIVE_INFINITY): Promise<void> =>
  sleep(Math.max(0, Math.min(RETRY_DELAYS[attempt] ?? 2, longest)) * 1000);

export interface TransactionContext {
  readonly host: Host;
  readonly change: Change;
  readonly transport: Transport;
  /** The connection that the state was read over. */
  readonly connection: Connection;
  readonly report: (phase: Phase) => void;
}

/** The addresses, at most one of each family, over which the host accepts connections before the change. */
export async function workingAddresses({
  host,
  connection,
  transport,
}: TransactionContext): Promise<readonly string[]> {
  const first = connection.address;
  const other = host.addresses.find((address) => isIP(address) !== isIP(first) && isIP(first) !== 0);
  if (other === undefined) return [first];
  const options = { seconds: 3, greeting: 'SSH-' };
  return (await transport.probePort(host, other, host.ssh.port, options)) ? [first, other] : [first];
}

export type Verification =
  | { readonly kind: 'verified'; readonly connection: Connection; readonly close: () => void }
  | { readonly kind: 'ended'; readonly outcome: RunOutcome }
  | { readonly kind: 'failed'; readonly reason: string };

/** What worked before the change. */
interface Baseline {
  readonly addresses: readonly string[];
  readonly hostsBehind: readonly Host[];
  /** On the first address a login is enough: the confirmation is the command that its connection will carry. */
  readonly loginOnly: boolean;
}

/**
 * Opens a new connection over every address that worked before, probes the hosts behind the host, then runs the checks
 * of the policy. `deadline` is in milliseconds of `performance.now()`.
 */
export async function verify(
  context: TransactionContext,
  { addresses, hostsBehind, loginOnly }: Baseline,
  token: string,
  deadline: number,
): Promise<Verification> {
  const { host, transport } = context;
  const results = await Promise.all(
    addresses.map((address, index) =>
      verifyAddress(context, address, token, deadline, loginOnly && index === 0),
    ),
  );
  const connections = results.flatMap((result) => (result.kind === 'connected' ? [result.connection] : []));
  const close = (): void => {
    for (const connection of connections) connection.close();
  };
  const stopped =
    results.find((result) => result.kind === 'ended') ?? results.find((result) => result.kind === 'failed');
  const [connection] = connections;
  if (stopped !== undefined || connection === undefined) {
    close();
    return stopped ?? { kind: 'failed', reason: 'no new connection was made' };
  }
  const reason =
    (await bastionFailure(hostsBehind, transport, deadline)) ??
    (await checkFailure(host, connection, transport, deadline));
  if (reason === undefined) return { kind: 'verified', connection, close };
  close();
  return { kind: 'failed', reason };
}

type AddressResult =
  | { readonly kind: 'connected'; readonly connection: Connection }
  | Exclude<Verification, { kind: 'verified' }>;

/** Tries until a command over a new connection (or a login, if `loginOnly`) returns the run's token, or until the deadline. */
async function verifyAddress(
  { host, change, transport, connection: first }: TransactionContext,
  address: string,
  token: string,
  deadline: number,
  loginOnly: boolean,
): Promise<AddressResult> {
  const limit = attemptSeconds(change.confirmWithinSeconds);
  const secondsLeft = (): number => (deadline - performance.now()) / 1000;
  const unreached = (why: string): string => `no new connection over ${address}: ${why.replace(/\.$/, '')}`;
  let reason = unreached('no time was left');
  for (let attempt = 0; performance.now() < deadline; attempt++) {
    const seconds = Math.min(limit, Math.max(0.5, secondsLeft()));
    const connected = await transport.connect(host, { address, seconds, hostKey: first.hostKey });
    if (connected.ok) {
      const { connection } = connected;
      if (loginOnly) return { kind: 'connected', connection };
      const request = { verb: 'probe', variables: { RUN: change.run } } as const;
      const answer = await askAgent(connection, host, request, { seconds: limit });
      const outcome = readOutcome(answer);
      if (outcome === undefined && isApplied(answer, token)) return { kind: 'connected', connection };
      connection.close();
      if (outcome !== undefined) return { kind: 'ended', outcome };
      reason = probeFailure(answer, unreached);
    } else reason = unreached(connected.problem.message);
    await retryDelay(attempt, secondsLeft());
  }
  return { kind: 'failed', reason };
}

function probeFailure(answer: AgentAnswer, unreached: (why: string) => string): string {
  if (answer.kind !== 'answer')
    return unreached(answer.problem?.message ?? 'the command did not run on the new connection');
  const phase = answer.lines.find((line) => line.startsWith('pending '))?.split(' ')[1];
  return phase === undefined
    ? unreached('the host has no record of the change')
    : `the change was not applied in time; the host is still in phase ${phase}`;
}

/** The answer is `pending verify SECONDS TOKEN`: the new rules are applied. */
const isApplied = (answer: AgentAnswer, token: string): boolean =>
  answer.kind === 'answer' &&
  answer.lines.some((line) => {
    const [word, phase, , found] = line.split(' ');
    return word === 'pending' && phase === 'verify' && found === token;
  });
