import { describe, expect, test } from '@jest/globals';
import { deployFleet } from '../../../src/rollout/deploy/deploy.js';
import type { Outcomes } from '../../../src/rollout/results/model.js';
import {
  failuresAllowedIn,
  inShard,
  type RolloutPart,
  readShard,
  readWaves,
} from '../../../src/rollout/results/part.js';
import { fleetOf } from '../fleet.js';
import { type Behaviour, modelFleet, modelHost } from '../model-host.js';

const NAMES = ['web-1', 'web-2', 'web-3', 'web-4'];
const many = Array.from({ length: 1000 }, (_, index) => `host-${index}`);
const shardsOf4 = [1, 2, 3, 4].map((index) => ({ index, of: 4 }));

describe('which hosts a shard has', () => {
  test('every host is in exactly one, and they are about as large', () => {
    const sizes = shardsOf4.map((shard) => many.filter((host) => inShard(host, shard)).length);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(many.length);
    for (const size of sizes) expect(Math.abs(size - 250)).toBeLessThan(60);
  });

  test('by its name alone: the shard of a host does not change when others come and go', () => {
    // Written down: a reviewed plan and the deploy of another version must agree.
    expect(NAMES.map((name) => shardsOf4.find((shard) => inShard(name, shard))?.index)).toEqual([3, 3, 3, 2]);
  });

  test('is written i/n, from 1', () => {
    expect(readShard('2/4')).toEqual({ index: 2, of: 4 });
    for (const wrong of ['0/4', '5/4', '1/0', '1/257', '1', '1/', 'a/b', '01/4x', '-1/4'])
      expect(readShard(wrong)).toBeUndefined();
  });

  test('waves are written canary, N, N+ or bastions', () => {
    expect(['canary', '1', '2+', 'bastions'].map(readWaves)).toEqual([
      { from: 0, to: 0 },
      { from: 1, to: 1 },
      { from: 2 },
      'bastions',
    ]);
    for (const wrong of ['0', '0+', '', '1-2', 'all']) expect(readWaves(wrong)).toBeUndefined();
  });
});

function modelRollout(behaviours: Readonly<Record<string, Behaviour>> = {}, rollout = '', more = '') {
  const fleet = fleetOf({ rollout, ...(more === '' ? {} : { hosts: more }) });
  const client = modelFleet(
    Object.fromEntries(
      fleet.hosts.map(({ name }) => [name, modelHost({ behaviour: behaviours[name] ?? 'good' })]),
    ),
  );
  const deploy = (part: RolloutPart): Promise<Outcomes> =>
    deployFleet(fleet, fleet.hosts, client, { owner: 'test', commit: 'abc', part });
  return { client, deploy };
}

const short = ({ hosts }: Outcomes): readonly string[] =>
  hosts.map(({ host, outcome, wave }) => `${wave} ${host} ${outcome}`);

describe('a rollout that several jobs share', () => {
  test('the canary by a job of its own, then shards wave by wave: together every host once', async () => {
    const { deploy, client } = modelRollout();
    expect(short(await deploy({ waves: { from: 0, to: 0 } }))).toEqual(['0 web-1 confirmed']);
    // Waves follow, so the job waits and asks the canary again.
    expect(client.log.at(-1)).toBe('reverify web-1');
    const later: string[] = [];
    for (const waves of [{ from: 1, to: 1 }, { from: 2 }])
      for (const shard of shardsOf4) later.push(...short(await deploy({ shard, waves })));
    expect(later).toEqual(['1 web-2 confirmed', '2 web-4 confirmed', '2 web-3 confirmed']);
    expect(client.log.filter((line) => line.startsWith('transact')).length).toBe(4);
  });

  test('says which part it did, and which waves there are', async () => {
    const { deploy } = modelRollout();
    await deploy({ waves: { from: 0, to: 0 } });
    const done = await deploy({ shard: { index: 1, of: 4 } });
    expect(done.part).toEqual({
      shard: { index: 1, of: 4 },
      fleet: [
        { number: 0, hosts: ['web-1'] },
        { number: 1, hosts: ['web-2'] },
        { number: 2, hosts: ['web-3', 'web-4'] },
      ],
    });
  });

  test('no shard begins while the canary does not run the new rules, and none has the canary', async () => {
    const { deploy, client } = modelRollout();
    for (const shard of shardsOf4) {
      const done = await deploy({ shard });
      expect(done.stopped).toMatch(/^Nothing was changed: the canary web-1 does not run the new rules yet/);
      expect(done.hosts.map(({ host }) => host)).not.toContain('web-1');
      expect(done.hosts.every(({ outcome }) => outcome === 'not-reached')).toBe(true);
    }
    expect(client.log.filter((line) => line.startsWith('transact'))).toEqual([]);
  });

  test('a canary that took itself back holds the shards up as well', async () => {
    const { deploy, client } = modelRollout({ 'web-1': 'rolls-back' });
    expect(short(await deploy({ waves: { from: 0, to: 0 } }))).toEqual(['0 web-1 rolled-back']);
    expect((await deploy({ shard: { index: 2, of: 4 } })).stopped).toContain('the canary web-1');
    expect(client.log.filter((line) => line.startsWith('transact'))).toEqual(['transact web-1']);
  });

  test('hosts that others are reached through belong to no shard, and come last', async () => {
    const { deploy } = modelRollout(
      {},
      '',
      `
  web-1: { addresses: [192.0.2.1], roles: [web] }
  jump: { addresses: [192.0.2.9], roles: [web] }
  inner: { addresses: [192.0.2.4], roles: [web], ssh: { bastion: { host: jump } } }
`,
    );
    await deploy({ waves: { from: 0, to: 0 } });
    const sharded = (await Promise.all(shardsOf4.map((shard) => deploy({ shard })))).flatMap(short);
    expect(sharded).toEqual(['1 inner confirmed']);
    expect(short(await deploy({ waves: 'bastions' }))).toEqual(['2 jump confirmed']);
  });

  test('together they allow no more failures than the policy', () => {
    const settings = { maxFailures: { count: 6 } };
    expect(failuresAllowedIn(settings, 50, { shard: { index: 1, of: 4 } })).toBe(1);
    expect(failuresAllowedIn(settings, 50, {})).toBe(6);
    expect(failuresAllowedIn({ maxFailures: { percent: 10 } }, 55, { shard: { index: 1, of: 4 } })).toBe(5);
  });
});
