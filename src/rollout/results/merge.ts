/** The plans or outcomes of several jobs as one, as if one job had done it all; what is missing is a problem. */
import { error, type Problem, type Result } from '../../lib/problem.js';
import { count } from '../../lib/text.js';
import { problemOf } from './finding.js';
import type { HostPlan, Outcome, Outcomes, Plan } from './model.js';
import { planOf } from './plan-digest.js';
import { inShard, type Shard, shardText } from './shard.js';
import type { Wave } from './waves.js';

export interface ReportFile<T> {
  /** Its name in messages. */
  readonly file: string;
  readonly value: T;
}

/**
 * One plan from those of all shards, in the order of the fleet and with its digest. A host whose shard has no plan is in
 * it as an error, so that no count is too low.
 */
export function mergePlans(plans: readonly ReportFile<Plan>[]): Result<Plan> {
  const shards = plans.flatMap(({ value: { shard } }) => shard ?? []);
  const { hosts, problems } = hostsOf(plans);
  if (distinct(shards.map(({ of, fleet }) => JSON.stringify([of, fleet]))).length > 1)
    problems.push(mismatch('the numbers of shards or the hosts of the fleet differ'));
  if (problems.length > 0) return { ok: false, problems };
  const [{ of, fleet, policy = [] } = { of: 0, fleet: [...hosts.keys()] }] = shards;
  const missing = Array.from({ length: of }, (_, index) => ({ index: index + 1, of })).filter(
    ({ index }) => !shards.some((shard) => shard.index === index),
  );
  const ordered = inOrder(fleet, hosts, (host): HostPlan => {
    const shard = missing.find((one) => inShard(host, one));
    const reason =
      shard === undefined
        ? 'The plan of its shard does not have it.'
        : `No plan of shard ${shardText(shard)}.`;
    return { host, status: 'error', reason, findings: [] };
  });
  return {
    ok: true,
    value: {
      ...planOf(ordered, plans[0]?.value.commit ?? undefined),
      states: Object.assign({}, ...plans.map(({ value }) => value.states ?? {})),
      names: plans.find(({ value }) => value.names !== undefined)?.value.names,
    },
    problems: [...missing.map((shard) => shardMissing(shard, fleet)), ...policy.map(problemOf)],
  };
}

/** The outcomes of every job of a rollout, in its order. */
export function mergeOutcomes(reports: readonly ReportFile<Outcomes>[]): Result<Outcomes> {
  const parts = reports.flatMap(({ value: { part } }) => part ?? []);
  const { hosts, problems } = hostsOf(reports);
  if (distinct(parts.map(({ fleet }) => JSON.stringify(fleet))).length > 1)
    problems.push(mismatch('the waves differ'));
  if (problems.length > 0) return { ok: false, problems };
  const waves = parts[0]?.fleet ?? [];
  const names = waves.length > 0 ? waves.flatMap((wave) => wave.hosts) : [...hosts.keys()];
  const stopped = distinct(reports.flatMap(({ value }) => value.stopped ?? []));
  const all = inOrder(names, hosts, (host) => missingOutcome(host, waves, hosts, stopped.length > 0));
  const unknown = all.filter(({ host, outcome }) => outcome === 'unknown' && !hosts.has(host));
  return {
    ok: true,
    value: {
      version: 1,
      commit: reports[0]?.value.commit ?? null,
      stopped: stopped.join(' ') || undefined,
      hosts: all,
    },
    problems: unknown.length === 0 ? [] : [outcomesMissing(unknown.length)],
  };
}

const GOOD: ReadonlySet<Outcome['outcome']> = new Set(['confirmed', 'unchanged']);

/** A wave without any report, after one that is known to have failed, was never begun. */
function missingOutcome(
  host: string,
  waves: readonly Wave[],
  reported: ReadonlyMap<string, Outcome>,
  stopped: boolean,
): Outcome {
  const wave = waves.find(({ hosts }) => hosts.includes(host)) ?? { number: 0, hosts: [] };
  const earlier = waves.filter(({ number }) => number < wave.number).flatMap(({ hosts }) => hosts);
  const failed = stopped || earlier.some((one) => !GOOD.has(reported.get(one)?.outcome ?? 'unchanged'));
  const begun = wave.hosts.some((one) => reported.has(one));
  const known = { host, wave: wave.number, phase: 'preflight', seconds: 0 } as const;
  return failed && !begun
    ? { ...known, outcome: 'not-reached', reason: 'The rollout stopped before its wave.' }
    : { ...known, outcome: 'unknown', reason: 'No report of its job.' };
}

interface HostEntry {
  readonly host: string;
}

/** Every host once, and why the files cannot be of one plan or rollout. */
function hostsOf<T extends HostEntry>(
  files: readonly ReportFile<{ readonly commit: string | null; readonly hosts: readonly T[] }>[],
): { readonly hosts: ReadonlyMap<string, T>; readonly problems: Problem[] } {
  const hosts = new Map<string, T>();
  const problems: Problem[] = [];
  for (const { file, value } of files)
    for (const host of value.hosts) {
      const known = hosts.get(host.host);
      if (known !== undefined && JSON.stringify(known) !== JSON.stringify(host))
        problems.push(conflict(host.host, file));
      hosts.set(host.host, host);
    }
  if (distinct(files.map(({ value }) => value.commit ?? '')).length > 1)
    problems.push(mismatch('the commits differ'));
  return { hosts, problems };
}

/** In the order given; hosts that it does not have come last. */
function inOrder<T extends HostEntry>(
  order: readonly string[],
  hosts: ReadonlyMap<string, T>,
  absent: (host: string) => T,
): readonly T[] {
  const named = new Set(order);
  return [
    ...order.map((host) => hosts.get(host) ?? absent(host)),
    ...[...hosts.values()].filter(({ host }) => !named.has(host)),
  ];
}

const distinct = <T>(items: readonly T[]): readonly T[] => [...new Set(items)];

const shardMissing = (shard: Shard, fleet: readonly string[]): Problem =>
  error(
    'shard-missing',
    `No plan of shard ${shardText(shard)}, which has ${count(fleet.filter((host) => inShard(host, shard)).length, 'host')}.`,
    { hint: 'Check why its job failed, then run the failed jobs again.' },
  );

const outcomesMissing = (hosts: number): Problem =>
  error('outcomes-missing', `No report has the outcome of ${count(hosts, 'host')}.`, {
    hint: 'Check the hosts with `sallyport status`, then run the failed jobs again.',
  });

const ONE_RUN = 'Give only the reports of one run.';

const mismatch = (why: string): Problem =>
  error('reports-unlike', `These reports are not of one run: ${why}.`, { hint: ONE_RUN });

const conflict = (host: string, file: string): Problem =>
  error('host-twice', `${file} and another report differ on ${host}.`, { hint: ONE_RUN });
