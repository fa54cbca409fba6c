/** Plans and outcomes of shards, put together. */
import { describe, expect, test } from '@jest/globals';
import { plan as planCommand } from '../../../src/commands/plan.js';
import { warning } from '../../../src/lib/problem.js';
import { deployFleet } from '../../../src/rollout/deploy/deploy.js';
import { findingOf } from '../../../src/rollout/plan/findings.js';
import { planFleet } from '../../../src/rollout/plan/plan.js';
import { mergeOutcomes, mergePlans } from '../../../src/rollout/results/merge.js';
import type { Outcomes, Plan } from '../../../src/rollout/results/model.js';
import { inShard, type RolloutPart } from '../../../src/rollout/results/part.js';
import { readPlan } from '../../../src/rollout/results/read.js';
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

function client(behaviours: Readonly<Record<string, Behaviour>> = {}) {
  return modelFleet(
    Object.fromEntries(NAMES.map((name) => [name, modelHost({ behaviour: behaviours[name] ?? 'good' })])),
  );
}

const delivered = <T>(values: readonly T[]) =>
  values.map((value, index) => ({ file: `${index + 1}.json`, value }));

async function shardPlans(): Promise<readonly Plan[]> {
  const hosts = client({ 'web-7': 'unreachable' });
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

describe('plans', () => {
  test('of all shards are the plan that one job would have made, digest and order included', async () => {
    const whole = await planFleet(fleet, fleet.hosts, client({ 'web-7': 'unreachable' }), { commit: 'abc' });
    const merged = mergePlans(delivered((await shardPlans()).toReversed()));
    expect(merged).toEqual({ ok: true, value: whole, problems: [] });
  });

  test('a shard that delivered nothing is an error, and so is each of its hosts', async () => {
    const [first, , ...others] = await shardPlans();
    const merged = mergePlans(delivered([first, ...others].flatMap((one) => one ?? [])));
    const lost = NAMES.filter((name) => inShard(name, { index: 2, of: 4 }));
    expect(lost.length).toBeGreaterThan(0);
    expect(merged).toMatchObject({
      ok: true,
      problems: [
        {
          id: 'shard-missing',
          level: 'error',
          message: `Shard 2/4 delivered no plan: nothing is known of its ${lost.length} hosts.`,
        },
      ],
    });
    if (!merged.ok) throw new Error();
    expect(merged.value.hosts.map(({ host }) => host)).toEqual(NAMES);
    for (const host of merged.value.hosts.filter(({ host }) => lost.includes(host)))
      expect(host).toMatchObject({ status: 'error', reason: 'Shard 2/4 delivered no plan.' });
    const complete = mergePlans(delivered(await shardPlans()));
    expect(complete.ok && complete.value.digest).not.toBe(merged.value.digest);
  });

  test('of different commits, fleets, or with two answers for one host are not put together', async () => {
    const [first, second, third, fourth] = (await shardPlans()) as [Plan, Plan, Plan, Plan];
    const refused = (...plans: readonly Plan[]) => {
      const merged = mergePlans(delivered(plans));
      return merged.ok ? [] : merged.problems.map(({ id }) => id);
    };
    expect(refused(first, second, third, { ...fourth, commit: 'def' })).toEqual(['reports-unlike']);
    const smaller = { index: 4, of: 4, fleet: NAMES.slice(1) };
    expect(refused(first, second, third, { ...fourth, shard: smaller })).toEqual(['reports-unlike']);
    const other = { ...first, hosts: first.hosts.map((host) => ({ ...host, live: 'sha256:other' })) };
    expect(new Set(refused(first, second, third, fourth, other))).toEqual(new Set(['host-twice']));
    expect(refused(first, first, second, third, fourth)).toEqual([]);
  });

  test('tell once what every shard says of the policy', async () => {
    const location = { file: 'policies/fleet.yml', line: 2, column: 1 };
    const found = warning('unused-name', 'Nothing uses the network "old".', location, 'Take it out.');
    const plans = (await shardPlans()).map(({ shard, ...plan }) => ({
      ...plan,
      shard: { index: 1, of: 4, fleet: NAMES, ...shard, policy: [findingOf(found)] },
    }));
    const stored = plans.map((plan) => readPlan(JSON.stringify(plan), 'plan.json'));
    const merged = mergePlans(delivered(stored.flatMap((one) => (one.ok ? [one.value] : []))));
    expect(merged).toMatchObject({ ok: true, problems: [found] });
  });

  test('the command plans the hosts of its shard, and names those of all', async () => {
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

describe('outcomes', () => {
  const PARTS: readonly RolloutPart[] = [
    { waves: { from: 0, to: 0 } },
    ...SHARDS.map((shard) => ({ shard, waves: { from: 1, to: 1 } })),
    ...SHARDS.map((shard) => ({ shard, waves: { from: 2 } })),
  ];
  async function rollout(behaviours: Readonly<Record<string, Behaviour>> = {}): Promise<readonly Outcomes[]> {
    const hosts = client(behaviours);
    const reports: Outcomes[] = [];
    for (const part of PARTS)
      reports.push(await deployFleet(fleet, fleet.hosts, hosts, { owner: 'test', commit: 'abc', part }));
    return reports;
  }
  const short = (outcomes: Outcomes): readonly string[] =>
    outcomes.hosts.map(({ host, outcome, wave }) => `${wave} ${host} ${outcome}`);

  test('of every job are those of one rollout', async () => {
    const whole = await deployFleet(fleet, fleet.hosts, client(), { owner: 'test', commit: 'abc' });
    const merged = mergeOutcomes(delivered(await rollout()));
    expect(merged).toMatchObject({ ok: true, problems: [] });
    if (merged.ok) expect(short(merged.value)).toEqual(short(whole));
  });

  test('a job that told nothing leaves its hosts unknown: they may be changed', async () => {
    const reports = (await rollout()).toSpliced(1, 1);
    const merged = mergeOutcomes(delivered(reports));
    const lost = merged.ok ? merged.value.hosts.filter(({ outcome }) => outcome === 'unknown') : [];
    expect(lost.every(({ host, wave }) => wave === 1 && inShard(host, { index: 1, of: 4 }))).toBe(true);
    expect(merged.problems).toMatchObject(lost.length === 0 ? [] : [{ id: 'outcomes-missing' }]);
    const [first] = reports;
    const canaryAlone = mergeOutcomes(delivered(first === undefined ? [] : [first]));
    expect(canaryAlone.problems).toMatchObject([
      { id: 'outcomes-missing', message: 'No job tells how 11 hosts ended.' },
    ]);
  });

  test('waves behind one that went wrong were never begun', async () => {
    const [canary] = await rollout({ 'web-1': 'rolls-back' });
    const merged = mergeOutcomes(delivered(canary === undefined ? [] : [canary]));
    expect(merged.problems).toEqual([]);
    expect(merged.ok && short(merged.value).slice(0, 2)).toEqual([
      '0 web-1 rolled-back',
      '1 web-10 not-reached',
    ]);
    expect(merged.ok && merged.value.stopped).toContain('the canary web-1 is rolled-back');
  });
});
