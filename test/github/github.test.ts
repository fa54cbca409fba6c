import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { GitHubClient, Marker } from '../../src/github/client.js';
import type { Clock } from '../../src/github/errors.js';
import { openGitHub } from '../../src/github/github.js';
import type { Problem, Result } from '../../src/lib/problem.js';
import { EVE, type Hub, type HubRequest, REPOSITORY, startHub, TOKEN } from './hub.js';

let hub: Hub;
let waits: number[];
let github: GitHubClient;

/** Time passes only where somebody waits. */
const clock = (): Clock => {
  let now = Date.now();
  return {
    now: () => now,
    sleep: async (milliseconds) => {
      waits.push(milliseconds);
      now += milliseconds;
    },
  };
};

const open = (token = TOKEN, timeout = 5_000): GitHubClient =>
  openGitHub({ token, apiUrl: hub.url, repository: REPOSITORY, timeout }, clock());

beforeAll(async () => {
  hub = await startHub();
});
afterAll(() => hub.close());
beforeEach(() => {
  waits = [];
  hub.requests.length = 0;
  hub.faults.length = 0;
  github = open();
});

let pulls = 0;
const newPull = (): Promise<number> => {
  pulls += 1;
  return hub.openPull(`change-${pulls}`);
};

const marker = (over: Partial<Marker> = {}): Marker => ({
  kind: 'plan',
  environment: 'production',
  state: 'sha256:1',
  ...over,
});

const value = <T>(result: Result<T>): T => {
  if (!result.ok) throw new Error(result.problems.map(({ message }) => message).join('\n'));
  return result.value;
};
const problem = (result: Result<unknown>): Problem | undefined =>
  result.ok ? undefined : result.problems[0];

const comments = async (pull: number): Promise<{ id: number; body: string; user: { login: string } }[]> =>
  (await hub.call('GET', `/repos/${REPOSITORY}/issues/${pull}/comments?per_page=100`)).body;

describe('the sticky comment', () => {
  test('is created, left unchanged when equal, and updated in place', async () => {
    const pull = await newPull();
    expect(value(await github.upsertComment(pull, marker(), 'First.')).action).toBe('created');
    hub.requests.length = 0;
    expect(value(await open().upsertComment(pull, marker(), 'First.')).action).toBe('unchanged');
    expect(hub.writes()).toEqual([]);
    expect(value(await open().upsertComment(pull, marker({ state: 'sha256:2' }), 'Second.')).action).toBe(
      'updated',
    );
    const all = await comments(pull);
    expect(all).toHaveLength(1);
    expect(all[0]?.body).toBe('<!-- sallyport plan v1 environment=production state=sha256%3A2 -->\nSecond.');
  });

  test('is found after more than a page of other comments', async () => {
    const pull = await newPull();
    for (let index = 0; index < 105; index += 1)
      await hub.call(
        'POST',
        `/repos/${REPOSITORY}/issues/${pull}/comments`,
        { body: `Comment ${index}` },
        EVE,
      );
    await github.upsertComment(pull, marker(), 'First.');
    expect(value(await open().upsertComment(pull, marker(), 'Second.')).action).toBe('updated');
  });

  test('of another environment or kind is another comment', async () => {
    const pull = await newPull();
    await github.upsertComment(pull, marker(), 'Production.');
    await github.upsertComment(pull, marker({ environment: 'production 2' }), 'Staging.');
    await github.upsertComment(pull, marker({ kind: 'deploy' }), 'Deployed.');
    expect((await comments(pull)).map(({ body }) => body.split('\n')[1])).toEqual([
      'Production.',
      'Staging.',
      'Deployed.',
    ]);
  });

  test('is never one of another author, whatever marker it has', async () => {
    const pull = await newPull();
    const forged = '<!-- sallyport plan v1 environment=production state=x -->\nOpens nothing.';
    await hub.call('POST', `/repos/${REPOSITORY}/issues/${pull}/comments`, { body: forged }, EVE);
    expect(value(await github.upsertComment(pull, marker(), 'Opens 2.')).action).toBe('created');
    expect((await comments(pull)).map(({ body, user }) => [user.login, body.split('\n')[1]])).toEqual([
      ['eve', 'Opens nothing.'],
      ['firewall-bot', 'Opens 2.'],
    ]);
  });

  test('is posted again after it was deleted, and restored after it was edited', async () => {
    const pull = await newPull();
    await github.upsertComment(pull, marker(), 'Text.');
    const [first] = await comments(pull);
    await hub.call('PATCH', `/repos/${REPOSITORY}/issues/comments/${first?.id}`, {
      body: `${first?.body}\nApproved by nobody.`,
    });
    expect(value(await open().upsertComment(pull, marker(), 'Text.')).action).toBe('updated');
    await hub.call('DELETE', `/repos/${REPOSITORY}/issues/comments/${first?.id}`);
    expect(value(await open().upsertComment(pull, marker(), 'Text.')).action).toBe('created');
    expect(await comments(pull)).toHaveLength(1);
  });

  test('that two jobs created at once is merged into one', async () => {
    const pull = await newPull();
    await github.upsertComment(pull, marker(), 'Text.');
    const [first] = await comments(pull);
    await hub.call('POST', `/repos/${REPOSITORY}/issues/${pull}/comments`, { body: first?.body });
    await open().upsertComment(pull, marker(), 'Newer.');
    expect((await comments(pull)).map(({ id, body }) => [id, body.split('\n')[1]])).toEqual([
      [first?.id, 'Newer.'],
    ]);
  });

  test('is posted even when the comments cannot be listed', async () => {
    const pull = await newPull();
    hub.faults.push({ when: lists, status: 502, times: 100 });
    expect(value(await github.upsertComment(pull, marker(), 'Text.')).action).toBe('created');
  });
});

