/** Plans and outcomes of several jobs, merged. */
import { describe, expect, test } from '@jest/globals';
import { plan as planCommand } from '../../../src/commands/plan.js';
import { warning } from '../../../src/lib/problem.js';
import { deployFleet } from '../../../src/rollout/deploy/deploy.js';
import { planFleet } from '../../../src/rollout/plan/plan.js';
import { findingOf } from '../../../src/rollout/results/finding.js';
import { mergeOutcomes, mergePlans } from '../../../src/rollout/results/merge.js';
import type { Outcomes, Plan } from '../../../src/rollout/results/model.js';
import { readPlan } from '../../../src/rollout/results/read.js';
import { inShard } from '../../../src/rollout/results/shard.js';
import type { RolloutPart } from '../../../src/rollout/results/waves.js';
import { fleetOf } from '../fleet.js';
import { type Behaviour, modelFleet, modelHost } from '../model-host.js';

const fleet = fleetOf({
  hosts: Array.from(
    { length: 12 },
    (_, index) => `\n  web-${index + 1}: { addresses: [192.0.2.${index + 1}], roles: [web] }`,
  ).join(''),
});
const NAMES = fleet.hosts.map(({ name }) => name);
const SHARDS = [1, 2, 3, 4].map((index) => ({ index, of: 4 }));

function clientWith(behaviours: Readonly<Record<string, Behaviour>> = {}) {
  return modelFleet(
    Object.fromEntries(NAMES.map((name) => [name, modelHost({ behaviour: behaviours[name] ?? 'good' })])),
  );
}

const files = <T>(values: readonly T[]) =>
  values.map((value, index) => ({ file: `${index + 1}.json`, value }));

async function shardPlans(): Promise<readonly Plan[]> {
  const hosts = clientWith({ 'web-7': 'unreachable' });
  return Promise.all(
    SHARDS.map(async (shard) => ({
      ...(await planFleet(
        fleet,
        fleet.hosts.filter(({ name }) => inShard(name, shard)),
        hosts,
        { commit: 'abc' },
      )),
      shard: { ...shard, fleet: NAMES },
    })),
  );
}

describe('mergePlans()', () => {
  test('gives the plan that one job would have made, digest and order included', async () => {
    const whole = await planFleet(fleet, fleet.hosts, clientWith({ 'web-7': 'unreachable' }), {
      commit: 'abc',
    });
    const merged = mergePlans(files((await shardPlans()).toReversed()));
    expect(merged).toEqual({ ok: true, value: whole, problems: [] });
  });

  test('makes a shard without a plan an error, and each of its hosts', async () => {
    const [first, , ...others] = await shardPlans();
    const merged = mergePlans(files([first, ...others].flatMap((one) => one ?? [])));
    const lost = NAMES.filter((name) => inShard(name, { index: 2, of: 4 }));
    expect(lost.length).toBeGreaterThan(0);
    expect(merged).toMatchObject({
      ok: true,
      problems: [
        {
          id: 'shard-missing',
          level: 'error',
          message: `No plan of shard 2/4, which has ${lost.length} hosts.`,
        },
      ],
    });
    if (!merged.ok) throw new Error();
    expect(merged.value.hosts.map(({ host }) => host)).toEqual(NAMES);
    for (const host of merged.value.hosts.filter(({ host }) => lost.includes(host)))
      expect(host).toMatchObject({ status: 'error', reason: 'No plan of shard 2/4.' });
    const complete = mergePlans(files(await shardPlans()));
    expect(complete.ok && complete.value.digest).not.toBe(merged.value.digest);
  });

  test('refuses plans of different commits or fleets, or with two plans of one host', async () => {
    const [first, second, third, fourth] = (await shardPlans()) as [Plan, Plan, Plan, Plan];
    const refused = (...plans: readonly Plan[]) => {
      const merged = mergePlans(files(plans));
      return merged.ok ? [] : merged.problems.map(({ id }) => id);
    };
    expect(refused(first, second, third, { ...fourth, commit: 'def' })).toEqual(['reports-unlike']);
    const smaller = { index: 4, of: 4, fleet: NAMES.slice(1) };
    expect(refused(first, second, third, { ...fourth, shard: smaller })).toEqual(['reports-unlike']);
    const other = { ...first, hosts: first.hosts.map((host) => ({ ...host, live: 'sha256:other' })) };
    expect(new Set(refused(first, second, third, fourth, other))).toEqual(new Set(['host-twice']));
    expect(refused(first, first, second, third, fourth)).toEqual([]);
  });

  test('reports once what every shard found in the policy', async () => {
    const location = { kind: 'policy' as const, file: 'policies/fleet.yml', line: 2, column: 1 };
    const found = warning('unused-name', 'Nothing uses the network "old".', {
      location,
      hint: 'Take it out.',
    });
    const plans = (await shardPlans()).map(({ shard, ...plan }) => ({
      ...plan,
      shard: { index: 1, of: 4, fleet: NAMES, ...shard, policy: [findingOf(found)] },
    }));
    const stored = plans.map((plan) => readPlan(JSON.stringify(plan), 'plan.json'));
    const merged = mergePlans(files(stored.flatMap((one) => (one.ok ? [one.value] : []))));
    expect(merged).toMatchObject({ ok: true, problems: [found] });
  });

  test('the plan command plans the hosts of its shard, and names those of all shards', async () => {
    // The policy of this repository's example, from recorded states: none of them is there.
    const made = await planCommand({ policies: 'policies', shard: { index: 1, of: 2 } }, async () => ({
      ok: true,
      problems: [],
      value: {
        read: async () => ({ status: 'unreachable', problem: { id: 'x', level: 'error', message: 'No.' } }),
        close: async () => {},
      },
    }));
    if (!made.ok) throw new Error();
    const { shard, hosts } = made.value;
    expect(shard?.fleet.length).toBe(5);
    expect(hosts.map(({ host }) => host)).toEqual(
      shard?.fleet.filter((host) => inShard(host, { index: 1, of: 2 })),
    );
  });
});

