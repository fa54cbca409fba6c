/**
 * The runner's half of a transaction. It asks, proves that the host still lets new connections in, and hands the proof
 * over; what the host then says is the outcome. Nothing depends on this process staying alive: from the moment at
 * which the host is armed, it goes back to the old rules by itself unless it is told otherwise.
 */
import { randomBytes } from 'node:crypto';
import { type AgentAnswer, ask, type Variables } from '../agent/agent.js';
import { beginVariables } from '../agent/variables.js';
import type { Change, HostState, OutcomeKind, Phase, Reverified, TransactionResult } from '../client.js';
import type { Connection } from '../ssh/transport.js';
import { reachableBehindBastion } from './checks.js';
import { type RunOutcome, readOutcome } from './outcome.js';
import {
  attemptSeconds,
  pause,
  RETRY_DELAYS,
  type TransactionContext,
  type Verification,
  verify,
  workingAddresses,
} from './verify.js';

/** Below this no host can be asked twice: a new connection, its retry, and the confirmation must fit. */
export const MINIMUM_CONFIRM_SECONDS = 5;

/** What is left of the window when verifying ends, so that a confirmation or the way back still fits in. */
const reserveOf = (window: number): number => Math.max(1, window * 0.15);
/** The host's own end comes so much after its deadline at the latest: its second timer, and loading rules. */
const HOST_GRACE = 15;
/** A connection that dies silently is missed late, when the host's end may be long past: it is still asked for so long. */
const LEARN_SECONDS = 15;
/** Until when a host that was armed is asked how it ended. */
const untilEnded = (armed: number, window: number): number =>
  Math.max(armed + (window + HOST_GRACE) * 1000, performance.now() + LEARN_SECONDS * 1000);
const BEGIN_SECONDS = 120;
const CONFIRM_SECONDS = 60;
const REVERIFY_SECONDS = 20;
/** After arming, the answer may be lost to the very rules it is about. */
const APPLY_PATIENCE = 3;

/** Changes one host. Never rejects; ends a little after the window at the latest. */
export async function transact(scene: TransactionContext): Promise<TransactionResult> {
  const { host, change, connection } = scene;
  const began = performance.now();
  let phase: Phase = 'connect';
  const enter = (next: Phase): void => {
    if (next === phase) return;
    phase = next;
    scene.report(next);
  };
  const ended = (outcome: OutcomeKind, reason: string, at: Phase = phase): TransactionResult => {
    scene.report('done');
    return { outcome, phase: at, reason, seconds: Math.round((performance.now() - began) / 10) / 100 };
  };
  const told = ({ outcome, phase: at, reason }: RunOutcome): TransactionResult => ended(outcome, reason, at);

  enter('preflight');
  const window = change.confirmWithinSeconds;
  if (window < MINIMUM_CONFIRM_SECONDS)
    return ended(
      'refused',
      `confirm_within is ${window} seconds; a new connection and its retry need ${MINIMUM_CONFIRM_SECONDS}`,
    );
  if (!/^[\w.-]{1,64}$/.test(change.run)) return ended('refused', `"${change.run}" is no name for a run`);
  const token = randomBytes(16).toString('hex');
  const [ways, behind] = await Promise.all([
    workingAddresses(scene),
    reachableBehindBastion(change.hostsBehind ?? [], scene.transport),
  ]);

  const start = await begin(scene, token, enter);
  if (start.kind === 'refused') return ended('refused', start.reason);
  if (start.kind === 'ended') return told(start.end);
  const deadline = start.armed + (window - reserveOf(window)) * 1000;

  // Where nothing else is checked, the confirmation is the command that the last new connection has to carry: the
  // host takes it with the token alone, and a login less is asked of it. What that one did not carry, others may.
  let bare = behind.length === 0 && host.checks.length === 0;
  let proof: Verification;
  for (;;) {
    enter('verify');
    proof = await verify(scene, { ways, behind, bare }, token, deadline);
    if (proof.kind === 'ended') return told(proof.end);
    if (proof.kind === 'failed') break;
    enter('confirm');
    const answer = await confirm(
      scene,
      proof.connection,
      token,
      bare ? attemptSeconds(window) : CONFIRM_SECONDS,
      enter,
    );
    proof.close();
    const said = readOutcome(answer);
    if (said !== undefined) return told(said);
    if (bare && performance.now() < deadline) {
      bare = false;
      continue;
    }
    const { end } = await awaitOutcome(scene, untilEnded(start.armed, window));
    return end === undefined
      ? ended('unknown', 'the connection was lost while confirming, and the host does not answer since')
      : told(end);
  }

  enter('rollback');
  const variables: Variables = { RUN: change.run, TOKEN: token, REASON: proof.reason };
  const aborting = connection.isAlive()
    ? await ask(connection, host, { verb: 'abort', variables }, { seconds: 15 })
    : undefined;
  const end =
    (aborting === undefined ? undefined : readOutcome(aborting)) ??
    (await awaitOutcome(scene, untilEnded(start.armed, window), { abort: variables })).end;
  return end === undefined
    ? ended('unknown', `${proof.reason}; the host does not answer since, and goes back by itself`)
    : told(withCause(end, proof.reason));
}

