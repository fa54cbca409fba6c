/** The run that holds the reviewed plan, looked for before a deploy. */
import { describe, expect, test } from '@jest/globals';
import { warning } from '../../../src/lib/problem.js';
import { called, done, failed, pushEvent, runJob, SHA } from '../context.js';

describe('the reviewed plan', () => {
  const reviewed = { command: 'reviewed' };

  test('its run is an output for the step that fetches it', async () => {
    const job = await runJob({ event: pushEvent, inputs: reviewed });
    expect(called(job, 'reviewedRun')).toEqual([SHA]);
    expect(job.outputs).toEqual({ 'reviewed-run': '99' });
    expect(job.failures).toEqual([]);
  });

  test('a push without one, and a run by hand, are told and go on', async () => {
    const none = await runJob({
      event: pushEvent,
      inputs: reviewed,
      github: { reviewedRun: async () => done(undefined) },
    });
    expect(none.outputs).toEqual({ 'reviewed-run': '' });
    expect(none.log.join()).toContain('not bound to a plan');
    const byHand = await runJob({ event: { name: 'workflow_dispatch' }, inputs: reviewed });
    expect(byHand.outputs).toEqual({ 'reviewed-run': '' });
    expect(byHand.calls).toEqual([]);
  });

  test('a GitHub that does not answer ends the job before a host is touched', async () => {
    const down = warning('github-fault', 'Cannot find the reviewed plan.');
    const job = await runJob({
      event: pushEvent,
      inputs: reviewed,
      github: { reviewedRun: async () => failed(down) },
    });
    expect(job.failures).toHaveLength(1);
    expect(job.used).toEqual([]);
  });
});
