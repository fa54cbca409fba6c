/**
 * The runner's part of a transaction. It sends the change, verifies that the host still accepts new connections, and
 * confirms; the outcome is what the host then reports. Nothing depends on this process: once armed, the host rolls
 * back by itself unless the change is confirmed.
 */
import { randomBytes } from 'node:crypto';
import { type AgentAnswer, type AgentRequest, askAgent, type Variables } from '../agent/agent.js';
import { beginVariables } from '../agent/variables.js';
import type { Change, HostState, OutcomeKind, Phase, Reverified, TransactionResult } from '../client.js';
import type { Connection } from '../ssh/transport.js';
import { reachableBehindBastion } from './checks.js';
import { type RunOutcome, readOutcome } from './read-outcome.js';
import {
  attemptSeconds,
  retryDelay,
  type TransactionContext,
  type Verification,
  verify,
  workingAddresses,
} from './verify.js';

/** The least `confirm_within`, in seconds: a new connection, its retry and the confirmation must fit. */
const MINIMUM_CONFIRM_SECONDS = 5;

/** Seconds of the window that verification leaves for the confirmation, or for a rollback. */
const reserveOf = (window: number): number => Math.max(1, window * 0.15);
/** The host ends a run so many seconds after its deadline at the latest: the backup timer, and loading rules. */
const HOST_GRACE = 15;
/** A dead connection may be noticed when the host has long ended the run: it is asked for at least so many seconds. */
const LEARN_SECONDS = 15;
/** Until when an armed host is asked for the outcome. */
const outcomeDeadline = (armed: number, window: number): number =>
  Math.max(armed + (window + HOST_GRACE) * 1000, performance.now() + LEARN_SECONDS * 1000);
const BEGIN_SECONDS = 120;
const CONFIRM_SECONDS = 60;
const REVERIFY_SECONDS = 20;
/** Seconds to wait for the answer of an armed host: the new rules may block it. */
const APPLY_SECONDS = 3;

/** Changes one host. Never rejects; ends shortly after the confirmation window at the latest. */
export async function transact(context: TransactionContext): Promise<TransactionResult> {
  const { host, change, connection } = context;
  const began = performance.now();
  let phase: Phase = 'connect';
  const enter = (next: Phase): void => {
    if (next === phase) return;
    phase = next;
    context.report(next);
  };
  const result = (outcome: OutcomeKind, reason: string, at: Phase = phase): TransactionResult => {
    context.report('done');
    return { outcome, phase: at, reason, seconds: secondsSince(began) };
  };
  const resultOf = ({ outcome, phase: at, reason }: RunOutcome): TransactionResult =>
    result(outcome, reason, at);

  enter('preflight');
  const window = change.confirmWithinSeconds;
  if (window < MINIMUM_CONFIRM_SECONDS)
    return result(
      'refused',
      `confirm_within is ${window} seconds; a new connection and its retry need ${MINIMUM_CONFIRM_SECONDS}`,
    );
  if (!/^[\w.-]{1,64}$/.test(change.run)) return result('refused', `"${change.run}" is not a valid run name`);
  const token = randomBytes(16).toString('hex');
  const [addresses, hostsBehind] = await Promise.all([
    workingAddresses(context),
    reachableBehindBastion(change.hostsBehind ?? [], context.transport),
  ]);

  const start = await begin(context, token, enter);
  if (start.kind === 'refused') return result('refused', start.reason);
  if (start.kind === 'ended') return resultOf(start.outcome);
  const deadline = start.armed + (window - reserveOf(window)) * 1000;

  // If nothing else is checked, the confirmation itself is the command that proves the first new connection: the host
  // accepts it with the token alone, and one login is saved. If it fails, a full verification follows.
  let loginOnly = hostsBehind.length === 0 && host.checks.length === 0;
  let verification: Verification;
  for (;;) {
    enter('verify');
    verification = await verify(context, { addresses, hostsBehind, loginOnly }, token, deadline);
    if (verification.kind === 'ended') return resultOf(verification.outcome);
    if (verification.kind === 'failed') break;
    enter('confirm');
    const seconds = loginOnly ? attemptSeconds(window) : CONFIRM_SECONDS;
    const answer = await confirm(context, verification.connection, token, seconds, enter);
    verification.close();
    const confirmed = readOutcome(answer);
    if (confirmed !== undefined) return resultOf(confirmed);
    if (loginOnly && performance.now() < deadline) {
      loginOnly = false;
      continue;
    }
    const { outcome } = await awaitOutcome(context, outcomeDeadline(start.armed, window));
    return outcome === undefined
      ? result('unknown', 'the connection was lost during the confirmation, and the host no longer answers')
      : resultOf(outcome);
  }

  enter('rollback');
  const { reason } = verification;
  const abort: Variables = { RUN: change.run, TOKEN: token, REASON: reason };
  const aborted = connection.isAlive()
    ? readOutcome(await askAgent(connection, host, { verb: 'abort', variables: abort }, { seconds: 15 }))
    : undefined;
  const outcome =
    aborted ?? (await awaitOutcome(context, outcomeDeadline(start.armed, window), { abort })).outcome;
  return outcome === undefined
    ? result('unknown', `${reason}; the host no longer answers, and rolls back by itself`)
    : resultOf(withCause(outcome, reason));
}

const secondsSince = (began: number): number => Math.round((performance.now() - began) / 10) / 100;

