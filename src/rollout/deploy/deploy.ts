/** The rollout to many hosts: all are read and checked first, then come the canary, a soak, and wave after wave. */
import { randomUUID } from 'node:crypto';
import pMap from 'p-map';
import type { HostClient, TransactionResult } from '../../host/client.js';
import { pause, whileUncancelled } from '../../lib/time.js';
import type { Fleet, Host } from '../../policy/fleet.js';
import type { DeployableHost, HostAssessment } from '../plan/assess.js';
import { assessFleet } from '../plan/plan.js';
import type { Transition } from '../plan/transition.js';
import type { OnEvent } from '../results/events.js';
import type { Outcome, Outcomes, Plan } from '../results/model.js';
import {
  failuresAllowed,
  type PartWaves,
  type RolloutPart,
  type Wave,
  wavesOf,
  wavesOfPart,
} from '../results/waves.js';
import { bastionsOf } from './bastions.js';
import { changeOf, type Run } from './change.js';
import { preflight, type Verdict } from './preflight.js';
import { rollBackConfirmed } from './rollback.js';
import { judgeSoak, remainingSoak, type SoakingHost, type SoakResult } from './soak.js';

export interface DeployOptions {
  readonly commit?: string;
  /** Who deploys, for the lock on each host: `ci@runner pull/12`, `anna@laptop`. */
  readonly owner: string;
  readonly acceptLockoutRisk?: readonly string[];
  /** The plan that was reviewed: a host that is no longer as in the plan is refused. */
  readonly reviewed?: Plan;
  /** In a rollout of several jobs: what this job changes. The waves are those of all hosts. */
  readonly part?: RolloutPart;
  /** Default: the policy's. */
  readonly parallel?: number;
  /** When aborted, no further host is changed, and pending changes are left to the timer on their host. */
  readonly signal?: AbortSignal;
  readonly onEvent?: OnEvent;
}

/** Deploys to the hosts. One {@link Outcome} for each, in the order of the rollout. Never throws for a problem of a host. */
export async function deployFleet(
  fleet: Fleet,
  hosts: readonly Host[],
  client: HostClient,
  options: DeployOptions,
): Promise<Outcomes> {
  const { part = {} } = options;
  const halts: string[] = [];
  const onEvent = guardedListener(options.onEvent ?? (() => {}), halts);
  const bastions = bastionsOf(fleet);
  const whole = wavesOf(
    hosts.map(({ name }) => name),
    fleet.rollout,
    bastions,
  );
  const own = wavesOfPart(whole, part, bastions);
  const { waves } = own;
  const names = new Set(waves.flatMap((wave) => wave.hosts));
  const toRead = new Set([...names, ...own.gate]);
  const reading = assessFleet(
    fleet,
    hosts.filter(({ name }) => toRead.has(name)),
    client,
    { ...options, onEvent, traffic: false },
  );
  // A run that is cancelled now has nothing to do.
  const assessed = (await whileUncancelled(reading, options.signal, 0)) ?? [];
  const rollout: Rollout = {
    ...own,
    fleet,
    client,
    options,
    onEvent,
    verdicts: new Map(assessed.map((one) => [one.host.name, preflight(one, options.reviewed)])),
    outcomes: new Map(),
    changes: new Map(),
    allowed: failuresAllowed(fleet.rollout, names.size, part.shard),
    halts,
  };
  recordVerdicts(
    rollout,
    assessed.filter(({ host }) => names.has(host.name)),
  );
  const stopped = stopBefore(rollout) ?? (await runWaves(rollout));
  if (stopped !== undefined) onEvent({ kind: 'stopped', reason: stopped });
  if (stopped !== undefined && fleet.rollout.onFailure === 'rollback') await rollBackChanged(rollout);
  return {
    version: 1,
    commit: options.commit ?? null,
    stopped,
    part: options.part && { ...part, fleet: whole },
    hosts: waves.flatMap(({ number, hosts: names }) =>
      names.map((host) => rollout.outcomes.get(host) ?? notReached(host, number, stopped ?? '')),
    ),
  };
}