/** Whom one asks how a run ended. */
type Asking = Pick<TransactionContext, 'host' | 'transport'> & { readonly change: Pick<Change, 'run'> };

/**
 * After the soak: over a new connection, the host still says that it keeps the change. `look` gets that connection
 * when it does.
 */
export async function reverify(
  scene: Asking,
  look: (connection: Connection) => Promise<HostState | undefined>,
): Promise<Reverified> {
  const began = performance.now();
  let state: HostState | undefined;
  const { end, none } = await awaitOutcome(scene, began + REVERIFY_SECONDS * 1000, {
    onEnd: async ({ outcome }, connection) => {
      if (outcome === 'confirmed') state = await look(connection);
    },
  });
  const seconds = Math.round((performance.now() - began) / 10) / 100;
  if (end !== undefined) return { ...end, phase: 'soak', seconds, ...(state === undefined ? {} : { state }) };
  return {
    outcome: none ? 'unknown' : 'unreachable',
    phase: 'soak',
    reason: none ? 'the host knows nothing of this run' : 'the host lets no new connection in',
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
  ask(
    connection,
    host,
    { verb: 'confirm', variables: { RUN: change.run, TOKEN: token } },
    {
      seconds,
      onWord: (words) => {
        const [word, name] = words.split(' ');
        if (word === 'phase') enter(name as Phase);
      },
    },
  );

/** Why this side wanted the old rules back, where the host went back before it was told. */
const withCause = (end: RunOutcome, cause: string): RunOutcome =>
  end.outcome !== 'rolled-back' || end.reason.startsWith(cause)
    ? end
    : { ...end, reason: `${cause}; ${end.reason}` };

type Start =
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'ended'; readonly end: RunOutcome }
  /** The new rules stand, or may stand; `armed` is when the host's clock began to run, at the latest. */
  | { readonly kind: 'applied'; readonly armed: number };

async function begin(
  scene: TransactionContext,
  token: string,
  enter: (phase: Phase) => void,
): Promise<Start> {
  const { host, change, connection } = scene;
  let armed: number | undefined;
  let patience: (() => void) | undefined;
  const impatient = new Promise<'late'>((resolve) => {
    patience = () => void setTimeout(() => resolve('late'), APPLY_PATIENCE * 1000).unref();
  });
  const answering = ask(
    connection,
    host,
    { verb: 'begin', variables: beginVariables(host, change, token) },
    {
      seconds: BEGIN_SECONDS,
      onWord: (words) => {
        const [word, name] = words.split(' ');
        if (word !== 'phase') return;
        enter(name as Phase);
        if (name !== 'arm') return;
        armed = performance.now();
        patience?.();
      },
    },
  );
  const answer = await Promise.race([answering, impatient]);
  if (answer === 'late') return { kind: 'applied', armed: armed ?? performance.now() };
  if (answer.kind === 'failed') return { kind: 'refused', reason: answer.problem.message };
  if (answer.kind === 'lost') {
    if (armed !== undefined) return { kind: 'applied', armed };
    const { end, none } = await awaitOutcome(
      scene,
      performance.now() + (change.confirmWithinSeconds + HOST_GRACE) * 1000,
    );
    if (end !== undefined) return { kind: 'ended', end };
    const nothing = none ? 'the host has changed nothing' : 'the host does not answer since';
    return {
      kind: 'ended',
      end: {
        outcome: none ? 'unreachable' : 'unknown',
        phase: 'preflight',
        reason: `the connection was lost before the change began; ${nothing}`,
      },
    };
  }
  const end = readOutcome(answer);
  if (end !== undefined) return { kind: 'ended', end };
  const refused = answer.words.find((line) => line.startsWith('refuse '));
  if (refused !== undefined) return { kind: 'refused', reason: refused.split(' ').slice(2).join(' ') };
  return { kind: 'applied', armed: armed ?? performance.now() };
}

/** Asks over new connections until the host says how the run ended, or time is over. */
async function awaitOutcome(
  { host, change, transport }: Asking,
  until: number,
  {
    abort,
    onEnd = async () => {},
  }: {
    readonly abort?: Variables;
    readonly onEnd?: (end: RunOutcome, connection: Connection) => Promise<void>;
  } = {},
): Promise<{ readonly end?: RunOutcome; readonly none: boolean }> {
  for (let attempt = 0; ; attempt++) {
    const connected = await transport.connect(host, { seconds: 5 });
    if (connected.ok) {
      const question =
        abort === undefined
          ? ({ verb: 'probe', variables: { RUN: change.run } } as const)
          : ({ verb: 'abort', variables: abort } as const);
      const answer = await ask(connected.connection, host, question, { seconds: 40 });
      const end = readOutcome(answer);
      if (end !== undefined) await onEnd(end, connected.connection);
      connected.connection.close();
      if (end !== undefined) return { end, none: false };
      if (answer.kind === 'answer' && answer.words.includes('none')) return { none: true };
    }
    if (performance.now() > until) return { none: false };
    await pause(RETRY_DELAYS[attempt] ?? 2);
  }
}
