/** Waiting that can be cut short. */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves after the time, or as soon as the signal aborts. */
export async function pause(seconds: number, signal?: AbortSignal): Promise<void> {
  try {
    for (let left = seconds * 1000; left > 0; left -= LONGEST_TIMER)
      await sleep(Math.min(left, LONGEST_TIMER), undefined, signal === undefined ? {} : { signal });
  } catch (thrown) {
    if (signal?.aborted !== true) throw thrown;
  }
}

/** Node takes what does not fit 31 bits of milliseconds, a good three weeks, for one millisecond. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** GitHub kills what has not ended 7.5 seconds after it cancels a job. */
const GRACE_SECONDS = 5;

/** The result; `undefined` when the signal aborted and the work did not end within a short grace. */
export async function whileUncancelled<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  graceSeconds = GRACE_SECONDS,
): Promise<T | undefined> {
  if (signal === undefined) return work;
  // Every host under way listens, and none longer than it is; Node 20 takes more than ten for a leak.
  setMaxListeners(Number.POSITIVE_INFINITY, signal);
  const done = new AbortController();
  const given = new Promise<undefined>((resolve) => {
    const giveUp = (): void => void pause(graceSeconds, done.signal).then(() => resolve(undefined));
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true, signal: done.signal });
  });
  try {
    return await Promise.race([work, given]);
  } finally {
    done.abort();
  }
}
