/** A run that follows the run of a fork: what it believes, and what it refuses to touch. */
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { commandOf, readEvent } from '../../../src/action/event/event.js';
import { warning } from '../../../src/lib/problem.js';
import { noDrift, typicalPlan } from '../../report/example.js';
import { done, failed, type JobResult, type JobSetup, payload, runJob } from '../context.js';

const COMMIT = 'c'.repeat(40);

/** A real payload of GitHub, for a pull request of eve/fleet. */
function runEvent(over: Record<string, unknown> = {}) {
  const body = payload('workflow_run', 'completed') as { workflow_run: object };
  return readEvent(
    { GITHUB_EVENT_NAME: 'workflow_run', GITHUB_REPOSITORY: 'example/fleet', GITHUB_SHA: 'd'.repeat(40) },
    {
      ...body,
      workflow_run: {
        ...body.workflow_run,
        event: 'pull_request',
        head_sha: COMMIT,
        head_branch: 'open-a-port',
        head_repository: { full_name: 'eve/fleet' },
        pull_requests: [],
        ...over,
      },
    },
  );
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-fork-'));
  mkdirSync(join(folder, 'hosts'));
  writeFileSync(join(folder, 'fleet.yml'), 'version: 1\n');
  writeFileSync(join(folder, 'hosts/web.yml'), 'hosts: {}\n');
});
afterEach(() => rmSync(folder, { recursive: true }));

const follow = (setup: JobSetup = {}): Promise<JobResult> =>
  runJob({
    event: runEvent(),
    answers: { plan: done(typicalPlan) },
    ...setup,
    inputs: { 'ssh-key': '', policies: folder, state: 'states', ...setup.inputs },
  });

test('the pull request that GitHub names gets the plan, with links to the commit that was asked for', async () => {
  const job = await follow();
  expect(job.calls.find(({ name }) => name === 'openPull')?.given).toEqual([
    'eve/fleet',
    'open-a-port',
    COMMIT,
  ]);
  const [pull, , body] = job.calls.find(({ name }) => name === 'upsertComment')?.given ?? [];
  expect(pull).toBe(7);
  expect(body).toContain(`/blob/${COMMIT}/`);
});

test('a pull request that has moved on, or is closed, gets nothing', async () => {
  const job = await follow({ github: { openPull: async () => done(undefined) } });
  expect(job.used).toEqual([]);
  expect(job.calls.map(({ name }) => name)).toEqual(['openPull']);
  expect(job.log.join()).toContain(`no open pull request of eve/fleet is at ${COMMIT.slice(0, 12)}`);
  expect(job.failures).toEqual([]);
});

test('a GitHub that does not say which pull request it is fails the step', async () => {
  const refused = warning('github-forbidden', 'Cannot find the pull request of the fork.');
  const job = await follow({ github: { openPull: async () => failed(refused) } });
  expect(job.used).toEqual([]);
  expect(job.annotations).toEqual([refused]);
  expect(job.failures[0]).toContain('GitHub does not name the pull request');
  expect(job.log.join()).not.toContain('no open pull request');
});

test.each([
  ['of this repository', { head_repository: { full_name: 'example/fleet' } }],
  ['of a repository that is gone', { head_repository: null }],
])('a run %s is none of its business', async (_, over) => {
  const job = await follow({ event: runEvent(over) });
  expect(job.used).toEqual([]);
  expect(job.calls).toEqual([]);
});

test('no key meets a policy that nobody has reviewed, and no host is read', async () => {
  const keyed = await follow({ inputs: { 'ssh-key': 'a-private-key-of-a-test' } });
  expect(keyed.annotations).toMatchObject([{ id: 'fork-with-key' }]);
  const stateless = await follow({ inputs: { state: '' } });
  expect(stateless.annotations).toMatchObject([{ id: 'fork-without-state' }]);
  for (const job of [keyed, stateless]) {
    expect(job.used).toEqual([]);
    expect(job.failures).toHaveLength(1);
  }
});

test('what the hosts run is read by the policy of the branch, with the key, before', async () => {
  const job = await follow({
    inputs: { command: 'drift', 'ssh-key': 'a-private-key-of-a-test', comment: 'false', 'fail-on': 'never' },
    answers: { drift: done(noDrift) },
  });
  expect(job.used).toEqual(['drift']);
  expect(job.calls).toEqual([]);
  expect(job.failures).toEqual([]);
});

test('it never deploys', () => {
  expect(commandOf(runEvent(), 'deploy')).toMatchObject({ problems: [{ id: 'pull-request-deploys' }] });
  expect(commandOf(runEvent({ event: 'push' }), 'deploy')).toMatchObject({ ok: true, value: 'deploy' });
});

describe('an artifact is refused before anything in it is opened', () => {
  const cases: Readonly<Record<string, () => void>> = {
    'a link to a file': () => symlinkSync('/proc/self/environ', join(folder, 'networks.yml')),
    'a link to a folder': () => symlinkSync('/etc', join(folder, 'roles')),
    'a second name of a file': () => linkSync(join(folder, 'fleet.yml'), join(folder, 'again.yml')),
    'a file that is too large': () =>
      writeFileSync(join(folder, 'big.yml'), Buffer.alloc(4 * 1024 * 1024 + 1)),
    'a name with a line break': () => writeFileSync(join(folder, 'a\nb.yml'), ''),
    'a hidden file': () => writeFileSync(join(folder, '.netrc'), ''),
    'folders in folders': () => mkdirSync(join(folder, 'hosts/a/b'), { recursive: true }),
    'more files than a policy has': () => {
      for (let index = 0; index < 8_000; index += 1) writeFileSync(join(folder, `hosts/${index}.yml`), '');
    },
    'nothing at all': () => rmSync(folder, { recursive: true }),
  };
  test.each(Object.entries(cases))('%s', async (_, make) => {
    make();
    const job = await follow();
    expect(job.used).toEqual([]);
    expect(job.calls).toEqual([]);
    expect(job.annotations).toMatchObject([{ id: 'untrusted-files', level: 'error' }]);
    expect(job.failures).toHaveLength(1);
    mkdirSync(folder, { recursive: true });
  });
});
