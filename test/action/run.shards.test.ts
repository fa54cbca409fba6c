/** Jobs that share a fleet: what each of them does, and what the last one makes of it. */
import { describe, expect, test } from '@jest/globals';
import { readInputs } from '../../src/action/inputs.js';
import { error, warning } from '../../src/lib/problem.js';
import { deployed, outcomes, typicalPlan, unchangedPlan } from '../report/example.js';
import { called, done, failed, pullEvent, pushEvent, runJob } from './context.js';

describe('a shard', () => {
  test('of a plan hands its part on: no comment, no label, no verdict', async () => {
    const job = await runJob({
      event: pullEvent(),
      inputs: { command: 'plan', shard: '2/4', labels: 'true', 'fail-on': 'opened' },
      answers: { plan: done(typicalPlan) },
    });
    expect(job.calls).toEqual([]);
    expect(job.annotations).toEqual([]);
    expect(job.failures).toEqual([]);
    expect(job.outputs.json).toBe('/tmp/sallyport/plan.json');
    expect(job.summaries.join('')).toContain('Opens 2, closes 1');
  });

  test('of a plan that cannot be made fails', async () => {
    const job = await runJob({
      event: pullEvent(),
      inputs: { command: 'plan', shard: '2/4' },
      answers: { plan: failed(error('bad-cidr', 'No network.')) },
    });
    expect(job.failures).toHaveLength(1);
    expect(job.calls).toEqual([]);
  });

  test('of a deploy writes nothing back, looks whether it is the newest, and fails when a host does', async () => {
    const job = await runJob({
      event: pushEvent,
      inputs: { command: 'deploy', shard: '2/4', wave: '1', deployment: 'true' },
      answers: { deploy: done(outcomes) },
    });
    expect(job.calls.map(({ name }) => name)).toEqual(['branchHead']);
    expect(job.failures).toHaveLength(1);
  });

  test.each([
    ['shard', '5/4'],
    ['shard', '2'],
    ['wave', '0'],
    ['wave', 'first'],
  ])('%s cannot be %s', (name, value) => {
    const read = readInputs((input) => (input === name ? value : ''));
    expect(read).toMatchObject({
      ok: false,
      problems: [{ id: 'bad-input', message: `Invalid value \`${value}\` for the input \`${name}\`.` }],
    });
  });
});

describe('the report', () => {
  const report = { command: 'report' };

  test('of plans is published as one plan', async () => {
    const job = await runJob({
      event: pullEvent(),
      inputs: { ...report, labels: 'true' },
      answers: { report: done({ kind: 'plan', value: typicalPlan }) },
    });
    expect(called(job, 'upsertComment')?.[2]).toContain('**Opens 2, closes 1; 7 of 9 hosts change;');
    expect(called(job, 'upsertComment')?.[1]).toMatchObject({ kind: 'plan', state: typicalPlan.digest });
    expect(called(job, 'setLabels')?.[1]).toEqual(['firewall:opens-traffic', 'firewall:closes-traffic']);
    expect(job.outputs).toMatchObject({ outcome: 'changed', digest: typicalPlan.digest });
    expect(job.failures).toEqual([]);
  });

  test('of plans shows findings of the policy, and `fail-on` counts them', async () => {
    const location = { kind: 'policy' as const, file: 'policies/hosts/db.yml', line: 3, column: 5 };
    const found = warning('sensitive-port-open', 'The rule opens mysql to the internet.', { location });
    const job = await runJob({
      event: pullEvent(),
      inputs: { ...report, 'fail-on': 'warning' },
      answers: { report: { ...done({ kind: 'plan', value: unchangedPlan }), problems: [found] } },
    });
    expect(job.annotations).toContainEqual(found);
    expect(called(job, 'upsertComment')?.[2]).toContain('opens mysql to the internet');
    expect(job.failures[0]).toContain('1 warning');
  });

  test('fails for a shard that is missing, whatever `fail-on` says, and says so first', async () => {
    const missing = error('shard-missing', 'No plan of shard 2/4, which has 3 hosts.');
    const job = await runJob({
      event: pullEvent(),
      inputs: { ...report, 'fail-on': 'never' },
      answers: {
        report: { ok: true, value: { kind: 'plan', value: unchangedPlan }, problems: [missing] },
      },
    });
    expect(job.annotations[0]).toEqual(missing);
    expect(job.failures).toEqual([missing.message]);
  });

  test('that cannot be made replaces the comment, so that no older plan stands there', async () => {
    const none = error('no-reports', 'No report found in reports.');
    const job = await runJob({ event: pullEvent(), inputs: report, answers: { report: failed(none) } });
    expect(called(job, 'upsertComment')?.[2]).toContain('No report found in reports.');
    expect(job.failures).toHaveLength(1);
    const push = await runJob({ event: pushEvent, inputs: report, answers: { report: failed(none) } });
    expect(push.failures[0]).toContain('The reports could not be joined');
    expect(push.calls).toEqual([]);
  });

  test('of deploys is written back to the merged pull request', async () => {
    const job = await runJob({
      event: pushEvent,
      inputs: report,
      answers: { report: done({ kind: 'outcomes', value: deployed }) },
    });
    expect(called(job, 'upsertComment')?.slice(0, 2)).toMatchObject([7, { kind: 'deploy' }]);
    expect(job.outputs).toMatchObject({ outcome: 'deployed', 'failed-hosts': '' });
    expect(job.failures).toEqual([]);
  });
});
