/** Which command follows from what happened on GitHub. */
import { describe, expect, test } from '@jest/globals';
import { commandOf, invalidEvent, readEvent } from '../../../src/action/event/event.js';
import { payload } from '../context.js';

describe('the command for an event', () => {
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

describe('an invalid event', () => {
  const opened = payload('pull_request', 'opened') as { readonly pull_request: object };

  test.each([
    ['pull_request', {}, 'pull_request is missing'],
    ['pull_request', null, 'it is not an object'],
    ['pull_request', { pull_request: { ...opened.pull_request, number: '7' } }, 'pull_request.number'],
    ['pull_request', { pull_request: { number: 7 } }, 'pull_request.head is missing'],
    ['pull_request_review', {}, 'pull_request is missing'],
    ['workflow_run', { workflow_run: {} }, 'workflow_run.event is missing'],
    ['push', { pull_request: { number: 7, head: {} } }, 'pull_request.head.sha is missing'],
  ])('%s %j is refused', (name, body, why) => {
    expect(invalidEvent({ GITHUB_EVENT_NAME: name }, body)).toMatchObject({
      id: 'bad-event',
      message: expect.stringContaining(why),
    });
  });

  test.each([
    ['pull_request', opened],
    ['workflow_run', payload('workflow_run')],
    ['push', payload('push')],
    ['schedule', {}],
  ])('%s as GitHub sends it is valid', (name, body) => {
    expect(invalidEvent({ GITHUB_EVENT_NAME: name }, body)).toBeUndefined();
  });
});
