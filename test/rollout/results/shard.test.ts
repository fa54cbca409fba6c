import { describe, expect, test } from '@jest/globals';
import { inShard, readShard } from '../../../src/rollout/results/shard.js';

const NAMES = ['web-1', 'web-2', 'web-3', 'web-4'];
const many = Array.from({ length: 1000 }, (_, index) => `host-${index}`);
const shardsOf4 = [1, 2, 3, 4].map((index) => ({ index, of: 4 }));

describe('a shard', () => {
  test('has each host in exactly one, and all have about the same size', () => {
    const sizes = shardsOf4.map((shard) => many.filter((host) => inShard(host, shard)).length);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(many.length);
    for (const size of sizes) expect(Math.abs(size - 250)).toBeLessThan(60);
  });

  test('is that of the name alone: it does not change when other hosts are added or removed', () => {
    // Written down: a reviewed plan and the deploy of another version must agree.
    expect(NAMES.map((name) => shardsOf4.find((shard) => inShard(name, shard))?.index)).toEqual([3, 3, 3, 2]);
  });

  test('is written i/n, from 1', () => {
    expect(readShard('2/4')).toEqual({ index: 2, of: 4 });
    for (const wrong of ['0/4', '5/4', '1/0', '1/257', '1', '1/', 'a/b', '01/4x', '-1/4'])
      expect(readShard(wrong)).toBeUndefined();
  });
});
