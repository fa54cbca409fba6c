/** The action as it is delivered: `dist/index.js` on the Node of the runner, GitHub's API on this machine, recorded hosts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Hub, REPOSITORY, startHub, TOKEN } from '../github/hub.js';
import { payload } from './context.js';
import { type Ended, runStep } from './step.js';

const HOSTS = ['db-1', 'dns-1', 'pay-1', 'web-1', 'web-2'];

let hub: Hub;
let states: string;

beforeAll(async () => {
  hub = await startHub();
  states = mkdtempSync(join(tmpdir(), 'sallyport-states-'));
});
afterAll(async () => {
  await hub.close();
  rmSync(states, { recursive: true, force: true });
});

/** What every host runs: one port open to everyone, nothing else decided. */
function record(port: number): void {
  const text = `*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport ${port} -j ACCEPT\nCOMMIT\n`;
  for (const host of HOSTS)
    for (const family of ['v4', 'v6']) writeFileSync(join(states, `${host}.${family}`), text);
}

function pullRequest(number: number): Promise<Ended> {
  const opened = payload('pull_request', 'opened') as { pull_request: { head: { repo: object } } };
  const repo = { ...opened.pull_request.head.repo, full_name: REPOSITORY };
  const head = { ...opened.pull_request.head, repo };
  return runStep({
    bundle: join(import.meta.dirname, '../../dist/index.js'),
    event: 'pull_request',
    payload: { ...opened, number, pull_request: { ...opened.pull_request, number, head } },
    inputs: {
      command: 'auto',
      policies: 'policies',
      state: states,
      comment: 'true',
      'fail-on': 'error',
      'github-token': TOKEN,
    },
    env: {
      GITHUB_API_URL: hub.url,
      GITHUB_REPOSITORY: REPOSITORY,
      GITHUB_SHA: 'a'.repeat(40),
      GITHUB_RUN_ID: '42',
    },
  });
}

const comments = async (pull: number): Promise<readonly { readonly id: number; readonly body: string }[]> =>
  (await hub.call('GET', `/repos/${REPOSITORY}/issues/${pull}/comments`)).body;

test('a pull request event makes one comment with the plan, and the next run updates that same one', async () => {
  const pull = await hub.openPull('as-delivered');
  record(8080);
  const first = await pullRequest(pull);
  expect({ status: first.status, stderr: first.stderr }).toEqual({ status: 0, stderr: '' });
  expect(first.outputs).toMatchObject({ outcome: 'changed', changed: '5' });
  const [created, ...others] = await comments(pull);
  expect(others).toEqual([]);
  expect(created?.body).toContain('tcp/8080');
  expect(created?.body).toContain('The public site');

  record(9090);
  const second = await pullRequest(pull);
  expect(second.status).toBe(0);
  const after = await comments(pull);
  expect(after.map(({ id }) => id)).toEqual([created?.id]);
  expect(after[0]?.body).toContain('tcp/9090');
  expect(after[0]?.body).not.toContain('tcp/8080');
});