interface Rollout extends PartWaves {
  readonly fleet: Fleet;
  readonly client: HostClient;
  readonly options: DeployOptions;
  readonly onEvent: OnEvent;
  readonly verdicts: ReadonlyMap<string, Verdict>;
  readonly outcomes: Map<string, Outcome>;
  /** Of the hosts that this run has changed. */
  readonly changes: Map<string, Omit<SoakingHost, 'seconds'>>;
  readonly allowed: number;
  /** Reasons to stop besides failed hosts. */
  readonly halts: string[];
}

const FAILED: ReadonlySet<Outcome['outcome']> = new Set(['rolled-back', 'refused', 'unreachable', 'unknown']);

const failuresOf = ({ outcomes }: Rollout): readonly Outcome[] =>
  [...outcomes.values()].filter(({ outcome }) => FAILED.has(outcome));

function record(rollout: Rollout, outcome: Outcome): void {
  rollout.outcomes.set(outcome.host, outcome);
  rollout.onEvent({ kind: 'outcome', outcome });
}

const waveOf = ({ waves }: Rollout, host: string): number =>
  waves.find(({ hosts }) => hosts.includes(host))?.number ?? 0;

const notReached = (host: string, wave: number, reason: string): Outcome => ({
  host,
  outcome: 'not-reached',
  wave,
  phase: 'preflight',
  reason,
  seconds: 0,
});

/** Records the hosts that are up to date, refused or unreachable before anything is changed. */
function recordVerdicts(rollout: Rollout, assessed: readonly HostAssessment[]): void {
  for (const { host } of assessed) {
    const verdict = rollout.verdicts.get(host.name);
    if (verdict === undefined || verdict.kind === 'go') continue;
    const known = { host: host.name, wave: waveOf(rollout, host.name), seconds: 0 };
    record(
      rollout,
      verdict.kind === 'unchanged'
        ? { ...known, outcome: 'unchanged', phase: 'done', reason: '' }
        : {
            ...known,
            outcome: verdict.kind,
            phase: verdict.phase,
            reason: verdict.reason,
            changed: verdict.changed,
          },
    );
  }
}

/** When events cannot be recorded (the disk of the journal is full), no further host is changed; pending changes go on. */
function guardedListener(onEvent: OnEvent, halts: string[]): OnEvent {
  return (event) => {
    try {
      onEvent(event);
    } catch (thrown) {
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      halts.push(`events cannot be recorded: ${why.replace(/\.$/, '')}.`);
    }
  };
}

/** Why no host at all is changed. */
function stopBefore(rollout: Rollout): string | undefined {
  const { gate, verdicts, halts } = rollout;
  if (isCancelled(rollout)) return CANCELLED;
  const [halt] = halts;
  if (halt !== undefined) return `Nothing was changed: ${halt}`;
  const canary = gate.find((host) => verdicts.get(host)?.kind !== 'unchanged');
  if (canary !== undefined) return `Nothing was changed: ${canaryReason(canary, verdicts.get(canary))}`;
  const [first, ...others] = [...verdicts].filter(([, verdict]) => 'policy' in verdict && verdict.policy);
  if (first !== undefined)
    return `Nothing was changed: the policy is refused for ${first[0]}${others.length > 0 ? ` and ${others.length} more` : ''}.`;
  const reason = tooManyFailures(rollout);
  return reason === undefined ? undefined : `Nothing was changed: ${reason}`;
}

/** Why the hosts after the canary are not changed yet. */
function canaryReason(canary: string, verdict: Verdict | undefined): string {
  switch (verdict?.kind) {
    case 'unreachable':
    case 'refused':
      return `the canary ${canary} is ${verdict.kind}. ${verdict.reason}`.trim();
    default:
      return `the canary ${canary} does not run the new rules yet. Deploy it first: \`deploy --wave canary\`.`;
  }
}