const lists = ({ method, path }: HubRequest): boolean =>
  method === 'GET' && /\/issues\/\d+\/comments/.test(path);

describe('errors of GitHub are problems, never exceptions', () => {
  const cases = [
    { status: 401, id: 'github-unauthorized', says: 'does not accept the token' },
    { status: 403, id: 'github-forbidden', says: 'permissions: { pull-requests: write }' },
    { status: 404, id: 'github-not-found', says: '404' },
    { status: 422, id: 'github-invalid', says: 'broken for a test' },
  ] as const;

  test.each(cases)('$status is not retried', async ({ status, id, says }) => {
    hub.faults.push({ when: () => true, status, times: 1000 });
    const found = problem(await github.upsertComment(1, marker(), 'Text.'));
    expect(found).toMatchObject({ id, level: 'warning' });
    expect(`${found?.message} ${found?.hint}`).toContain(says);
    expect(waits).toEqual([]);
  });

  test('a server error is retried with increasing waits', async () => {
    const pull = await newPull();
    hub.faults.push({ when: lists, status: 503, times: 2 });
    expect(value(await github.upsertComment(pull, marker(), 'Text.')).action).toBe('created');
    expect(waits).toEqual([1_000, 4_000]);
  });

  test('retries end', async () => {
    hub.faults.push({ when: () => true, status: 500, times: 1000 });
    expect(problem(await github.branchHead('main'))?.id).toBe('github-fault');
    expect(waits).toEqual([1_000, 4_000, 15_000]);
  });

  test('a failed connection counts as a server error', async () => {
    hub.faults.push({ when: () => true, status: 0, silence: 'cut', times: 1 });
    expect(value(await github.branchHead('main'))).toMatch(/^[0-9a-f]{40}$/);
    expect(waits).toEqual([1_000]);
  });

  test('a request without a response times out', async () => {
    hub.faults.push({ when: () => true, status: 0, silence: 'hang', times: 1 });
    expect(value(await open(TOKEN, 200).branchHead('main'))).toMatch(/^[0-9a-f]{40}$/);
  });

  test('the secondary rate limit is waited for by its Retry-After', async () => {
    hub.faults.push({
      when: () => true,
      status: 403,
      headers: { 'retry-after': '17' },
      message: 'You have exceeded a secondary rate limit',
    });
    expect(value(await github.branchHead('main'))).toMatch(/^[0-9a-f]{40}$/);
    expect(waits).toEqual([17_000]);
  });

  test('the primary rate limit that resets in half an hour is not waited for', async () => {
    const reset = String(Math.floor(Date.now() / 1000) + 1_800);
    hub.faults.push({
      when: () => true,
      status: 403,
      headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset },
      times: 10,
    });
    const found = problem(await github.branchHead('main'));
    expect(found?.id).toBe('github-rate-limit');
    expect(found?.message).toMatch(/used up until \d\d:\d\d UTC/);
    expect(waits).toEqual([]);
  });
});

