import { expect, test } from '@jest/globals';
import { commandOf, readEvent } from '../../../src/action/event/event.js';
import { warning } from '../../../src/lib/problem.js';
import type { Adoption } from '../../../src/rollout/results/adoption.js';
import { done, failed, type JobResult, payload, pushEvent, runJob } from '../context.js';

const adoption: Adoption = {
  version: 1,
  date: '2027-01-01',
  hosts: [
    {
      host: 'web-1',
      status: 'read',
      taken: [
        {
          message: 'A rule was added to SALLYPORT-INPUT.',
          rule: '-A SALLYPORT-INPUT -p tcp -m tcp --dport 5432 -j ACCEPT',
          families: ['v4'],
          how: 'A rule under `input:` of web-1: `allow: postgres`.',
          file: 'policies/hosts/web-1.yml',
        },
      ],
      left: [{ message: 'The policy of FORWARD is ACCEPT.', why: 'It has no effect on any packet.' }],
    },
  ],
  files: [{ path: 'policies/hosts/web-1.yml', before: 'roles: [web]\n', after: 'roles: [web]\ninput: []\n' }],
};
const event = { ...pushEvent, name: 'schedule' };
const asked = { command: 'adopt' };
const pullOf = (job: JobResult) => job.calls.find(({ name }) => name === 'adoptPull')?.given;

test('opens a pull request, and says everything in the summary, the patch and the outputs', async () => {
  const job = await runJob({
    event,
    inputs: { ...asked, environment: 'prod' },
    answers: { adopt: done(adoption) },
  });
  expect(job.failures).toEqual([]);
  expect(job.outputs).toMatchObject({
    outcome: 'adopted',
    changed: '1',
    patch: '/tmp/sallyport/adopt.patch',
    'comment-url': 'https://github.com/example/fleet/pull/8',
  });
  expect(job.files['adopt.patch']).toContain('+++ b/policies/hosts/web-1.yml');
  const [marker, pull] = pullOf(job) ?? [];
  expect(marker).toMatchObject({ kind: 'adopt', environment: 'prod' });
  expect(pull).toMatchObject({
    base: 'main',
    title: 'Take firewall drift into the policy (prod)',
    files: [{ path: 'policies/hosts/web-1.yml', text: 'roles: [web]\ninput: []\n' }],
  });
  for (const words of ['Adopts 1 difference; 1 left', '--dport 5432', 'It has no effect on any packet'])
    for (const text of [(pull as { body: string }).body, job.summaries.join('')])
      expect(text).toContain(words);
});

test('without the right to, the change is in the patch, and both log and summary say so', async () => {
  const refused = warning('github-forbidden', 'Cannot open the pull request.');
  const job = await runJob({
    event,
    inputs: asked,
    answers: { adopt: done(adoption) },
    github: { adoptPull: async () => failed(refused) },
  });
  expect(job.failures).toEqual([]);
  expect(job.outputs.patch).toBe('/tmp/sallyport/adopt.patch');
  expect(job.summaries.join('')).toContain('Cannot open the pull request.');
  expect(job.log.join('\n')).toContain('The change is in the file named by the output `patch`.');
});

test('nothing to adopt closes what is open, but not while a host could not be read', async () => {
  const nothing = { ...adoption, hosts: [], files: [] };
  const clean = await runJob({ event, inputs: asked, answers: { adopt: done(nothing) } });
  expect(clean.outputs.outcome).toBe('unchanged');
  expect(pullOf(clean)?.[1]).toMatchObject({ files: [] });
  const unread = { host: 'web-2', status: 'unreachable', reason: 'No answer.', taken: [], left: [] } as const;
  const silent = await runJob({
    event,
    inputs: asked,
    answers: { adopt: done({ ...nothing, hosts: [unread] }) },
  });
  expect(pullOf(silent)).toBeUndefined();
  expect(silent.failures).toHaveLength(1);
});

test('a secret of the job that a host holds comes into no file and no branch', async () => {
  const [file] = adoption.files;
  const after = 'roles: [web]\n# a-private-key-of-a-test\n';
  const job = await runJob({
    event,
    inputs: asked,
    answers: { adopt: done({ ...adoption, files: file === undefined ? [] : [{ ...file, after }] }) },
  });
  expect(job.annotations).toMatchObject([{ id: 'secret-in-rules' }]);
  expect(pullOf(job)).toBeUndefined();
  expect(JSON.stringify(job)).not.toContain('a-private-key-of-a-test');
});

test('a pull request does not adopt', () => {
  const env = { GITHUB_EVENT_NAME: 'pull_request', GITHUB_REPOSITORY: 'Codertocat/Hello-World' };
  const pull = readEvent(env, payload('pull_request', 'opened'));
  expect(commandOf(pull, 'adopt')).toMatchObject({ ok: false, problems: [{ id: 'pull-request-adopts' }] });
});
