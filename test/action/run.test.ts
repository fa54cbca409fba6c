import { describe, expect, test } from '@jest/globals';
import { commandOf, readEvent } from '../../src/action/event.js';
import { readInputs } from '../../src/action/inputs.js';
import { redactor, secretsOf } from '../../src/action/secrets.js';
import { error, note, type Problem, warning } from '../../src/problem.js';
import { findingOf } from '../../src/rollout/findings.js';
import { mapOf } from '../map/fleet.js';
import {
  databaseHost,
  deployed,
  drift,
  noDrift,
  outcomes,
  troubledPlan,
  typicalPlan,
  unchangedPlan,
} from '../report/example.js';
import { done, failed, payload, play, pullEvent, pushEvent, type Scene, SHA } from './scene.js';

const called = (scene: Scene, name: string): readonly unknown[] | undefined =>
  scene.calls.find((call) => call.name === name)?.given;

const unread = (status: 'unreachable' | 'error') => ({ host: 'web-1', status, reason: 'No.', findings: [] });

describe('which command follows', () => {
  const env = (name: string, more: Record<string, string> = {}) => ({
    GITHUB_EVENT_NAME: name,
    GITHUB_REPOSITORY: 'Codertocat/Hello-World',
    ...more,
  });
  const follows = (name: string, body: unknown, more: Record<string, string> = {}) =>
    commandOf(readEvent(env(name, more), body), 'auto');

  test('a pull request is planned, from real payloads', () => {
    expect(follows('pull_request', payload('pull_request', 'opened'))).toMatchObject({ value: 'plan' });
    expect(follows('pull_request', payload('pull_request', 'closed'))).toMatchObject({
      ok: true,
      value: undefined,
    });
  });

  test('a push to the default branch is deployed, any other checked', () => {
    const push = payload('push') as { repository: { default_branch: string } };
    const main = `refs/heads/${push.repository.default_branch}`;
    expect(follows('push', push, { GITHUB_REF: main })).toMatchObject({ value: 'deploy' });
    expect(follows('push', push, { GITHUB_REF: 'refs/heads/other' })).toMatchObject({ value: 'check' });
    expect(follows('push', push, { GITHUB_REF: 'refs/tags/v1' })).toMatchObject({ value: 'check' });
  });

  test('a schedule and a manual run look for drift', () => {
    expect(follows('schedule', {})).toMatchObject({ value: 'drift' });
    expect(follows('workflow_dispatch', payload('workflow_dispatch'))).toMatchObject({ value: 'drift' });
  });

  test('a pull request never deploys, and secrets never meet unreviewed code', () => {
    const pull = readEvent(env('pull_request'), payload('pull_request', 'opened'));
    expect(commandOf(pull, 'deploy')).toMatchObject({
      ok: false,
      problems: [{ id: 'pull-request-deploys' }],
    });
    expect(follows('pull_request_target', payload('pull_request', 'opened'))).toMatchObject({
      problems: [{ id: 'pull-request-target' }],
    });
    expect(follows('issues', {})).toMatchObject({ problems: [{ id: 'unknown-event' }] });
  });

  test('a pull request of another repository, or of one that is gone, is a fork', () => {
    const opened = payload('pull_request', 'opened') as { pull_request: { head: { repo: object | null } } };
    expect(readEvent(env('pull_request'), opened).pull?.fork).toBe(false);
    expect(readEvent({ ...env('pull_request'), GITHUB_REPOSITORY: 'other/fleet' }, opened).pull?.fork).toBe(
      true,
    );
    const gone = {
      ...opened,
      pull_request: { ...opened.pull_request, head: { ...opened.pull_request.head, repo: null } },
    };
    expect(readEvent(env('pull_request'), gone).pull?.fork).toBe(true);
  });
});

test('inputs: every wrong value is reported at once, with what it may be', () => {
  const given: Record<string, string> = { command: 'destroy', comment: 'yes', 'fail-on': 'all' };
  const read = readInputs((name) => given[name] ?? '');
  expect(read.problems.map(({ message }) => message)).toEqual([
    'The input `command` cannot be `destroy`.',
    'The input `comment` cannot be `yes`.',
    'The input `fail-on` cannot be `all`.',
  ]);
});

