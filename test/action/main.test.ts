/** The bundled action, on the Node of the runner, against GitHub's API on this machine. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { error } from '../../src/lib/problem.js';
import { type Hub, REPOSITORY, startHub, TOKEN } from '../github/hub.js';
import { deployed, drift, noDrift, typicalPlan, unchanged } from '../report/example.js';
import { done, failed, payload } from './context.js';
import { PASSPHRASE, PRIVATE_KEY } from './leaks.js';
import { type Ended, runStep } from './step.js';

let hub: Hub;
let folder: string;
let bundle: string;

beforeAll(async () => {
  hub = await startHub();
  folder = mkdtempSync(join(tmpdir(), 'sallyport-action-'));
  bundle = join(folder, 'index.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'entry.ts')],
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    loader: { '.css': 'text', '.yml': 'text' },
    banner: {
      js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`,
    },
    outfile: bundle,
    logLevel: 'warning',
  });
}, 120_000);
afterAll(async () => {
  await hub.close();
  rmSync(folder, { recursive: true, force: true });
});

async function step(
  event: string,
  body: unknown,
  answers: object,
  inputs: Record<string, string> = {},
  env: Record<string, string> = {},
): Promise<Ended> {
  const file = join(folder, 'answers.json');
  writeFileSync(file, JSON.stringify(answers));
  return runStep({
    bundle,
    event,
    payload: body,
    inputs: { 'github-token': TOKEN, 'ssh-key': PRIVATE_KEY, 'ssh-key-passphrase': PASSPHRASE, ...inputs },
    env: {
      ANSWERS: file,
      GITHUB_API_URL: hub.url,
      GITHUB_REPOSITORY: REPOSITORY,
      GITHUB_SHA: 'a'.repeat(40),
      GITHUB_RUN_ID: '42',
      ...env,
    },
  });
}

/** A real payload, about a pull request of the repository here. */
function pullPayload(number: number): unknown {
  const opened = payload('pull_request', 'opened') as { pull_request: { head: { repo: object } } };
  const head = {
    ...opened.pull_request.head,
    repo: { ...opened.pull_request.head.repo, full_name: REPOSITORY },
  };
  return { ...opened, number, pull_request: { ...opened.pull_request, number, head } };
}

const comments = async (pull: number): Promise<{ id: number; body: string }[]> =>
  (await hub.call('GET', `/repos/${REPOSITORY}/issues/${pull}/comments`)).body;

test('a pull request gets one comment, and the second run updates that same one', async () => {
  const pull = await hub.openPull('two-runs');
  const first = await step('pull_request', pullPayload(pull), { plan: done(typicalPlan) });
  expect({ status: first.status, stderr: first.stderr }).toEqual({ status: 0, stderr: '' });
  const [created, ...others] = await comments(pull);
  expect(others).toEqual([]);
  expect(created?.body).toContain('Opens 2, closes 1');
  expect(first.outputs).toMatchObject({ outcome: 'changed', changed: '7', opened: '2', closed: '1' });
  expect(first.summary).toContain('Opens 2, closes 1');
  expect(first.stdout).toMatch(
    /^::warning title=open-to-the-world,file=policies\/roles\/database.yml,line=9,col=5::/m,
  );

  const second = await step('pull_request', pullPayload(pull), {
    plan: done({ ...typicalPlan, digest: 'sha256:other', hosts: [unchanged('web-1')] }),
  });
  expect(second.outputs).toMatchObject({ outcome: 'unchanged', changed: '0', opened: '0' });
  const after = await comments(pull);
  expect(after.map(({ id }) => id)).toEqual([created?.id]);
  expect(after[0]?.body).toContain('1 host unchanged');
});

test('a merge is deployed and the result stands on its pull request', async () => {
  const pull = await hub.openPull('merged');
  const merged = await hub.call('PUT', `/repos/${REPOSITORY}/pulls/${pull}/merge`, {});
  const push = { ...(payload('push') as object), repository: { default_branch: 'main' } };
  const env = { GITHUB_REF: 'refs/heads/main', GITHUB_SHA: merged.body.sha };
  const ended = await step('push', push, { deploy: done(deployed) }, { deployment: 'true' }, env);
  expect({ status: ended.status, stderr: ended.stderr }).toEqual({ status: 0, stderr: '' });
  expect((await comments(pull))[0]?.body).toContain('Deployed: 1 confirmed, 1 unchanged');
  expect(hub.deployments.at(-1)?.statuses.map(({ state }) => state)).toEqual(['in_progress', 'success']);

  const late = await step(
    'push',
    push,
    { deploy: done(deployed) },
    {},
    { ...env, GITHUB_SHA: 'b'.repeat(40) },
  );
  expect(late.status).toBe(1);
  expect(late.stdout).toContain('is not the newest of main');
});