/** Why too many hosts have failed: the canary, or more of the others than the policy allows. */
function tooManyFailures(rollout: Rollout): string | undefined {
  const failures = failuresOf(rollout);
  const canary = failures.find(({ wave }) => wave === 0);
  if (canary !== undefined) return `the canary ${canary.host} is ${canary.outcome}.`;
  const [first] = failures;
  return first === undefined || failures.length <= rollout.allowed
    ? undefined
    : `${first.host} is ${first.outcome}${failures.length > 1 ? `, and ${failures.length - 1} more failed` : ''}; ${rollout.allowed} may fail.`;
}

const CANCELLED = 'The run was cancelled.';
const isCancelled = ({ options }: Rollout): boolean => options.signal?.aborted === true;
/** Cancelling then no longer stops anything. */
const isOver = ({ waves, outcomes, more }: Rollout): boolean =>
  !more && waves.every(({ hosts }) => hosts.every((host) => outcomes.has(host)));

/** Runs wave after wave, once the canaries of another job have soaked. @returns Why it stopped early. */
async function runWaves(rollout: Rollout): Promise<string | undefined> {
  const { waves, gate, outcomes, more } = rollout;
  const toDo = ({ hosts }: Wave): readonly string[] => hosts.filter((host) => !outcomes.has(host));
  const hasMore = (): boolean => more || waves.some((wave) => toDo(wave).length > 0);
  if (hasMore()) await soak(rollout, { number: 0, hosts: gate });
  for (const wave of waves) {
    if (whyStop(rollout) !== undefined) break;
    const hosts = toDo(wave);
    if (hosts.length > 0) await runWave(rollout, { ...wave, hosts });
    if (hasMore() && whyStop(rollout) === undefined) await soak(rollout, wave);
  }
  return whyStop(rollout);
}

function whyStop(rollout: Rollout): string | undefined {
  const reason = tooManyFailures(rollout);
  if (reason !== undefined) return `The rollout stopped: ${reason}`;
  const [halt] = rollout.halts;
  if (halt !== undefined) return `The rollout stopped: ${halt}`;
  return isCancelled(rollout) && !isOver(rollout) ? CANCELLED : undefined;
}

async function runWave(rollout: Rollout, wave: Wave): Promise<void> {
  const { onEvent, options, fleet } = rollout;
  onEvent({ kind: 'wave', wave: wave.number, hosts: wave.hosts });
  await pMap(
    wave.hosts,
    async (host) => {
      const verdict = rollout.verdicts.get(host);
      if (verdict?.kind !== 'go' || whyStop(rollout) !== undefined) return;
      record(rollout, await changeHost(rollout, wave.number, verdict));
    },
    { concurrency: options.parallel ?? fleet.rollout.parallel },
  );
}

async function changeHost(
  rollout: Rollout,
  wave: number,
  { deployable, saved }: { readonly deployable: DeployableHost; readonly saved: Transition },
): Promise<Outcome> {
  const { client, onEvent, options, fleet } = rollout;
  const { host } = deployable;
  const change = changeOf(fleet, deployable, saved, newRun(options));
  let phase: TransactionResult['phase'] = 'connect';
  const ended = await whileUncancelled(
    client.transact(host, change, (reached) => {
      phase = reached;
      onEvent({ kind: 'phase', host: host.name, phase: reached });
    }),
    options.signal,
  );
  if (ended?.outcome === 'confirmed') rollout.changes.set(host.name, { deployable, run: change.run });
  return { host: host.name, wave, ...(ended ?? cancelledPending(phase)) };
}

const newRun = ({ commit, owner }: DeployOptions): Run => ({
  run: randomUUID(),
  commit: commit ?? '',
  owner,
});

const cancelledPending = (phase: TransactionResult['phase']): TransactionResult => ({
  outcome: 'unknown',
  phase,
  reason: `${CANCELLED} The host restores its old rules by itself unless it had confirmed.`,
  seconds: 0,
});

