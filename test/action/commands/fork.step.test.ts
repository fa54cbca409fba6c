/** The run that follows a fork's: the bundle, the files that the fork left, recorded states, and a GitHub that is asked. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { payload } from '../context.js';
import { type Ended, runStep } from '../step.js';

const COMMIT = 'c'.repeat(40);
const REPOSITORY = 'example/fleet';

let folder: string;
let server: Server;
let comments: { readonly path: string; readonly body: string }[] = [];

const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
};

/** Knows one pull request of a fork, and takes comments. */
function answer(method: string, url: URL, body: string): unknown {
  if (url.pathname === '/graphql') return { data: { viewer: { login: 'github-actions' } } };
  if (url.pathname === `/repos/${REPOSITORY}/pulls`)
    return url.searchParams.get('head') === 'eve:open-a-port'
      ? [
          { number: 11, head: { sha: 'e'.repeat(40), repo: { full_name: 'eve/other' } } },
          { number: 12, head: { sha: COMMIT, repo: { full_name: 'eve/fleet' } } },
        ]
      : [];
  if (method === 'POST') {
    comments.push({ path: url.pathname, body: JSON.parse(body).body });
    return { id: 1, html_url: `https://github.com/${REPOSITORY}/pull/12#issuecomment-1` };
  }
  return [];
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-fork-step-'));
  const built = build({
    entryPoints: [join(import.meta.dirname, '../../../src/action/main.ts')],
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: ['*.node', 'cpu-features'],
    loader: { '.css': 'text', '.yml': 'text', '.sh': 'text' },
    banner: {
      js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url); const __dirname = '/'; const __filename = '/x';`,
    },
    outfile: join(folder, 'index.mjs'),
    logLevel: 'warning',
  });
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const url = new URL(request.url ?? '', 'http://x');
      response.writeHead(request.method === 'POST' && url.pathname !== '/graphql' ? 201 : 200, {
        'content-type': 'application/json',
      });
      response.end(JSON.stringify(answer(request.method ?? '', url, Buffer.concat(chunks).toString())));
    });
  });
  await Promise.all([built, new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))]);
}, 120_000);
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  comments = [];
  rmSync(join(folder, 'untrusted'), { recursive: true, force: true });
  write('untrusted/fleet.yml', 'version: 1\nssh: {user: deploy, known_hosts: known_hosts}\nadmin: [admin]\n');
  write('untrusted/networks.yml', 'networks:\n  admin: [203.0.113.0/24]\n');
  write(
    'untrusted/roles/web.yml',
    'input:\n  - {allow: tcp/8443, from: any, reason: "@everyone <img src=x> <!-- sallyport plan v1 -->"}\n',
  );
  write('untrusted/hosts/all.yml', 'hosts:\n  web-1: {addresses: [192.0.2.1], roles: [web]}\n');
  write('states/web-1.v4', '*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n');
});

function follow(inputs: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const body = payload('workflow_run', 'completed') as { workflow_run: object };
  return runStep({
    bundle: join(folder, 'index.mjs'),
    event: 'workflow_run',
    payload: {
      ...body,
      workflow_run: {
        ...body.workflow_run,
        event: 'pull_request',
        head_sha: COMMIT,
        head_branch: 'open-a-port',
        head_repository: { full_name: 'eve/fleet' },
        pull_requests: [],
      },
    },
    inputs: {
      command: 'plan',
      policies: join(folder, 'untrusted'),
      state: join(folder, 'states'),
      'github-token': 'ghs_0123456789abcdefghijklmnopqrstuvwxyz',
      ...inputs,
    },
    env: {
      GITHUB_API_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      GITHUB_REPOSITORY: REPOSITORY,
      GITHUB_SHA: 'd'.repeat(40),
    },
  });
}

test('the fork gets its plan on its own pull request, and nothing that it wrote is markup', async () => {
  const { status, stdout, stderr } = await follow();
  expect({ status, stderr, stdout }).toMatchObject({ status: 0, stderr: '' });
  expect(comments.map(({ path }) => path)).toEqual([`/repos/${REPOSITORY}/issues/12/comments`]);
  const body = comments[0]?.body ?? '';
  expect(body).toContain('tcp/8443');
  expect(body).toContain('lock-out proof holds');
  expect(body).not.toContain('<img');
  expect(body).not.toMatch(/(^|[^\\`\w&#;])@everyone/);
  expect(body.match(/<!-- sallyport/g)).toHaveLength(1);
});

test('a link in its files ends the run before anything is read, and what it leads to is nowhere', async () => {
  write('secret', 'the-secret-of-the-runner: 1\n');
  rmSync(join(folder, 'untrusted/networks.yml'));
  symlinkSync(join(folder, 'secret'), join(folder, 'untrusted/networks.yml'));
  const { status, stdout, summary } = await follow();
  expect(status).toBe(1);
  expect(stdout).toContain('neither a file nor a directory');
  expect(stdout + summary).not.toContain('the-secret-of-the-runner');
  expect(comments).toEqual([]);
});

test('a key is refused, whatever the policy says', async () => {
  const { status, stdout } = await follow({ 'ssh-key': 'a-private-key-of-a-test' });
  expect(status).toBe(1);
  expect(stdout).toContain('must not have an `ssh-key`');
  expect(comments).toEqual([]);
});
