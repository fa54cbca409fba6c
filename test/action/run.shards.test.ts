/** Jobs that share a fleet: what each of them does, and what the last one makes of it. */
import { describe, expect, test } from '@jest/globals';
import { readInputs } from '../../src/action/inputs.js';
import { error, warning } from '../../src/lib/problem.js';
import { deployed, outcomes, typicalPlan, unchangedPlan } from '../report/example.js';
import { called, done, failed, play, pullEvent, pushEvent } from './context.js';

describe('a shard', () => {
  test('of a plan hands its part on: no comment, no label, no verdict', async () => {
    const scene = await play({
      event: pullEvent(),
      inputs: { command: 'plan', shard: '2/4', labels: 'true', 'fail-on': 'opened' },
      answers: { plan: done(typicalPlan) },
    });
    expect(scene.calls).toEqual([]);
    expect(scene.annotations).toEqual([]);
    expect(scene.failures).toEqual([]);
    expect(scene.outputs.json).toBe('/tmp/sallyport/plan.json');
    expect(scene.summaries.join('')).toContain('Opens 2, closes 1');
  });

  test('of a plan that cannot be made fails', async () => {
    const scene = await play({
      event: pullEvent(),
      inputs: { command: 'plan', shard: '2/4' },
      answers: { plan: failed(error('bad-cidr', 'No network.')) },
    });
    expect(scene.failures).toHaveLength(1);
    expect(scene.calls).toEqual([]);
  });

  test('of a deploy writes nothing back, looks whether it is the newest, and fails when a host does', async () => {
    const scene = await play({
      event: pushEvent,
      inputs: { command: 'deploy', shard: '2/4', wave: '1', deployment: 'true' },
      answers: { deploy: done(outcomes) },
    });
    expect(scene.calls.map(({ name }) => name)).toEqual(['branchHead']);
    expect(scene.failures).toHaveLength(1);
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
      problems: [{ id: 'bad-input', message: `The input \`${name}\` cannot be \`${value}\`.` }],
    });
  });
});

describe('the report', () => {
  const report = { command: 'report' };

  test('of plans is published as one plan', async () => {
    const scene = await play({
      event: pullEvent(),
      inputs: { ...report, labels: 'true' },
      answers: { report: done({ kind: 'plan', value: typicalPlan }) },
    });
    expect(called(scene, 'upsertComment')?.[2]).toContain('**Opens 2, closes 1; 7 of 9 hosts change;');
    expect(called(scene, 'upsertComment')?.[1]).toMatchObject({ kind: 'plan', state: typicalPlan.digest });
    expect(called(scene, 'setLabels')?.[1]).toEqual(['firewall:opens-traffic', 'firewall:closes-traffic']);
    expect(scene.outputs).toMatchObject({ outcome: 'changed', digest: typicalPlan.digest });
    expect(scene.failures).toEqual([]);
  });

  test('of plans tells what there is to say of the policy, and `fail-on` counts it', async () => {
    const location = { file: 'policies/hosts/db.yml', line: 3, column: 5 };
    const found = warning('sensitive-port-open', 'The rule opens mysql to the internet.', location);
    const scene = await play({
      event: pullEvent(),
      inputs: { ...report, 'fail-on': 'warning' },
      answers: { report: { ...done({ kind: 'plan', value: unchangedPlan }), problems: [found] } },
    });
    expect(scene.annotations).toContainEqual(found);
    expect(called(scene, 'upsertComment')?.[2]).toContain('opens mysql to the internet');
    expect(scene.failures[0]).toContain('1 warning');
  });

  test('fails for a shard that is missing, whatever `fail-on` says, and says so first', async () => {
    const missing = error('shard-missing', 'Shard 2/4 delivered no plan: nothing is known of its 3 hosts.');
    const scene = await play({
      event: pullEvent(),
      inputs: { ...report, 'fail-on': 'never' },
      answers: {
        report: { ok: true, value: { kind: 'plan', value: unchangedPlan }, problems: [missing] },
      },
    });
    expect(scene.annotations[0]).toEqual(missing);
    expect(scene.failures).toEqual([missing.message]);
  });

  test('that cannot be made replaces the comment, so that no older plan stands there', async () => {
    const none = error('no-reports', 'There is no report in reports: no shard delivered one.');
    const scene = await play({ event: pullEvent(), inputs: report, answers: { report: failed(none) } });
    expect(called(scene, 'upsertComment')?.[2]).toContain('no shard delivered one');
    expect(scene.failures).toHaveLength(1);
    const push = await play({ event: pushEvent, inputs: report, answers: { report: failed(none) } });
    expect(push.failures[0]).toContain('The reports could not be put together');
    expect(push.calls).toEqual([]);
  });

  test('of deploys is written back to the merged pull request', async () => {
    const scene = await play({
      event: pushEvent,
      inputs: report,
      answers: { report: done({ kind: 'outcomes', value: deployed }) },
    });
    expect(called(scene, 'upsertComment')?.slice(0, 2)).toMatchObject([7, { kind: 'deploy' }]);
    expect(scene.outputs).toMatchObject({ outcome: 'deployed', 'failed-hosts': '' });
    expect(scene.failures).toEqual([]);
  });
});
