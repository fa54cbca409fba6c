/** The run that holds the reviewed plan, looked for before a deploy. */
import { describe, expect, test } from '@jest/globals';
import { warning } from '../../../src/lib/problem.js';
import { called, done, failed, play, pushEvent, SHA } from '../context.js';

describe('the reviewed plan', () => {
  const reviewed = { command: 'reviewed' };

  test('its run is an output for the step that fetches it', async () => {
    const scene = await play({ event: pushEvent, inputs: reviewed });
    expect(called(scene, 'reviewedRun')).toEqual([SHA]);
    expect(scene.outputs).toEqual({ 'reviewed-run': '99' });
    expect(scene.failures).toEqual([]);
  });

  test('a push without one, and a run by hand, are told and go on', async () => {
    const none = await play({
      event: pushEvent,
      inputs: reviewed,
      github: { reviewedRun: async () => done(undefined) },
    });
    expect(none.outputs).toEqual({ 'reviewed-run': '' });
    expect(none.log.join()).toContain('held to none');
    const byHand = await play({ event: { name: 'workflow_dispatch' }, inputs: reviewed });
    expect(byHand.outputs).toEqual({ 'reviewed-run': '' });
    expect(byHand.calls).toEqual([]);
  });

  test('a GitHub that does not answer ends the job before a host is touched', async () => {
    const down = warning('github-fault', 'GitHub did not let us find the reviewed plan.');
    const scene = await play({
      event: pushEvent,
      inputs: reviewed,
      github: { reviewedRun: async () => failed(down) },
    });
    expect(scene.failures).toHaveLength(1);
    expect(scene.used).toEqual([]);
  });
});
