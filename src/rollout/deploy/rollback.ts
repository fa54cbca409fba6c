/** Back to a state that was good, by the same transaction that goes forward. */
import { ownedPart } from '../../compile/merge/replace-managed.js';
import { readRuleset } from '../../compile/read.js';
import type { HostClient, KnownGood, Reading, TransactionResult } from '../../host/client.js';
import type { Fleet, Host } from '../../policy/fleet.js';
import { assess, type DeployableHost, type HostAssessment } from '../plan/assess.js';
import { savedText, transitionsOf } from '../plan/transition.js';
import type { OnEvent } from '../results/events.js';
import type { Outcomes } from '../results/model.js';
import { changeOf, type Run } from './change.js';
import { preflight } from './preflight.js';

export interface RollbackOptions {
  /**
   * Of the known-good history; 1 is the newest, which the host runs unless someone has changed it since. Default: the
   * one before that, see {@link stateBefore}.
   */
  readonly to?: number;
  readonly acceptLockoutRisk?: readonly string[];
  readonly onEvent?: OnEvent;
}

/** Takes one host to an earlier known-good state. The lock-out proof holds for that one as well. */
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
  if (entry?.rules === undefined) return outcomes(refused(nothingThere(to, history.length)));
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
 * The state before the one that the host runs. What it has left since by going back is not before it: a rollout that
 * failed and was taken back leaves the same rules twice, with the failed ones in between. Going back keeps the commit;
 * the same rules of another commit have come by going on.
 */
function stateBefore(history: readonly KnownGood[]): KnownGood | undefined {
  const [current] = history;
  if (current === undefined) return undefined;
  const isCurrent = ({ number, digest, commit }: KnownGood): boolean =>
    number === 1 || (digest !== '' && digest === current.digest && commit === current.commit);
  return history[history.findLastIndex(isCurrent) + 1];
}

function nothingThere(to: number | undefined, entries: number): string {
  if (entries === 0) return 'The host has no known-good state: nothing was ever deployed to it.';
  return to === undefined
    ? 'The host has no known-good state before the rules that it runs. `--to` takes one by its number.'
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
 * Undoes what a rollout did to one host: its owned rules and its saved ones as they were before, in whatever else the
 * host runs by now. Not proved again: the host ran exactly these rules until a moment ago.
 */
export async function rollBack(
  fleet: Fleet,
  before: DeployableHost,
  client: HostClient,
  run: Run,
): Promise<TransactionResult> {
  const { host } = before;
  const reading = await client.read(host);
  if (reading.status !== 'read') return keeps(reading.problem.message);
  const { state } = reading;
  const live = transitionsOf(fleet, host, state, ownedPart(before.transitions.live.before, fleet.ownership));
  const old = readRuleset(savedText(before.state), `${host.name} saved`);
  if (!live.ok || !old.ok) return keeps('Its state could not be read.');
  const saved = transitionsOf(fleet, host, state, ownedPart(old.value, fleet.ownership));
  if (!saved.ok || !saved.value.saved.ok) return keeps('Its saved files could not be read.');
  const deployable = { host, state, transitions: live.value, ownership: fleet.ownership };
  // The host keeps the commit beside the rules, and tells it as what it runs.
  const commit = before.state.record.current?.commit ?? '';
  const change = changeOf(fleet, deployable, saved.value.saved.value, { ...run, commit });
  const result = await client.transact(host, change, () => {});
  return result.outcome === 'confirmed'
    ? {
        ...result,
        outcome: 'rolled-back',
        phase: 'rollback',
        reason: 'Taken back, because the rollout failed elsewhere.',
      }
    : keeps(result.reason);
}

const keeps = (why: string): TransactionResult =>
  ended('unknown', 'rollback', `It was to be taken back, which did not succeed: ${why}`);

const refused = (reason: string): TransactionResult => ended('refused', 'preflight', reason);

const ended = (
  outcome: TransactionResult['outcome'],
  phase: TransactionResult['phase'],
  reason: string,
): TransactionResult => ({ outcome, phase, reason, seconds: 0 });
