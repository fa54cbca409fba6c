/** A deploy after a merge, and the ways by which its result goes back. */
import { describe, expect, test } from '@jest/globals';
import { warning } from '../../../src/lib/problem.js';
import { deployed, outcomes } from '../../report/example.js';
import { called, done, failed, pushEvent, runJob, SHA } from '../context.js';

describe('deploy', () => {
  test('the result goes to the summary, the outputs, the merged pull request and the deployment', async () => {
    const job = await runJob({
      event: pushEvent,
      answers: { deploy: done(deployed) },
      inputs: { deployment: 'true' },
    });
    expect(job.used).toEqual(['deploy']);
    expect(job.outputs).toMatchObject({ outcome: 'deployed', changed: '1', 'failed-hosts': '' });
    expect(called(job, 'upsertComment')?.[0]).toBe(7);
    expect(called(job, 'finishDeployment')).toEqual([
      5,
      'success',
      'Deployed: 1 confirmed, 1 unchanged',
      'https://github.com/example/fleet/actions/runs/42',
    ]);
    expect(job.failures).toEqual([]);
  });

  test('a rollout that failed fails the step and names the hosts', async () => {
    const job = await runJob({
      event: pushEvent,
      answers: { deploy: done(outcomes) },
      inputs: { deployment: 'true' },
    });
    expect(job.outputs).toMatchObject({
      outcome: 'failed',
      'failed-hosts': 'web-3,db-1,dns-1,web-4',
      'unreachable-hosts': 'db-1',
    });
    expect(called(job, 'finishDeployment')?.[1]).toBe('failure');
    expect(called(job, 'upsertComment')?.[2]).toContain('What now');
    expect(job.failures).toEqual([
      'Deploy failed: 1 unknown, 1 rolled back, 1 unreachable, 1 not reached, 1 confirmed, 1 unchanged.',
    ]);
  });

  test('a commit that is no longer the newest is not deployed', async () => {
    const job = await runJob({
      event: pushEvent,
      answers: { deploy: done(deployed) },
      github: { branchHead: async () => done('b'.repeat(40)) },
    });
    expect(job.used).toEqual([]);
    expect(job.failures[0]).toContain(`Commit ${SHA.slice(0, 12)} is not the newest of main`);
  });

  test.each([
    ['push', 'refs/heads/staging', 'staging'],
    ['workflow_dispatch', 'refs/heads/main', 'main'],
    ['push', 'refs/tags/v1', 'main'],
  ])('on %s of %s it must be the newest of %s', async (name, ref, branch) => {
    const job = await runJob({
      event: { name, ref },
      inputs: { command: 'deploy' },
      answers: { deploy: done(deployed) },
      github: { branchHead: async () => done('b'.repeat(40)) },
    });
    expect(called(job, 'branchHead')).toEqual([branch]);
    expect(job.used).toEqual([]);
    expect(job.failures[0]).toContain(`is not the newest of ${branch}`);
  });

  test('a GitHub that answers nothing stops no deployment', async () => {
    const down = async () => failed(warning('github-fault', 'GitHub is down.'));
    const job = await runJob({
      event: pushEvent,
      inputs: { deployment: 'true' },
      answers: { deploy: done(deployed) },
      github: {
        branchHead: down,
        startDeployment: down,
        mergedPull: down,
        upsertComment: down,
        finishDeployment: down,
      },
    });
    expect(job.used).toEqual(['deploy']);
    expect(job.outputs.outcome).toBe('deployed');
    expect(job.failures).toEqual([]);
    expect(job.summaries.join('')).toContain('GitHub is down.');
  });

  test('a report that cannot be written down leaves neither pull request nor deployment without the result', async () => {
    const calls: string[] = [];
    const note = (name: string) => async () => {
      calls.push(name);
      return done({ action: 'updated' } as const);
    };
    const full = runJob({
      event: pushEvent,
      answers: { deploy: done(deployed) },
      inputs: { deployment: 'true' },
      github: { upsertComment: note('comment'), finishDeployment: note('deployment') },
      runner: { file: () => Promise.reject(new Error('ENOSPC: no space left on device, write')) },
    });
    await expect(full).rejects.toThrow('ENOSPC');
    expect(calls).toEqual(['comment', 'deployment']);
  });
});
