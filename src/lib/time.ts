/** Waiting that an `AbortSignal` ends early. */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves after the time, or as soon as the signal aborts. */
export async function pause(seconds: number, signal?: AbortSignal): Promise<void> {
  try {
    for (let left = seconds * 1000; left > 0; left -= LONGEST_TIMER)
      await sleep(Math.min(left, LONGEST_TIMER), undefined, { signal });
  } catch (thrown) {
    if (signal?.aborted !== true) throw thrown;
  }
}

/** Node fires a timer beyond 31 bits of milliseconds, about 25 days, after one millisecond. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** GitHub kills a process that has not ended 7.5 seconds after it cancels a job. */
const GRACE_SECONDS = 5;

/** The result; `undefined` when the signal aborted and the work did not end within a short grace. */
export async function whileUncancelled<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  graceSeconds = GRACE_SECONDS,
): Promise<T | undefined> {
  if (signal === undefined) return work;
  // One listener for each host in progress; Node 20 warns about a leak at more than ten.
  setMaxListeners(Number.POSITIVE_INFINITY, signal);
  const done = new AbortController();
  const expired = new Promise<undefined>((resolve) => {
    const startGrace = (): void => void pause(graceSeconds, done.signal).then(() => resolve(undefined));
    if (signal.aborted) startGrace();
    else signal.addEventListener('abort', startGrace, { once: true, signal: done.signal });
  });
  try {
    return await Promise.race([work, expired]);
  } finally {
    done.abort();
  }
}
