import { describe, expect, test } from '@jest/globals';
import { pause, whileUncancelled } from '../../src/rollout/time.js';

const never = new Promise<string>(() => {});

describe('work under a signal', () => {
  test('is waited for while nobody cancels', async () => {
    expect(await whileUncancelled(Promise.resolve('done'), new AbortController().signal)).toBe('done');
  });

  test('is left alone once cancelled and the grace is over', async () => {
    const controller = new AbortController();
    const left = whileUncancelled(never, controller.signal, 0.01);
    controller.abort();
    expect(await left).toBeUndefined();
    expect(await whileUncancelled(never, controller.signal, 0.01)).toBeUndefined();
  });

  test('that ends within the grace is told as it ended', async () => {
    const controller = new AbortController();
    let finish: (word: string) => void = () => {};
    const work = new Promise<string>((resolve) => {
      finish = resolve;
    });
    const left = whileUncancelled(work, controller.signal, 60);
    controller.abort();
    finish('confirmed');
    expect(await left).toBe('confirmed');
  });

  test('that fails is told as well', async () => {
    const failing = Promise.reject(new Error('no'));
    await expect(whileUncancelled(failing, new AbortController().signal)).rejects.toThrow('no');
  });
});

test('a pause ends when it is cancelled', async () => {
  const controller = new AbortController();
  const long = pause(3600, controller.signal);
  controller.abort();
  await long;
});
