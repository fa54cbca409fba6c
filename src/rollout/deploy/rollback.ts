/** Rollback to a known-good state, by the same transaction as a deploy. */
import { ownedPart } from '../../compile/merge/replace-managed.js';
import { readRuleset } from '../../compile/render.js';
import type { HostClient, KnownGood, Reading, TransactionResult } from '../../host/client.js';
import type { Fleet, Host } from '../../policy/fleet.js';
import { assess, type DeployableHost, type HostAssessment } from '../plan/assess.js';
import { savedText, transitionsOf } from '../plan/transition.js';
import type { OnEvent } from '../results/events.js';
import type { Outcomes } from '../results/model.js';
import { changeOf, type Run } from './change.js';
import { preflight } from './preflight.js';

export interface RollbackOptions {
  /** Number in the known-good history; 1 is the newest. Default: the state before the current one, {@link stateBefore}. */
  readonly to?: number;
  readonly acceptLockoutRisk?: readonly string[];
  readonly onEvent?: OnEvent;
}

/** Rolls one host back to a known-good state, for which the lockout proof must hold as well. */
export async function rollbackHost(
  fleet: Fleet,
  host: Host,
  client: HostClient,
  run: Run,
  { to, acceptLockoutRisk = [], onEvent = () => {} }: RollbackOptions,
): Promise<Outcomes> {
  onEvent({ kind: 'begin', hosts: [host.name] });
  onEvent({ kind: 'reading', host: host.name });
  const reading = await readWithKnownGood(host, client, to);
  const outcomes = (result: TransactionResult): Outcomes => {
    const outcome = { host: host.name, wave: 0, ...result };
    onEvent({ kind: 'outcome', outcome });
    return { version: 1, commit: null, hosts: [outcome] };
  };
  if (reading.status !== 'read')
    return outcomes(
      ended(reading.status === 'unreachable' ? 'unreachable' : 'refused', 'connect', reading.problem.message),
    );
  const { history } = reading.state.record;
  const entry = history.find(({ rules }) => rules !== undefined);
  if (entry?.rules === undefined) return outcomes(refused(noSuchState(to, history.length)));
  const desired = readRuleset(entry.rules, `${host.name} known good ${entry.number}`);
  if (!desired.ok) return outcomes(refused(desired.problems.map(({ message }) => message).join(' ')));
  const assessed = assess(fleet, host, reading, { acceptLockoutRisk, desired: desired.value });
  return outcomes(
    await transactIfGood(fleet, assessed, client, { ...run, commit: entry.commit }, (phase) =>
      onEvent({ kind: 'phase', host: host.name, phase }),
    ),
  );
}

async function readWithKnownGood(host: Host, client: HostClient, to: number | undefined): Promise<Reading> {
  if (to !== undefined) return client.read(host, { knownGood: to });
  const reading = await client.read(host);
  const entry = reading.status === 'read' ? stateBefore(reading.state.record.history) : undefined;
  return entry === undefined ? reading : client.read(host, { knownGood: entry.number });
}

/**
 * The state before the current one. States that the host has rolled back from are skipped: a rollout that failed and was
 * rolled back leaves the same rules twice, with the failed ones in between. A rollback keeps the commit; the same rules
 * with another commit are from a later deploy.
 */
function stateBefore(history: readonly KnownGood[]): KnownGood | undefined {
  const [current] = history;
  if (current === undefined) return undefined;
  const isCurrent = ({ number, digest, commit }: KnownGood): boolean =>
    number === 1 || (digest !== '' && digest === current.digest && commit === current.commit);
  return history[history.findLastIndex(isCurrent) + 1];
}

function noSuchState(to: number | undefined, entries: number): string {
  if (entries === 0) return 'The host has no known-good state: nothing was ever deployed to it.';
  return to === undefined
    ? 'The host has no known-good state before its current rules. Choose one by its number with `--to`.'
    : `The host has no known-good state ${to}; it has 1 to ${entries}.`;
}

async function transactIfGood(
  fleet: Fleet,
  assessed: HostAssessment,
  client: HostClient,
  run: Run,
  report: Parameters<HostClient['transact']>[2],
): Promise<TransactionResult> {
  const verdict = preflight(assessed);
  if (verdict.kind === 'go')
    return client.transact(assessed.host, changeOf(fleet, verdict.deployable, verdict.saved, run), report);
  return verdict.kind === 'unchanged'
    ? ended('unchanged', 'done', '')
    : ended(verdict.kind, verdict.phase, verdict.reason);
}

/**
 * Undoes a rollout on one host: the managed part of its live and saved rules becomes as it was before, other rules stay
 * as they are now. Without a new lockout proof: the host had these rules until the rollout.
 */
export async function rollBackConfirmed(
  fleet: Fleet,
  before: DeployableHost,
  client: HostClient,
  run: Run,
): Promise<TransactionResult> {
  const { host } = before;
  const reading = await client.read(host);
  if (reading.status !== 'read') return rollbackFailed(reading.problem.message);
  const { state } = reading;
  const live = transitionsOf(fleet, host, state, ownedPart(before.transitions.live.before, fleet.ownership));
  const old = readRuleset(savedText(before.state), `${host.name} saved`);
  if (!live.ok || !old.ok) return rollbackFailed('Its state could not be read.');
  const saved = transitionsOf(fleet, host, state, ownedPart(old.value, fleet.ownership));
  if (!saved.ok || !saved.value.saved.ok) return rollbackFailed('Its saved files could not be read.');
  const deployable = { host, state, transitions: live.value, ownership: fleet.ownership };
  // The host stores the commit with the rules, and reports it as the current one.
  const commit = before.state.record.current?.commit ?? '';
  const change = changeOf(fleet, deployable, saved.value.saved.value, { ...run, commit });
  const result = await client.transact(host, change, () => {});
  return result.outcome === 'confirmed'
    ? {
        ...result,
        outcome: 'rolled-back',
        phase: 'rollback',
        reason: 'Rolled back because the rollout failed.',
      }
    : rollbackFailed(result.reason);
}

const rollbackFailed = (why: string): TransactionResult =>
  ended('unknown', 'rollback', `Its rollback failed: ${why}`);

const refused = (reason: string): TransactionResult => ended('refused', 'preflight', reason);

const ended = (
  outcome: TransactionResult['outcome'],
  phase: TransactionResult['phase'],
  reason: string,
): TransactionResult => ({ outcome, phase, reason, seconds: 0 });