describe('the drift issue', () => {
  const report = (over: object) => ({
    clean: false,
    title: 'Firewall drift',
    body: 'web-1 drifted.',
    summary: '1 of 3 hosts drifted.',
    drifted: ['web-1'],
    hosts: ['web-1', 'web-2', 'db-1'],
    ...over,
  });
  const drift = (state: string): Marker => ({ kind: 'drift', environment: 'production', state });
  const issues = async () =>
    (await hub.call('GET', `/repos/${REPOSITORY}/issues?labels=sallyport-drift&state=all`)).body as {
      number: number;
      state: string;
      body: string;
      comments: number;
    }[];

  test('is opened, unchanged, commented on changes, closed when clean, and opened again', async () => {
    expect(value(await github.driftIssue(drift('0'), report({ clean: true, body: 'Clean.' }))).action).toBe(
      'none',
    );
    expect(value(await github.driftIssue(drift('a'), report({}))).action).toBe('created');
    hub.requests.length = 0;
    expect(value(await open().driftIssue(drift('a'), report({}))).action).toBe('unchanged');
    expect(hub.writes()).toEqual([]);
    expect(value(await open().driftIssue(drift('b'), report({ body: 'web-2 as well.' }))).action).toBe(
      'updated',
    );
    expect(value(await open().driftIssue(drift('0'), report({ clean: true, body: 'Clean.' }))).action).toBe(
      'closed',
    );
    expect((await issues()).map(({ state, comments }) => [state, comments])).toEqual([['closed', 2]]);
    expect(value(await open().driftIssue(drift('0'), report({ clean: true, body: 'Clean.' }))).action).toBe(
      'none',
    );
    expect(value(await open().driftIssue(drift('b'), report({}))).action).toBe('updated');
    const [issue, ...others] = await issues();
    expect(others).toEqual([]);
    expect(issue).toMatchObject({ state: 'open', comments: 3 });
    expect(issue?.body).toContain('web-1 drifted.');
  });

  test('a body that changes without the drift changing is written without a comment', async () => {
    const other = (state: string): Marker => ({ ...drift(state), environment: 'staging' });
    await github.driftIssue(other('a'), report({}));
    expect(
      value(await open().driftIssue(other('a'), report({ body: 'db-1 is unreachable too.' }))).action,
    ).toBe('updated');
    const issue = (await issues()).find(({ body }) => body.includes('environment=staging'));
    expect(issue).toMatchObject({ comments: 0 });
    expect(issue?.body).toContain('db-1 is unreachable too.');
  });

  const issuesOf = async (environment: string) =>
    (await issues()).filter(({ body }) => body.includes(`environment=${environment}`));
  const inFleet = (environment: string, state: string): Marker => ({ ...drift(state), environment });
  const commentsOf = async (number: number): Promise<readonly string[]> =>
    (await hub.call('GET', `/repos/${REPOSITORY}/issues/${number}/comments`)).body.map(
      ({ body }: { body: string }) => body,
    );

  test('D2 is commented once for the same drift every day, and again when drift comes back', async () => {
    for (let day = 0; day < 3; day += 1) await open().driftIssue(inFleet('daily', 'a'), report({}));
    const clean = report({ clean: true, body: 'Clean.', drifted: [] });
    for (let day = 0; day < 3; day += 1) await open().driftIssue(inFleet('daily', '0'), clean);
    for (let day = 0; day < 3; day += 1) await open().driftIssue(inFleet('daily', 'a'), report({}));
    const [issue, ...others] = await issuesOf('daily');
    expect(others).toEqual([]);
    expect(issue).toMatchObject({ state: 'open', comments: 2 });
  });

  test('is restored and commented again after its first line was edited', async () => {
    await github.driftIssue(inFleet('edited', 'a'), report({}));
    const [issue] = await issuesOf('edited');
    const body = issue?.body.replace(/state=\S*/, 'state=100%');
    await hub.call('PATCH', `/repos/${REPOSITORY}/issues/${issue?.number}`, { body });
    expect(value(await open().driftIssue(inFleet('edited', 'a'), report({}))).action).toBe('updated');
    expect(await issuesOf('edited')).toEqual([{ ...issue, comments: 1, updated_at: expect.anything() }]);
    expect(waits).toEqual([]);
  });

  test('D7 is found after more than a page of others, and one of two that were opened at once is closed', async () => {
    const one = value(await github.driftIssue(inFleet('double', 'a'), report({})));
    const [first] = await issuesOf('double');
    for (let index = 0; index < 101; index += 1)
      await hub.call('POST', `/repos/${REPOSITORY}/issues`, {
        title: `Other ${index}`,
        body: 'x',
        labels: ['sallyport-drift'],
      });
    expect(value(await open().driftIssue(inFleet('double', 'a'), report({})))).toEqual({
      action: 'unchanged',
      url: one.url,
    });
    await hub.call('POST', `/repos/${REPOSITORY}/issues`, {
      title: 'Firewall drift',
      body: first?.body,
      labels: ['sallyport-drift'],
    });
    await open().driftIssue(inFleet('double', 'b'), report({ body: 'More.' }));
    const all = (await everyIssue()).filter(({ body }) => body.includes('environment=double'));
    expect(all.map(({ state }) => state).toSorted()).toEqual(['closed', 'open']);
    const closed = all.find(({ state }) => state === 'closed');
    expect(await commentsOf(closed?.number ?? 0)).toEqual([
      expect.stringMatching(/^Duplicate of #\d+: two runs opened an issue at the same time\.$/),
    ]);
  });
  const everyIssue = async (): Promise<Awaited<ReturnType<typeof issues>>> =>
    (
      await Promise.all(
        [1, 2].map((page) =>
          hub.call(
            'GET',
            `/repos/${REPOSITORY}/issues?labels=sallyport-drift&state=all&per_page=100&page=${page}`,
          ),
        ),
      )
    ).flatMap(({ body }) => body);

  test('D8 is closed with a comment when the drifted host has left the policy', async () => {
    await github.driftIssue(inFleet('left', 'a'), report({ drifted: ['web-9'], hosts: ['web-1', 'web-9'] }));
    const clean = report({ clean: true, body: 'Clean.', drifted: [], hosts: ['web-1'] });
    expect(value(await open().driftIssue(inFleet('left', '0'), clean)).action).toBe('closed');
    const issue = (await everyIssue()).find(({ body }) => body.includes('environment=left'));
    expect(issue?.state).toBe('closed');
    expect((await commentsOf(issue?.number ?? 0)).join()).toContain(
      'No longer checked, because no longer in the policy: `web-9`.',
    );
  });
});

test('a deployment is recorded once, however often the job runs', async () => {
  const log = 'https://github.com/firewall-bot/fleet/actions/runs/1';
  hub.faults.push({ when: ({ path }) => path.endsWith('/statuses'), status: 502 });
  const id = value(await github.startDeployment('production', 'f'.repeat(40), log));
  value(await github.finishDeployment(id, 'success', 'x'.repeat(300), log));
  expect(hub.deployments).toHaveLength(1);
  expect(hub.deployments[0]?.statuses.map(({ state }) => state)).toEqual(['in_progress', 'success']);
  expect(hub.deployments[0]?.statuses[1]?.description).toHaveLength(140);
});

test('the pull request of a merge is found, and a push without one has none', async () => {
  const pull = await newPull();
  const merged = await hub.call('PUT', `/repos/${REPOSITORY}/pulls/${pull}/merge`, {});
  expect(value(await github.mergedPull(merged.body.sha))).toBe(pull);
  expect(value(await github.mergedPull('0'.repeat(40)))).toBeUndefined();
  expect(value(await github.branchHead('main'))).toBe(merged.body.sha);
});

test('our labels follow the plan, other labels stay', async () => {
  const pull = await newPull();
  const ours = ['firewall:opens-traffic', 'firewall:closes-traffic'];
  const names = async (): Promise<string[]> =>
    (await hub.call('GET', `/repos/${REPOSITORY}/issues/${pull}/labels`)).body
      .map(({ name }: { name: string }) => name)
      .sort();
  await hub.call('POST', `/repos/${REPOSITORY}/issues/${pull}/labels`, {
    labels: ['mine', 'firewall:closes-traffic'],
  });
  expect(value(await github.setLabels(pull, ['firewall:opens-traffic'], ours)).action).toBe('updated');
  expect(await names()).toEqual(['firewall:opens-traffic', 'mine']);
  expect(value(await github.setLabels(pull, ['firewall:opens-traffic'], ours)).action).toBe('unchanged');
});
