/** A deploy after a merge, and the ways by which its result goes back. */
import { describe, expect, test } from '@jest/globals';
import { warning } from '../../../src/lib/problem.js';
import { deployed, outcomes } from '../../report/example.js';
import { called, done, failed, play, pushEvent, SHA } from '../context.js';

describe('deploy', () => {
  test('the result goes to the summary, the outputs, the merged pull request and the deployment', async () => {
    const scene = await play({
      event: pushEvent,
      answers: { deploy: done(deployed) },
      inputs: { deployment: 'true' },
    });
    expect(scene.used).toEqual(['deploy']);
    expect(scene.outputs).toMatchObject({ outcome: 'deployed', changed: '1', 'failed-hosts': '' });
    expect(called(scene, 'upsertComment')?.[0]).toBe(7);
    expect(called(scene, 'finishDeployment')).toEqual([
      5,
      'success',
      'Deployed: 1 confirmed, 1 unchanged',
      'https://github.com/example/fleet/actions/runs/42',
    ]);
    expect(scene.failures).toEqual([]);
  });

  test('a rollout that failed fails the step and names the hosts', async () => {
    const scene = await play({
      event: pushEvent,
      answers: { deploy: done(outcomes) },
      inputs: { deployment: 'true' },
    });
    expect(scene.outputs).toMatchObject({
      outcome: 'failed',
      'failed-hosts': 'web-3,db-1,dns-1,web-4',
      'unreachable-hosts': 'db-1',
    });
    expect(called(scene, 'finishDeployment')?.[1]).toBe('failure');
    expect(called(scene, 'upsertComment')?.[2]).toContain('What now');
    expect(scene.failures).toEqual([
      'Deploy failed: 1 unknown, 1 rolled back, 1 unreachable, 1 not reached, 1 confirmed, 1 unchanged.',
    ]);
  });

  test('a commit that is no longer the newest is not deployed', async () => {
    const scene = await play({
      event: pushEvent,
      answers: { deploy: done(deployed) },
      github: { branchHead: async () => done('b'.repeat(40)) },
    });
    expect(scene.used).toEqual([]);
    expect(scene.failures[0]).toContain(`Commit ${SHA.slice(0, 12)} is not the newest of main`);
  });

  test.each([
    ['push', 'refs/heads/staging', 'staging'],
    ['workflow_dispatch', 'refs/heads/main', 'main'],
    ['push', 'refs/tags/v1', 'main'],
  ])('on %s of %s it must be the newest of %s', async (name, ref, branch) => {
    const scene = await play({
      event: { name, ref },
      inputs: { command: 'deploy' },
      answers: { deploy: done(deployed) },
      github: { branchHead: async () => done('b'.repeat(40)) },
    });
    expect(called(scene, 'branchHead')).toEqual([branch]);
    expect(scene.used).toEqual([]);
    expect(scene.failures[0]).toContain(`is not the newest of ${branch}`);
  });

  test('a GitHub that answers nothing stops no deployment', async () => {
    const down = async () => failed(warning('github-fault', 'GitHub is down.'));
    const scene = await play({
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
    expect(scene.used).toEqual(['deploy']);
    expect(scene.outputs.outcome).toBe('deployed');
    expect(scene.failures).toEqual([]);
    expect(scene.summaries.join('')).toContain('GitHub is down.');
  });

  test('a report that cannot be written down leaves neither pull request nor deployment without the result', async () => {
    const calls: string[] = [];
    const note = (name: string) => async () => {
      calls.push(name);
      return done({ action: 'updated' } as const);
    };
    const full = play({
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
