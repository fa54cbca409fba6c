import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { failuresAllowed, readWaves, wavesOf } from '../../../src/rollout/results/waves.js';

const hosts = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `web-${String(index + 1).padStart(2, '0')}`);

describe('waves', () => {
  test('the canary first, then cumulative shares of all hosts, by name', () => {
    expect(wavesOf(hosts(8), { canary: ['web-03'], waves: [{ percent: 25 }, { percent: 100 }] })).toEqual([
      { number: 0, hosts: ['web-03'] },
      { number: 1, hosts: ['web-01'] },
      { number: 2, hosts: ['web-02', 'web-04', 'web-05', 'web-06', 'web-07', 'web-08'] },
    ]);
  });

  test('bastions come alone and last, unless they are canaries', () => {
    const bastions = new Set(['web-01', 'web-02', 'web-03']);
    expect(
      wavesOf(hosts(6), { canary: ['web-03'], waves: [{ percent: 50 }, { percent: 100 }] }, bastions),
    ).toEqual([
      { number: 0, hosts: ['web-03'] },
      { number: 1, hosts: ['web-04', 'web-05'] },
      { number: 2, hosts: ['web-06'] },
      { number: 3, hosts: ['web-01'] },
      { number: 4, hosts: ['web-02'] },
    ]);
  });

  test('a wave that adds no host is left out', () => {
    expect(wavesOf(hosts(3), { canary: ['web-01'], waves: [{ percent: 25 }, { percent: 100 }] })).toEqual([
      { number: 0, hosts: ['web-01'] },
      { number: 1, hosts: ['web-02', 'web-03'] },
    ]);
  });

  test('counts are cumulative as well, and the remaining hosts come last', () => {
    const waves = wavesOf(hosts(9), { canary: [], waves: [{ count: 2 }, { count: 5 }] });
    expect(waves.map(({ hosts: { length } }) => length)).toEqual([2, 3, 4]);
  });

  test('a canary that is not among the hosts is ignored', () => {
    expect(wavesOf(['db-1'], { canary: ['web-01'], waves: [{ percent: 100 }] })).toEqual([
      { number: 1, hosts: ['db-1'] },
    ]);
  });

  test('every host comes exactly once, whatever the settings', () => {
    const size = fc.oneof(
      fc.record({ percent: fc.integer({ min: 1, max: 100 }) }),
      fc.record({ count: fc.integer({ min: 1, max: 60 }) }),
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 50 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 5 }),
        fc.array(size, { maxLength: 5 }),
        (count, canaries, waves) => {
          const all = hosts(count);
          const canary = canaries.map((number) => `web-${String(number).padStart(2, '0')}`);
          const done = wavesOf(all, { canary, waves }).flatMap((wave) => wave.hosts);
          expect(done.toSorted()).toEqual(all);
        },
      ),
    );
  });
});

test('failures are allowed by count, or by a share of the hosts rounded down', () => {
  expect(failuresAllowed({ maxFailures: { count: 2 } }, 10)).toBe(2);
  expect(failuresAllowed({ maxFailures: { percent: 10 } }, 19)).toBe(1);
  expect(failuresAllowed({ maxFailures: { percent: 10 } }, 9)).toBe(0);
});

test('readWaves() reads canary, N, N+ and bastions', () => {
  expect(['canary', '1', '2+', 'bastions'].map(readWaves)).toEqual([
    { from: 0, to: 0 },
    { from: 1, to: 1 },
    { from: 2 },
    'bastions',
  ]);
  for (const wrong of ['0', '0+', '', '1-2', 'all']) expect(readWaves(wrong)).toBeUndefined();
});

test('all shards together allow no more failures than the policy', () => {
  const settings = { maxFailures: { count: 6 } };
  expect(failuresAllowed(settings, 50, { index: 1, of: 4 })).toBe(1);
  expect(failuresAllowed(settings, 50)).toBe(6);
  expect(failuresAllowed({ maxFailures: { percent: 10 } }, 55, { index: 1, of: 4 })).toBe(5);
});