describe('mergeOutcomes()', () => {
  const PARTS: readonly RolloutPart[] = [
    { waves: { from: 0, to: 0 } },
    ...SHARDS.map((shard) => ({ shard, waves: { from: 1, to: 1 } })),
    ...SHARDS.map((shard) => ({ shard, waves: { from: 2 } })),
  ];
  async function rollout(behaviours: Readonly<Record<string, Behaviour>> = {}): Promise<readonly Outcomes[]> {
    const hosts = clientWith(behaviours);
    const reports: Outcomes[] = [];
    for (const part of PARTS)
      reports.push(await deployFleet(fleet, fleet.hosts, hosts, { owner: 'test', commit: 'abc', part }));
    return reports;
  }
  const short = (outcomes: Outcomes): readonly string[] =>
    outcomes.hosts.map(({ host, outcome, wave }) => `${wave} ${host} ${outcome}`);

  test('gives the outcomes that one job would have had', async () => {
    const whole = await deployFleet(fleet, fleet.hosts, clientWith(), { owner: 'test', commit: 'abc' });
    const merged = mergeOutcomes(files(await rollout()));
    expect(merged).toMatchObject({ ok: true, problems: [] });
    if (merged.ok) expect(short(merged.value)).toEqual(short(whole));
  });

  test('makes the hosts of a job without a report unknown: they may be changed', async () => {
    const reports = (await rollout()).toSpliced(1, 1);
    const merged = mergeOutcomes(files(reports));
    const lost = merged.ok ? merged.value.hosts.filter(({ outcome }) => outcome === 'unknown') : [];
    expect(lost.every(({ host, wave }) => wave === 1 && inShard(host, { index: 1, of: 4 }))).toBe(true);
    expect(merged.problems).toMatchObject(lost.length === 0 ? [] : [{ id: 'outcomes-missing' }]);
    const [first] = reports;
    const canaryAlone = mergeOutcomes(files(first === undefined ? [] : [first]));
    expect(canaryAlone.problems).toMatchObject([
      { id: 'outcomes-missing', message: 'No report has the outcome of 11 hosts.' },
    ]);
  });

  test('makes the hosts of waves after a failed one not-reached', async () => {
    const [canary] = await rollout({ 'web-1': 'rolls-back' });
    const merged = mergeOutcomes(files(canary === undefined ? [] : [canary]));
    expect(merged.problems).toEqual([]);
    expect(merged.ok && short(merged.value).slice(0, 2)).toEqual([
      '0 web-1 rolled-back',
      '1 web-10 not-reached',
    ]);
    expect(merged.ok && merged.value.stopped).toContain('the canary web-1 is rolled-back');
  });
});
