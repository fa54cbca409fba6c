/** What the shards of a fleet delivered, put together as if one job had done it all. What is missing is said. */
import { error, type Problem, type Result } from '../../lib/problem.js';
import { problemOf } from '../plan/findings.js';
import { planOf } from '../plan/plan.js';
import type { HostPlan, Outcome, Outcomes, Plan } from './model.js';
import { inShard, type Shard, shardText } from './part.js';
import type { Wave } from './waves.js';

export interface ReportFile<T> {
  /** As messages call it. */
  readonly file: string;
  readonly value: T;
}

/**
 * One plan of many, in the order of the whole plan and with its digest. A host whose shard delivered nothing stands in
 * it as an error, so that no count is less than the truth.
 */
export function mergePlans(plans: readonly ReportFile<Plan>[]): Result<Plan> {
  const parts = plans.flatMap(({ value: { shard } }) => (shard === undefined ? [] : [shard]));
  const { hosts, problems } = hostsOf(plans);
  if (parts.length > 0 && distinct(parts.map(({ of, fleet }) => JSON.stringify([of, fleet]))).length > 1)
    problems.push(mismatch('the plans do not say the same of how many shards and hosts there are'));
  if (problems.length > 0) return { ok: false, problems };
  const [part] = parts;
  const [first] = plans;
  const commit = first?.value.commit ?? undefined;
  const names = plans.find(({ value }) => value.names !== undefined)?.value.names;
  const missing = part === undefined ? [] : missingShards(part, parts);
  const ordered = inOrder(part?.fleet ?? [...hosts.keys()], hosts, (host): HostPlan => {
    const shard = missing.find((one) => inShard(host, one));
    const reason =
      shard === undefined ? 'Its shard left it out.' : `Shard ${shardText(shard)} delivered no plan.`;
    return { host, status: 'error', reason, findings: [] };
  });
  return {
    ok: true,
    value: {
      ...planOf(ordered, commit),
      states: Object.assign({}, ...plans.map(({ value }) => value.states ?? {})),
      ...(names === undefined ? {} : { names }),
    },
    problems: [
      ...missing.map((shard) => shardMissing(shard, part?.fleet ?? [])),
      ...(part?.policy ?? []).map(problemOf),
    ],
  };
}

const missingShards = ({ of }: Shard, delivered: readonly Shard[]): readonly Shard[] =>
  Array.from({ length: of }, (_, index) => ({ index: index + 1, of })).filter(
    ({ index }) => !delivered.some((shard) => shard.index === index),
  );

/** The outcomes of every job of a rollout, in its order. */
export function mergeOutcomes(reports: readonly ReportFile<Outcomes>[]): Result<Outcomes> {
  const parts = reports.flatMap(({ value: { part } }) => (part === undefined ? [] : [part]));
  const { hosts, problems } = hostsOf(reports);
  if (distinct(parts.map(({ fleet }) => JSON.stringify(fleet))).length > 1)
    problems.push(mismatch('the reports do not say the same of which hosts come in which wave'));
  if (problems.length > 0) return { ok: false, problems };
  const waves = parts[0]?.fleet ?? [];
  const names = waves.length > 0 ? waves.flatMap((wave) => wave.hosts) : [...hosts.keys()];
  const stopped = distinct(reports.flatMap(({ value }) => value.stopped ?? []));
  const all = inOrder(names, hosts, (host) => missingOutcome(host, waves, hosts, stopped.length > 0));
  const silent = all.filter(({ host, outcome }) => outcome === 'unknown' && !hosts.has(host));
  return {
    ok: true,
    value: {
      version: 1,
      commit: reports[0]?.value.commit ?? null,
      ...(stopped.length === 0 ? {} : { stopped: stopped.join(' ') }),
      hosts: all,
    },
    problems: silent.length === 0 ? [] : [outcomesMissing(silent.length)],
  };
}

const GOOD: ReadonlySet<Outcome['outcome']> = new Set(['confirmed', 'unchanged']);

/** A wave of which nobody tells anything, behind one that is known to have gone wrong, was never begun. */
function missingOutcome(
  host: string,
  waves: readonly Wave[],
  told: ReadonlyMap<string, Outcome>,
  stopped: boolean,
): Outcome {
  const wave = waves.find(({ hosts }) => hosts.includes(host)) ?? { number: 0, hosts: [] };
  const before = waves.filter(({ number }) => number < wave.number).flatMap(({ hosts }) => hosts);
  const wrong = stopped || before.some((one) => !GOOD.has(told.get(one)?.outcome ?? 'unchanged'));
  const begun = wave.hosts.some((one) => told.has(one));
  const known = { host, wave: wave.number, phase: 'preflight', seconds: 0 } as const;
  return wrong && !begun
    ? { ...known, outcome: 'not-reached', reason: 'The rollout stopped before its wave.' }
    : { ...known, outcome: 'unknown', reason: 'The job that had it delivered no report.' };
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
    problems.push(mismatch('they are of different commits'));
  return { hosts, problems };
}

/** In the order given; what it does not name comes last. */
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

const AGAIN = 'See why its job failed, and run the failed jobs again.';

const shardMissing = (shard: Shard, fleet: readonly string[]): Problem => {
  const hosts = fleet.filter((host) => inShard(host, shard)).length;
  return error(
    'shard-missing',
    `Shard ${shardText(shard)} delivered no plan: nothing is known of ${hosts === 1 ? 'its host' : `its ${hosts} hosts`}.`,
    undefined,
    AGAIN,
  );
};

const outcomesMissing = (hosts: number): Problem =>
  error(
    'outcomes-missing',
    `No job tells how ${hosts === 1 ? '1 host' : `${hosts} hosts`} ended.`,
    undefined,
    'Ask them with `sallyport status`, then run the failed jobs again.',
  );

const mismatch = (why: string): Problem =>
  error(
    'reports-unlike',
    `These reports are not of one run: ${why}.`,
    undefined,
    'Give the reports of one run alone.',
  );

const conflict = (host: string, file: string): Problem =>
  error(
    'host-twice',
    `${file} and another report tell different things of ${host}.`,
    undefined,
    'Give the reports of one run alone.',
  );
