/** A fleet larger than one job: four programs at once, each with its shard, and one step that makes a comment of it. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { Plan } from '../../src/rollout/results/model.js';
import { type Hub, REPOSITORY, startHub, TOKEN } from '../github/hub.js';
import { payload } from './context.js';
import { type Ended, runStep } from './step.js';

jest.setTimeout(240_000);

const ROOT = join(import.meta.dirname, '../..');
const HOSTS = Array.from({ length: 200 }, (_, index) => `web-${index + 1}`);
const SHARDS = ['1/4', '2/4', '3/4', '4/4'];

let hub: Hub;
let folder: string;
const inside = (path: string): string => join(folder, path);
const write = (path: string, text: string): void => {
  mkdirSync(dirname(inside(path)), { recursive: true });
  writeFileSync(inside(path), text);
};

interface Done {
  readonly status: number | null;
  readonly stderr: string;
}

const node = (...argv: readonly string[]): Promise<Done> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, argv, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stderr }));
  });

const sallyport = (...argv: readonly string[]): Promise<Done> => node(inside('dist/cli.js'), ...argv);
const planOf = (file: string): Plan => JSON.parse(readFileSync(inside(file), 'utf8'));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-fleet-'));
  write('dist/package.json', '{"type":"module"}\n');
  const built = await node(join(ROOT, 'scripts/build.mjs'), '--out', inside('dist'));
  expect(built).toEqual({ status: 0, stderr: '' });
  hub = await startHub();
  write(
    'policies/fleet.yml',
    'version: 1\nssh: {user: deploy, known_hosts: known_hosts}\nadmin: [admin]\nrollout: {canary: [web-1]}\n',
  );
  write('policies/networks.yml', 'networks:\n  admin: [203.0.113.0/24]\n');
  write('policies/roles/web.yml', 'input:\n  - {allow: [http, https], from: any, reason: The public site}\n');
  write(
    'policies/hosts/all.yml',
    `hosts:\n${HOSTS.map((name, index) => `  ${name}: {addresses: [10.1.0.${index + 1}], roles: [web]}\n`).join('')}`,
  );
  // Every tenth host has a telnet open that the policy closes.
  for (const [index, name] of HOSTS.entries())
    write(
      `states/${name}.v4`,
      `*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n${index % 10 === 0 ? '-A INPUT -p tcp -m tcp --dport 23 -j ACCEPT\n' : ''}COMMIT\n`,
    );
});
afterAll(async () => {
  await hub.close();
  rmSync(folder, { recursive: true, force: true });
});

const planned = (shard: string | undefined, output: string): Promise<Done> =>
  sallyport(
    ...['plan', '--state', 'states', '--format', 'json', '--output', output],
    ...(shard === undefined ? [] : ['--shard', shard]),
  );

async function reported(pull: number): Promise<Ended & { readonly comment: string }> {
  const opened = payload('pull_request', 'opened') as { pull_request: { head: { repo: object } } };
  const head = {
    ...opened.pull_request.head,
    repo: { ...opened.pull_request.head.repo, full_name: REPOSITORY },
  };
  const ended = await runStep({
    bundle: inside('dist/index.js'),
    event: 'pull_request',
    payload: { ...opened, number: pull, pull_request: { ...opened.pull_request, number: pull, head } },
    inputs: { command: 'report', reports: inside('plans'), 'github-token': TOKEN },
    env: { GITHUB_API_URL: hub.url, GITHUB_REPOSITORY: REPOSITORY, GITHUB_SHA: 'a'.repeat(40) },
  });
  const comments = await hub.call('GET', `/repos/${REPOSITORY}/issues/${pull}/comments`);
  expect(comments.body).toHaveLength(1);
  return { ...ended, comment: comments.body[0].body };
}

test('four shards of 200 hosts make the one comment that one job would have made', async () => {
  const [whole, ...shards] = await Promise.all([
    planned(undefined, 'whole.json'),
    ...SHARDS.map((shard, index) => planned(shard, `plans/plan-${index + 1}/plan.json`)),
  ]);
  for (const shard of [whole, ...shards]) expect(shard?.status).toBe(0);
  const sizes = SHARDS.map((_, index) => planOf(`plans/plan-${index + 1}/plan.json`).hosts.length);
  expect(sizes.reduce((sum, size) => sum + size)).toBe(200);

  expect(await sallyport('report', 'plans', '--format', 'json', '--output', 'merged.json')).toMatchObject({
    status: 0,
  });
  expect(planOf('merged.json')).toEqual(planOf('whole.json'));

  const { status, outputs, comment } = await reported(await hub.openPull('four-shards'));
  expect(status).toBe(0);
  expect(outputs).toMatchObject({ changed: '200', digest: planOf('whole.json').digest });
  expect(comment).toContain('200 hosts change; lock-out proof holds.');
  // Equal diffs of all shards are two blocks: those with the telnet, and those without.
  const blocks = [...comment.matchAll(/<details><summary><code>[^\n]* and (\d+) more: /g)];
  expect(blocks.map(([, more]) => Number(more) + 4)).toEqual([180, 20]);
});

test('a shard that delivered nothing, or a broken report, is reported first and fails the check', async () => {
  const lost = planOf('plans/plan-3/plan.json').hosts.length;
  writeFileSync(inside('plans/plan-3/plan.json'), '{"version":1,"dig');
  const pull = await hub.openPull('three-shards');
  const { status, stdout, outputs, comment } = await reported(pull);
  expect(status).toBe(1);
  expect(stdout).toContain(`No plan of shard 3/4, which has ${lost} hosts.`);
  expect(stdout).toMatch(/^::error title=bad-deploy-report::|^::error title=bad-plan::/m);
  expect(comment).toContain(`${lost} hosts without a plan`);
  expect(comment).toContain('No plan of shard 3/4.');
  expect(outputs.digest).not.toBe(planOf('whole.json').digest);
  expect(outputs['unreachable-hosts']?.split(',')).toHaveLength(lost);
});
