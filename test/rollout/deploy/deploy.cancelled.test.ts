/** A run that is cancelled at any time: no further host is changed, and each outcome is true. */
import { describe, expect, jest, test } from '@jest/globals';
import type { RolloutEvent } from '../../../src/rollout/results/events.js';
import type { Behaviour, ModelFleet } from '../model-host.js';
import { modelRollout, NAMES, short, touched } from '../model-rollout.js';

jest.setTimeout(20_000);

/** A deploy that is cancelled at the first event for which `at` is true. */
function cancelling(
  { deploy }: Pick<ReturnType<typeof modelRollout>, 'deploy'>,
  at: (event: RolloutEvent) => boolean,
): ReturnType<typeof deploy> {
  const controller = new AbortController();
  return deploy({
    signal: controller.signal,
    onEvent: (event) => {
      if (at(event)) controller.abort();
    },
  });
}

const become = ({ hosts }: ModelFleet, behaviour: Behaviour): void => {
  for (const host of hosts.values()) host.behaviour = behaviour;
};

describe('a cancelled run', () => {
  test('changes no further host', async () => {
    const { client, deploy } = modelRollout();
    const outcomes = await cancelling({ deploy }, ({ kind }) => kind === 'outcome');
    expect(short(outcomes)).toEqual([
      '0 web-1 confirmed',
      '1 web-2 not-reached',
      '2 web-3 not-reached',
      '2 web-4 not-reached',
    ]);
    expect(touched(client)).toEqual(['web-1']);
    expect(outcomes.hosts[1]?.reason).toBe('The run was cancelled.');
  });

  test('does not wait for the end of a soak', async () => {
    const { deploy } = modelRollout({ rollout: 'soak: 1h' });
    const outcomes = await cancelling({ deploy }, ({ kind }) => kind === 'soak');
    expect(short(outcomes)[0]).toBe('0 web-1 confirmed');
    expect(outcomes.stopped).toBe('The run was cancelled.');
  });

  test('does not wait for hosts that are still being read', async () => {
    const { client, deploy } = modelRollout({}, { 'web-3': 'hangs' });
    const outcomes = await cancelling({ deploy }, ({ kind }) => kind === 'reading');
    expect(short(outcomes).every((line) => line.endsWith('not-reached'))).toBe(true);
    expect(outcomes.hosts).toHaveLength(NAMES.length);
    expect(outcomes.stopped).toBe('The run was cancelled.');
    expect(touched(client)).toEqual([]);
  });

  test('leaves a host that is being changed to itself, and reports that', async () => {
    const { client, deploy } = modelRollout();
    const outcomes = await cancelling({ deploy }, ({ kind }) => {
      if (kind === 'wave') become(client, 'hangs');
      return kind === 'phase';
    });
    expect(short(outcomes)).toEqual([
      '0 web-1 unknown',
      '1 web-2 not-reached',
      '2 web-3 not-reached',
      '2 web-4 not-reached',
    ]);
    expect(outcomes.hosts[0]).toMatchObject({
      phase: 'apply',
      reason: expect.stringMatching(/^The run was cancelled\. The host restores its old rules by itself/),
    });
  });

  test('ends while a host is being rolled back, and reports that its state is unknown', async () => {
    const { client, deploy } = modelRollout({ rollout: 'on_failure: rollback' }, { 'web-2': 'rolls-back' });
    const controller = new AbortController();
    const outcomes = await deploy({
      signal: controller.signal,
      onEvent: ({ kind }) => {
        if (kind !== 'stopped') return;
        become(client, 'hangs');
        // Once the first host is asked to go back.
        setImmediate(() => controller.abort());
      },
    });
    expect(outcomes.hosts[0]).toMatchObject({
      outcome: 'unknown',
      phase: 'rollback',
      reason: expect.stringContaining('Its rollback was in progress'),
    });
    expect(outcomes.stopped).toContain('web-2 is rolled-back');
  });

  test('reports which hosts it did not roll back', async () => {
    const { client, deploy } = modelRollout(
      { rollout: 'on_failure: rollback, parallel: 1' },
      { 'web-4': 'rolls-back' },
    );
    const outcomes = await cancelling(
      { deploy },
      (event) => event.kind === 'outcome' && event.outcome.phase === 'rollback',
    );
    expect(short(outcomes)).toEqual([
      '0 web-1 confirmed',
      '1 web-2 confirmed',
      '2 web-3 rolled-back',
      '2 web-4 rolled-back',
    ]);
    const kept = 'The run was cancelled. It was not rolled back: it keeps the new rules.';
    expect(outcomes.hosts.slice(0, 2).map(({ reason }) => reason)).toEqual([kept, kept]);
    expect(touched(client)).toEqual(['web-1', 'web-2', 'web-3', 'web-4', 'web-3']);
  });

  test('is not stopped when its last host was done', async () => {
    const { deploy } = modelRollout();
    const outcomes = await cancelling(
      { deploy },
      (event) => event.kind === 'outcome' && event.outcome.host === 'web-4',
    );
    expect(short(outcomes).every((line) => line.endsWith('confirmed'))).toBe(true);
    expect(outcomes.stopped).toBeUndefined();
  });
});
