/** A rollout whose waves and shards are deployed by several jobs. */
import { describe, expect, test } from '@jest/globals';
import { modelRollout, short } from '../model-rollout.js';

const shardsOf4 = [1, 2, 3, 4].map((index) => ({ index, of: 4 }));

describe('a rollout of several jobs', () => {
  test('changes every host once: the canary in its own job, then shards wave by wave', async () => {
    const { deploy, client } = modelRollout();
    expect(short(await deploy({ part: { waves: { from: 0, to: 0 } } }))).toEqual(['0 web-1 confirmed']);
    // Waves follow, so the job soaks and verifies the canary again.
    expect(client.log.at(-1)).toBe('reverify web-1');
    const later: string[] = [];
    for (const waves of [{ from: 1, to: 1 }, { from: 2 }])
      for (const shard of shardsOf4) later.push(...short(await deploy({ part: { shard, waves } })));
    expect(later).toEqual(['1 web-2 confirmed', '2 web-4 confirmed', '2 web-3 confirmed']);
    expect(client.log.filter((line) => line.startsWith('transact')).length).toBe(4);
  });

  test('has in its outcomes which part a job did, and all waves', async () => {
    const { deploy } = modelRollout();
    await deploy({ part: { waves: { from: 0, to: 0 } } });
    const done = await deploy({ part: { shard: { index: 1, of: 4 } } });
    expect(done.part).toEqual({
      shard: { index: 1, of: 4 },
      fleet: [
        { number: 0, hosts: ['web-1'] },
        { number: 1, hosts: ['web-2'] },
        { number: 2, hosts: ['web-3', 'web-4'] },
      ],
    });
  });

  test('begins no shard before the canary runs the new rules, and no shard has the canary', async () => {
    const { deploy, client } = modelRollout();
    for (const shard of shardsOf4) {
      const done = await deploy({ part: { shard } });
      expect(done.stopped).toMatch(/^Nothing was changed: the canary web-1 does not run the new rules yet/);
      expect(done.hosts.map(({ host }) => host)).not.toContain('web-1');
      expect(done.hosts.every(({ outcome }) => outcome === 'not-reached')).toBe(true);
    }
    expect(client.log.filter((line) => line.startsWith('transact'))).toEqual([]);
  });

  test('begins no shard after a canary that rolled back', async () => {
    const { deploy, client } = modelRollout({}, { 'web-1': 'rolls-back' });
    expect(short(await deploy({ part: { waves: { from: 0, to: 0 } } }))).toEqual(['0 web-1 rolled-back']);
    expect((await deploy({ part: { shard: { index: 2, of: 4 } } })).stopped).toContain('the canary web-1');
    expect(client.log.filter((line) => line.startsWith('transact'))).toEqual(['transact web-1']);
  });

  test('has bastions in no shard, and changes them last', async () => {
    const { deploy } = modelRollout({
      hosts: `
  web-1: { addresses: [192.0.2.1], roles: [web] }
  jump: { addresses: [192.0.2.9], roles: [web] }
  inner: { addresses: [192.0.2.4], roles: [web], ssh: { bastion: { host: jump } } }
`,
    });
    await deploy({ part: { waves: { from: 0, to: 0 } } });
    const sharded = (await Promise.all(shardsOf4.map((shard) => deploy({ part: { shard } })))).flatMap(short);
    expect(sharded).toEqual(['1 inner confirmed']);
    expect(short(await deploy({ part: { waves: 'bastions' } }))).toEqual(['2 jump confirmed']);
  });
});
