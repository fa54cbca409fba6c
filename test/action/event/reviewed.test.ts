/** The run that holds the reviewed plan, looked for before a deploy. */
import { describe, expect, test } from '@jest/globals';
import { warning } from '../../../src/lib/problem.js';
import { called, done, failed, pushEvent, runJob, SHA } from '../context.js';

describe('the reviewed plan', () => {
  const reviewed = { command: 'reviewed' };

  test('sets its run as an output', async () => {
    const job = await runJob({ event: pushEvent, inputs: reviewed });
    expect(called(job, 'reviewedRun')).toEqual([SHA]);
    expect(job.outputs).toEqual({ 'reviewed-run': '99' });
    expect(job.failures).toEqual([]);
  });

  test('is optional for a push without one and for a manual run', async () => {
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

  test('that GitHub does not return fails the job before a host is changed', async () => {
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
