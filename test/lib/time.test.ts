import { getEventListeners, getMaxListeners } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { pause, whileUncancelled } from '../../src/lib/time.js';

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

  test('that ends within the grace period gives its result', async () => {
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

  test('of many hosts at once is no leak for Node to warn of', async () => {
    const { signal } = new AbortController();
    const working = Array.from({ length: 20 }, () => whileUncancelled(pause(0.01), signal));
    const [listening, most] = [getEventListeners(signal, 'abort').length, getMaxListeners(signal)];
    expect(listening).toBeLessThanOrEqual(most);
    await Promise.all(working);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('that fails rejects', async () => {
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

test('a pause that is longer than a timer of Node can be is no shorter for that', async () => {
  const controller = new AbortController();
  let over = false;
  const month = pause(31 * 86_400, controller.signal).then(() => {
    over = true;
  });
  await pause(0.02);
  expect(over).toBe(false);
  controller.abort();
  await month;
});