/** What it takes to ask a host how a run ended. */
type OutcomeContext = Pick<TransactionContext, 'host' | 'transport'> & {
  readonly change: Pick<Change, 'run'>;
};

/**
 * After the soak: checks over a new connection that the host still reports the run as confirmed.
 * @param readState Called with that connection if so; reads the state for the result.
 */
export async function reverify(
  context: OutcomeContext,
  readState: (connection: Connection) => Promise<HostState | undefined>,
): Promise<Reverified> {
  const began = performance.now();
  let state: HostState | undefined;
  const { outcome, none } = await awaitOutcome(context, began + REVERIFY_SECONDS * 1000, {
    onOutcome: async (found, connection) => {
      if (found.outcome === 'confirmed') state = await readState(connection);
    },
  });
  const seconds = secondsSince(began);
  if (outcome !== undefined) return { ...outcome, phase: 'soak', seconds, state };
  return {
    outcome: none ? 'unknown' : 'unreachable',
    phase: 'soak',
    reason: none ? 'the host has no record of this run' : 'the host accepts no new connection',
    seconds,
  };
}

const confirm = (
  { host, change }: TransactionContext,
  connection: Connection,
  token: string,
  seconds: number,
  enter: (phase: Phase) => void,
): Promise<AgentAnswer> =>
  askAgent(
    connection,
    host,
    { verb: 'confirm', variables: { RUN: change.run, TOKEN: token } },
    { seconds, onLine: onPhase(enter) },
  );

const onPhase =
  (enter: (phase: Phase) => void) =>
  (line: string): void => {
    const [word, name] = line.split(' ');
    if (word === 'phase') enter(name as Phase);
  };

/** Adds the runner's reason for a rollback, if the host rolled back before it learned of it. */
const withCause = (outcome: RunOutcome, cause: string): RunOutcome =>
  outcome.outcome !== 'rolled-back' || outcome.reason.startsWith(cause)
    ? outcome
    : { ...outcome, reason: `${cause}; ${outcome.reason}` };

type Start =
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'ended'; readonly outcome: RunOutcome }
  /** The new rules are or may be applied; `armed` is when the host's deadline began to run, at the latest. */
  | { readonly kind: 'applied'; readonly armed: number };

async function begin(
  context: TransactionContext,
  token: string,
  enter: (phase: Phase) => void,
): Promise<Start> {
  const { host, change, connection } = context;
  let armed: number | undefined;
  let startTimeout = (): void => {};
  const late = new Promise<'late'>((resolve) => {
    startTimeout = () => void setTimeout(() => resolve('late'), APPLY_SECONDS * 1000).unref();
  });
  const answering = askAgent(
    connection,
    host,
    { verb: 'begin', variables: beginVariables(host, change, token) },
    {
      seconds: BEGIN_SECONDS,
      onLine: onPhase((phase) => {
        enter(phase);
        if (phase !== 'arm') return;
        armed = performance.now();
        startTimeout();
      }),
    },
  );
  const answer = await Promise.race([answering, late]);
  if (answer === 'late') return { kind: 'applied', armed: armed ?? performance.now() };
  if (answer.kind === 'failed') return { kind: 'refused', reason: answer.problem.message };
  if (answer.kind === 'lost') {
    if (armed !== undefined) return { kind: 'applied', armed };
    const until = performance.now() + (change.confirmWithinSeconds + HOST_GRACE) * 1000;
    const { outcome, none } = await awaitOutcome(context, until);
    if (outcome !== undefined) return { kind: 'ended', outcome };
    const state = none ? 'the host was not changed' : 'the host no longer answers';
    return {
      kind: 'ended',
      outcome: {
        outcome: none ? 'unreachable' : 'unknown',
        phase: 'preflight',
        reason: `the connection was lost before the change began; ${state}`,
      },
    };
  }
  const outcome = readOutcome(answer);
  if (outcome !== undefined) return { kind: 'ended', outcome };
  const refused = answer.lines.find((line) => line.startsWith('refuse '));
  if (refused !== undefined) return { kind: 'refused', reason: refused.split(' ').slice(2).join(' ') };
  return { kind: 'applied', armed: armed ?? performance.now() };
}

/** Asks over new connections until the host reports how the run ended (or `none`, no record of it), or time is up. */
async function awaitOutcome(
  { host, change, transport }: OutcomeContext,
  until: number,
  {
    abort,
    onOutcome,
  }: {
    readonly abort?: Variables;
    readonly onOutcome?: (outcome: RunOutcome, connection: Connection) => Promise<void>;
  } = {},
): Promise<{ readonly outcome?: RunOutcome; readonly none: boolean }> {
  const request: AgentRequest =
    abort === undefined
      ? { verb: 'probe', variables: { RUN: change.run } }
      : { verb: 'abort', variables: abort };
  for (let attempt = 0; ; attempt++) {
    const connected = await transport.connect(host, { seconds: 5 });
    if (connected.ok) {
      const { connection } = connected;
      const answer = await askAgent(connection, host, request, { seconds: 40 });
      const outcome = readOutcome(answer);
      if (outcome !== undefined) await onOutcome?.(outcome, connection);
      connection.close();
      if (outcome !== undefined) return { outcome, none: false };
      if (answer.kind === 'answer' && answer.lines.includes('none')) return { none: true };
    }
    if (performance.now() > until) return { none: false };
    await retryDelay(attempt);
  }
}