/**
 * Waits, then verifies every host of the wave over a new connection; also hosts that an earlier run changed, if it cannot
 * have soaked them to the end.
 */
async function soak(rollout: Rollout, wave: Wave): Promise<void> {
  const { onEvent, client, options, fleet } = rollout;
  const soaking = wave.hosts.flatMap((host) => soakingOf(rollout, host) ?? []);
  if (soaking.length === 0) return;
  const seconds = Math.max(...soaking.map((one) => one.seconds));
  onEvent({ kind: 'soak', wave: wave.number, seconds });
  await pause(seconds, options.signal);
  await pMap(
    soaking,
    async ({ deployable, run }) => {
      const { host } = deployable;
      if (isCancelled(rollout)) return;
      const verified = await whileUncancelled(client.reverify(host, { run }), options.signal);
      if (verified !== undefined) recordSoak(rollout, host.name, judgeSoak(fleet, deployable, verified));
    },
    { concurrency: options.parallel ?? fleet.rollout.parallel },
  );
}

function soakingOf({ changes, verdicts, fleet }: Rollout, host: string): SoakingHost | undefined {
  const { soakSeconds } = fleet.rollout;
  const changed = changes.get(host);
  if (changed !== undefined) return { ...changed, seconds: soakSeconds };
  const verdict = verdicts.get(host);
  return verdict?.kind === 'unchanged' ? remainingSoak(verdict.deployable, soakSeconds) : undefined;
}

/** Updates the outcome of a host. One that drops too much keeps the new rules, and the rollout stops. */
function recordSoak(rollout: Rollout, host: string, soaked: SoakResult): void {
  const known = rollout.outcomes.get(host);
  if (known === undefined) {
    if (soaked.kind !== 'good') rollout.halts.push(`the canary ${host} has changed since: ${soaked.reason}`);
    return;
  }
  switch (soaked.kind) {
    case 'good':
      if (soaked.drops !== undefined && rollout.changes.has(host))
        rollout.outcomes.set(host, { ...known, drops: soaked.drops });
      return;
    case 'changed':
      record(rollout, { ...known, phase: 'soak', outcome: soaked.outcome, reason: soaked.reason });
      return;
    case 'drops':
      rollout.halts.push(`${host} drops more than before.`);
      record(rollout, { ...known, phase: 'soak', drops: soaked.drops, reason: soaked.reason });
  }
}

/** Outcomes of changed hosts that have the new rules, for certain or perhaps. */
const HAS_NEW_RULES: ReadonlySet<Outcome['outcome']> = new Set(['confirmed', 'unreachable']);

const CANCELLED_ROLLBACK: TransactionResult = {
  outcome: 'unknown',
  phase: 'rollback',
  reason: `${CANCELLED} Its rollback was in progress; \`sallyport status\` shows which rules it has.`,
  seconds: 0,
};

const keepsNewRules = ({ reason }: Outcome): string =>
  `${reason} ${CANCELLED} It was not rolled back: it keeps the new rules.`.trim();

/** `on_failure: rollback`: rolls back the hosts that this run has changed, the last wave first. */
async function rollBackChanged(rollout: Rollout): Promise<void> {
  const { fleet, client, options } = rollout;
  for (const { number: wave, hosts } of rollout.waves.toReversed())
    await pMap(
      hosts,
      async (host) => {
        const changed = rollout.changes.get(host);
        const known = rollout.outcomes.get(host);
        if (changed === undefined || known === undefined || !HAS_NEW_RULES.has(known.outcome)) return;
        if (isCancelled(rollout)) return record(rollout, { ...known, reason: keepsNewRules(known) });
        const rollingBack = rollBackConfirmed(fleet, changed.deployable, client, newRun(options));
        record(rollout, {
          host,
          wave,
          ...((await whileUncancelled(rollingBack, options.signal)) ?? CANCELLED_ROLLBACK),
        });
      },
      { concurrency: options.parallel ?? fleet.rollout.parallel },
    );
}