test('drift opens an issue and a clean fleet closes it', async () => {
  const dirty = await step('schedule', {}, { drift: done(drift) });
  expect(dirty.status).toBe(1);
  expect(dirty.outputs).toMatchObject({
    outcome: 'drifted',
    'drifted-hosts': 'web-2',
    'unreachable-hosts': 'db-1',
  });
  const clean = await step('schedule', {}, { drift: done(noDrift) });
  expect(clean.status).toBe(0);
  const issues = await hub.call('GET', `/repos/${REPOSITORY}/issues?labels=sallyport-drift&state=all`);
  expect(issues.body.map(({ state }: { state: string }) => state)).toEqual(['closed']);
});

test('wrong inputs fail before anything else', async () => {
  const ended = await step('push', {}, {}, { command: 'destroy' });
  expect(ended.status).toBe(1);
  expect(ended.stdout).toContain('::error title=bad-input::Invalid value `destroy` for the input `command`.');
});

test.each([
  ['has no fields', { pull_request: { number: 7 } }, {}, 'pull_request.head is missing'],
  ['is not there', {}, { GITHUB_EVENT_PATH: '/nonexistent/event.json' }, 'ENOENT'],
])('an event that %s is refused with a sentence', async (_, body, env, why) => {
  const ended = await step('pull_request', body, { plan: done(typicalPlan) }, {}, env);
  expect({ status: ended.status, stderr: ended.stderr }).toEqual({ status: 1, stderr: '' });
  expect(ended.stdout).toContain('::error title=bad-event::The event of this run');
  expect(ended.stdout).toContain(why);
});

test('a runner whose files cannot be written gets a sentence as well', async () => {
  const env = { GITHUB_OUTPUT: '/nonexistent/output', GITHUB_STEP_SUMMARY: '/nonexistent/summary' };
  const ended = await step('schedule', {}, { drift: done(noDrift) }, { comment: 'false' }, env);
  expect({ status: ended.status, stderr: ended.stderr }).toEqual({ status: 1, stderr: '' });
  expect(ended.stdout).toMatch(/^::error::.*Missing file at path: \/nonexistent\/output/m);
});

test('what nobody expected is a sentence and a red step, not a stack', async () => {
  const ended = await step('schedule', {}, { drift: { ok: true, value: null, problems: [] } });
  expect(ended.status).toBe(1);
  expect(ended.stdout).toContain('Unexpected error: ');
  expect(ended.stderr).toBe('');
});

test('no secret is in any output, whatever hosts answer; the runner masks secrets', async () => {
  const pull = await hub.openPull('secrets');
  const leak = `The host said ${PRIVATE_KEY} ${PASSPHRASE} ${TOKEN}`;
  const plan = {
    ...typicalPlan,
    hosts: [...typicalPlan.hosts, { host: 'sly', status: 'error', reason: leak, findings: [] }],
  };
  const answers = [{ plan: done(plan) }, { plan: failed(error('x', leak, { hint: leak })) }];
  const secrets = [TOKEN, PASSPHRASE, ...PRIVATE_KEY.split('\n').slice(1, -1)];
  for (const answer of answers) {
    const ended = await step('pull_request', pullPayload(pull), answer);
    const masked = ended.stdout.split('\n').filter((line) => line.startsWith('::add-mask::'));
    const seen = [
      ended.stdout.replace(/^::add-mask::.*$/gm, ''),
      ended.stderr,
      ended.summary,
      JSON.stringify(ended.outputs),
      JSON.stringify(ended.files),
      JSON.stringify(await comments(pull)),
    ].join('\n');
    for (const secret of secrets) {
      expect(masked).toContain(`::add-mask::${secret}`);
      expect(seen).not.toContain(secret);
    }
  }
});
