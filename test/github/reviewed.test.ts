/** Which run planned what was merged: asked of a GitHub that knows runs and artifacts. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { openGitHub } from '../../src/github/github.js';
import { githubDescription } from './openapi.js';

const REPOSITORY = 'example/fleet';
const [MERGE, HEAD] = ['a'.repeat(40), 'b'.repeat(40)];

interface Run {
  readonly id: number;
  readonly sha: string;
  readonly event: string;
  readonly from: string;
  readonly artifacts: readonly { readonly name: string; readonly expired: boolean }[];
}

/** Requests that are not as GitHub describes them. */
const violations: string[] = [];
let server: Server;
let runs: readonly Run[];
let pulls: readonly object[];
let status: number;

const planned: Run = {
  id: 7,
  sha: HEAD,
  event: 'pull_request',
  from: REPOSITORY,
  artifacts: [{ name: 'firewall-plan', expired: false }],
};

function answer(url: URL): unknown {
  const repo = `/repos/${REPOSITORY}`;
  if (url.pathname === `${repo}/commits/${MERGE}/pulls`) return pulls;
  if (url.pathname === `${repo}/actions/runs`)
    return {
      workflow_runs: runs
        .filter(({ sha }) => sha === url.searchParams.get('head_sha'))
        .map(({ id, event, from }) => ({ id, event, head_repository: { full_name: from } })),
    };
  const [, id] = /\/actions\/runs\/(\d+)\/artifacts$/.exec(url.pathname) ?? [];
  return { artifacts: runs.find((run) => run.id === Number(id))?.artifacts ?? [] };
}

beforeAll(async () => {
  server = createServer((request, response) => {
    const { method = '', url: path = '' } = request;
    violations.push(...githubDescription().request({ method, path, body: undefined }));
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer(new URL(request.url ?? '', 'http://x'))));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  expect(violations).toEqual([]);
});
beforeEach(() => {
  runs = [planned];
  pulls = [{ number: 3, merged_at: '2027-01-01', merge_commit_sha: MERGE, head: { sha: HEAD } }];
  status = 200;
});

const found = () =>
  openGitHub(
    {
      token: 't',
      apiUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      repository: REPOSITORY,
    },
    { now: () => 0, sleep: async () => {} },
  ).reviewedRun(MERGE);

test('the run of the newest commit of the pull request is found for every merge method', async () => {
  expect(await found()).toMatchObject({ ok: true, value: 7 });
});

test('the run of a merge queue, which planned the commit itself, comes first', async () => {
  runs = [planned, { ...planned, id: 9, sha: MERGE, event: 'merge_group' }];
  expect(await found()).toMatchObject({ ok: true, value: 9 });
});

test.each([
  ['the run of a fork, which holds what the fork says', { from: 'eve/fleet' }],
  ['a run for something else', { event: 'push' }],
  ['a plan that has expired', { artifacts: [{ name: 'firewall-plan', expired: true }] }],
  ['another artifact', { artifacts: [{ name: 'firewall-policy', expired: false }] }],
  ['a run of another commit', { sha: 'c'.repeat(40) }],
])('%s is not found', async (_, over) => {
  runs = [{ ...planned, ...over }];
  expect(await found()).toMatchObject({ ok: true, value: undefined });
});

test('a push without a pull request has no run', async () => {
  pulls = [];
  expect(await found()).toMatchObject({ ok: true, value: undefined });
});

test('a missing permission is a problem that names it', async () => {
  status = 403;
  const asked = await found();
  expect(asked).toMatchObject({ ok: false, problems: [{ id: 'github-forbidden' }] });
  expect(asked.problems[0]?.hint).toContain('actions: read');
});