describe('plan', () => {
  test('a pull request gets the comment, the summary, the outputs and the annotations', async () => {
    const scene = await play({
      event: pullEvent(),
      answers: { plan: done(typicalPlan) },
      inputs: { labels: 'true', environment: 'prod' },
    });
    expect(scene.outputs).toMatchObject({
      outcome: 'changed',
      changed: '7',
      opened: '2',
      closed: '1',
      'unreachable-hosts': '',
      json: '/tmp/sallyport/plan.json',
      'comment-url': 'https://github.com/example/fleet/pull/7#issuecomment-1',
    });
    const [pull, marker, body] = called(scene, 'upsertComment') ?? [];
    expect(pull).toBe(7);
    expect(marker).toEqual({ kind: 'plan', environment: 'prod', state: typicalPlan.digest });
    expect(body).toContain('**Opens 2, closes 1; 7 of 9 hosts change; lock-out proof holds.**');
    expect(body).toContain(
      `https://github.com/example/fleet/blob/${'a'.repeat(40)}/policies/roles/web.yml#L7`,
    );
    expect(called(scene, 'setLabels')?.[1]).toEqual(['firewall:opens-traffic', 'firewall:closes-traffic']);
    expect(scene.summaries[0]).toContain('Opens 2, closes 1');
    expect(scene.annotations).toMatchObject([
      { id: 'open-to-the-world', place: { file: 'policies/roles/database.yml', line: 9 } },
    ]);
    expect(JSON.parse(scene.files['plan.json'] ?? '')).toEqual(JSON.parse(JSON.stringify(typicalPlan)));
    expect(scene.failures).toEqual([]);
  });

  test.each([
    ['error', unchangedPlan, false],
    ['error', typicalPlan, false],
    ['error', troubledPlan, true],
    ['warning', typicalPlan, true],
    ['opened', { ...typicalPlan, hosts: [{ ...databaseHost, findings: [] }] }, true],
    ['warning', { ...typicalPlan, hosts: [{ ...databaseHost, findings: [] }] }, false],
    ['never', troubledPlan, false],
    ['error', { ...unchangedPlan, hosts: [unread('unreachable')] }, true],
    ['error', { ...unchangedPlan, hosts: [unread('error')] }, true],
  ] as const)('fail-on %s', async (level, plan, fails) => {
    const scene = await play({
      event: pullEvent(),
      answers: { plan: done(plan) },
      inputs: { 'fail-on': level },
    });
    expect(scene.failures.length > 0).toBe(fails);
  });

  test('a policy that cannot be planned replaces the old comment with what is wrong', async () => {
    const wrong = error(
      'unknown-key',
      'Unknown key `form`.',
      { file: 'policies/roles/web.yml', line: 3, column: 5 },
      'Did you mean `from`?',
    );
    const scene = await play({ event: pullEvent(), answers: { plan: failed(wrong) } });
    expect(scene.failures).toHaveLength(1);
    expect(scene.outputs.outcome).toBe('failed');
    expect(scene.annotations).toEqual([wrong]);
    expect(called(scene, 'upsertComment')?.[2]).toContain('Unknown key `form`. Did you mean `from`?');
  });

  test('the map is folded into the summary, and no part of the comment', async () => {
    const { map, notes } = mapOf();
    const drawn = { ...typicalPlan, map: { ...map, notes: notes.map(findingOf) } };
    const scene = await play({ event: pullEvent(), answers: { plan: done(drawn) } });
    expect(scene.summaries).toEqual([
      expect.stringContaining('Opens 2, closes 1'),
      expect.stringMatching(/^<details><summary>Map: .*\n\n```mermaid\nflowchart LR\n/),
    ]);
    expect(JSON.stringify(called(scene, 'upsertComment'))).not.toContain('mermaid');
  });

  test('a comment that GitHub refuses is a warning and the plan is in the summary', async () => {
    const refused = warning('github-forbidden', 'GitHub did not let us post the comment.');
    const scene = await play({
      event: pullEvent(),
      answers: { plan: done(typicalPlan) },
      github: { upsertComment: async () => failed(refused) },
    });
    expect(scene.failures).toEqual([]);
    expect(scene.annotations).toContainEqual(refused);
    expect(scene.summaries.join('')).toContain('Opens 2, closes 1');
    expect(scene.summaries.join('')).toContain('GitHub did not let us post the comment.');
  });

  test('a fork without a key is checked, says why there is no plan, and does not try to comment', async () => {
    const scene = await play({
      event: pullEvent({ fork: true }),
      answers: { check: done(undefined) },
      inputs: { 'ssh-key': '' },
    });
    expect(scene.used).toEqual(['check']);
    expect(scene.calls).toEqual([]);
    expect(scene.summaries.join('')).toContain('there is no plan');
    expect(scene.outputs.outcome).toBe('checked');
  });

  test('a fork with recorded states gets a plan', async () => {
    const scene = await play({
      event: pullEvent({ fork: true }),
      answers: { plan: done(typicalPlan) },
      inputs: { 'ssh-key': '', state: 'state' },
    });
    expect(scene.used).toEqual(['plan']);
    expect(scene.calls).toEqual([]);
  });

  test('at most ten annotations of a kind, errors first; the others are in the log', async () => {
    const many = (make: typeof error, word: string): readonly Problem[] =>
      Array.from({ length: 12 }, (_, index) => make('x', `${word} ${index}.`));
    const scene = await play({
      event: pushEvent,
      inputs: { command: 'check' },
      answers: {
        check: {
          ok: true,
          value: undefined,
          problems: [...many(note, 'Note'), ...many(error, 'Error'), ...many(warning, 'Warning')],
        },
      },
    });
    const levels = scene.annotations.map(({ level }) => level);
    expect(levels).toEqual([
      ...Array(10).fill('error'),
      ...Array(10).fill('warning'),
      ...Array(10).fill('note'),
    ]);
    expect(scene.log.filter((line) => /(Note|Error|Warning) 1[01]\./.test(line))).toHaveLength(6);
  });
});

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
});

describe('drift', () => {
  test('is one issue; its state is what drifted, not who is out of reach', async () => {
    const scene = await play({ event: { name: 'schedule' }, answers: { drift: done(drift) } });
    expect(scene.outputs).toMatchObject({
      outcome: 'drifted',
      'drifted-hosts': 'web-2',
      'unreachable-hosts': 'db-1',
    });
    expect(scene.failures).toEqual(['1 of 3 hosts drifted; 1 unreachable.']);
    const [marker, report] = called(scene, 'driftIssue') ?? [];
    expect(report).toMatchObject({ clean: false, title: 'Firewall drift' });
    const reachable = { ...drift, hosts: drift.hosts.filter(({ status }) => status !== 'unreachable') };
    const again = await play({ event: { name: 'schedule' }, answers: { drift: done(reachable) } });
    expect(called(again, 'driftIssue')?.[0]).toEqual(marker);
  });

  test('a clean fleet passes and closes', async () => {
    const scene = await play({ event: { name: 'schedule' }, answers: { drift: done(noDrift) } });
    expect(scene.outputs.outcome).toBe('clean');
    expect(called(scene, 'driftIssue')?.[1]).toMatchObject({ clean: true });
    expect(scene.failures).toEqual([]);
  });

  test('an unreachable host is never clean', async () => {
    const scene = await play({
      event: { name: 'schedule' },
      answers: { drift: done({ version: 1, hosts: drift.hosts.slice(2) }) },
    });
    expect(called(scene, 'driftIssue')?.[1]).toMatchObject({ clean: false });
    expect(scene.failures).toHaveLength(1);
  });
});

describe('secrets', () => {
  const key = [
    '-----BEGIN OPENSSH PRIVATE KEY-----',
    'b3BlbnNzaC1rZXktdjEAAAAABG5vbmU',
    'AAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2g',
    '-----END OPENSSH PRIVATE KEY-----',
  ].join('\n');

  test('every line of a key is one, its frame is none', () => {
    const secrets = secretsOf({ ssh: { key, passphrase: 'open sesame' }, token: 'ghs_token' });
    expect(secrets).toContain('b3BlbnNzaC1rZXktdjEAAAAABG5vbmU');
    expect(secrets).not.toContain('-----END OPENSSH PRIVATE KEY-----');
    const redact = redactor(secrets);
    expect(redact(`token ghs_token, ${key}, open sesame`)).toBe('token ***, ***, ***');
  });

  test('whatever a host or a fault says, no secret leaves by comment, summary, output, file, annotation or log', async () => {
    const leak = `Said ${key} and ghs_0123456789abcdef and open sesame-42.`;
    const inputs = {
      'ssh-key': key,
      'ssh-key-passphrase': 'open sesame-42',
      'github-token': 'ghs_0123456789abcdef',
    };
    const place = { file: 'policies/a.yml', line: 1, column: 1 };
    const finding = { id: 'x', level: 'error', message: leak, hint: leak, source: place } as const;
    const plan = {
      ...typicalPlan,
      hosts: [
        { ...databaseHost, findings: [finding] },
        { host: 'web-9', status: 'error', reason: leak, findings: [] },
      ],
    } as const;
    const scenes = await Promise.all([
      play({ inputs, event: pullEvent(), answers: { plan: done(plan) } }),
      play({ inputs, event: pullEvent(), answers: { plan: failed(error('x', leak, place, leak)) } }),
      play({
        inputs,
        event: pushEvent,
        answers: {
          deploy: done({ ...outcomes, hosts: outcomes.hosts.map((host) => ({ ...host, reason: leak })) }),
        },
      }),
      play({
        inputs,
        event: { name: 'schedule' },
        answers: { drift: done({ ...drift, hosts: drift.hosts.map((host) => ({ ...host, reason: leak })) }) },
      }),
      play({
        inputs,
        event: pullEvent(),
        answers: { plan: done(plan) },
        github: { upsertComment: async () => failed(warning('x', leak, undefined, leak)) },
      }),
    ]);
    for (const scene of scenes) {
      const all = JSON.stringify(scene);
      for (const secret of secretsOf({
        ssh: { key, passphrase: 'open sesame-42' },
        token: 'ghs_0123456789abcdef',
      }).flatMap((text) => text.split('\n')))
        if (!secret.startsWith('-----')) expect(all).not.toContain(secret);
    }
  });
});
