/**
 * The action while GitHub is ill, over its real client and a server that breaks on demand: whatever was to be done with
 * hosts is done, the report stands in the summary, and log and summary say what was not posted. Nobody waits.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Clock } from '../../src/github/errors.js';
import { openGitHub } from '../../src/github/github.js';
import { type Fault, type Hub, REPOSITORY, startHub, TOKEN } from '../github/hub.js';
import { deployed, drift, typicalPlan } from '../report/example.js';
import { done, type JobResult, type JobSetup, pullEvent, pushEvent, runJob } from './context.js';

let hub: Hub;
let waited: number;
beforeAll(async () => {
  hub = await startHub();
});
afterAll(() => hub.close());
beforeEach(() => {
  hub.faults.length = 0;
  waited = 0;
});

const clock: Clock = {
  now: () => Date.now() + waited,
  sleep: async (milliseconds) => {
    waited += milliseconds;
  },
};
/** For tests of answers that never come. */
const TIMEOUT = 300;
/** For tests of answers that do come, however busy this machine is. */
const PATIENT = 60_000;
const github = (timeout = PATIENT) =>
  openGitHub({ token: TOKEN, apiUrl: hub.url, repository: REPOSITORY, timeout }, clock);

const adoption = {
  version: 1,
  date: '2027-01-01',
  hosts: [],
  files: [{ path: 'policies/a.yml', before: 'a: 1\n', after: 'a: 2\n' }],
} as const;

/** Command → how it is staged, and what stands in the summary when all is well. */
const COMMANDS: Readonly<Record<string, JobSetup & { readonly says: string; readonly outcome: string }>> = {
  plan: {
    event: pullEvent({ number: 1 }),
    answers: { plan: done(typicalPlan) },
    inputs: { labels: 'true' },
    says: 'Opens 2, closes 1',
    outcome: 'changed',
  },
  deploy: {
    event: pushEvent,
    answers: { deploy: done(deployed) },
    inputs: { deployment: 'true' },
    says: 'Deployed: 1 confirmed',
    outcome: 'deployed',
  },
  drift: {
    event: { name: 'schedule' },
    answers: { drift: done(drift) },
    inputs: { 'fail-on': 'never' },
    says: '1 of 3 hosts drifted',
    outcome: 'drifted',
  },
  adopt: {
    event: { name: 'schedule' },
    answers: { adopt: done(adoption) },
    inputs: { command: 'adopt' },
    says: 'Firewall drift into the policy',
    outcome: 'adopted',
  },
};

const inHalfAnHour = () => String(Math.floor(Date.now() / 1000) + 1_800);
/** Fault → what it is called, and whether trying again is worth it. */
const FAULTS: Readonly<
  Record<
    string,
    { readonly fault: () => Omit<Fault, 'when'>; readonly id: string; readonly patient: boolean }
  >
> = {
  '401': {
    fault: () => ({ status: 401, message: 'Bad credentials' }),
    id: 'github-unauthorized',
    patient: false,
  },
  '403': {
    fault: () => ({ status: 403, message: 'Resource not accessible by integration' }),
    id: 'github-forbidden',
    patient: false,
  },
  '404': { fault: () => ({ status: 404, message: 'Not Found' }), id: 'github-not-found', patient: false },
  '409': { fault: () => ({ status: 409, message: 'Conflict' }), id: 'github-fault', patient: false },
  '410': {
    fault: () => ({ status: 410, message: 'Issues are disabled' }),
    id: 'github-gone',
    patient: false,
  },
  '422': {
    fault: () => ({ status: 422, message: 'Validation Failed' }),
    id: 'github-invalid',
    patient: false,
  },
  '500': { fault: () => ({ status: 500 }), id: 'github-fault', patient: true },
  '503': { fault: () => ({ status: 503 }), id: 'github-fault', patient: true },
  'the primary rate limit': {
    fault: () => ({
      status: 403,
      headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': inHalfAnHour() },
    }),
    id: 'github-rate-limit',
    patient: false,
  },
  'the secondary rate limit': {
    fault: () => ({ status: 429, message: 'You have exceeded a secondary rate limit' }),
    id: 'github-rate-limit',
    patient: true,
  },
  'a secondary rate limit of 403': {
    fault: () => ({ status: 403, headers: { 'retry-after': '20' }, message: 'Slow down.' }),
    id: 'github-rate-limit',
    patient: true,
  },
  'a connection that breaks': {
    fault: () => ({ status: 0, silence: 'cut' }),
    id: 'github-fault',
    patient: true,
  },
};

const ids = ({ annotations }: JobResult): ReadonlySet<string> => new Set(annotations.map(({ id }) => id));

describe.each(Object.entries(FAULTS))(
  'while GitHub answers everything with %s',
  (_, { fault, id, patient }) => {
    test.each(Object.keys(COMMANDS))('%s does its work and says what was not posted', async (command) => {
      const { says, outcome, ...setup } = COMMANDS[command] ?? { says: '', outcome: '' };
      hub.faults.push({ ...fault(), when: () => true, times: 10_000 });
      const job = await runJob({ ...setup, github: github() });
      expect(job.used).toEqual([command]);
      expect(job.outputs.outcome).toBe(outcome);
      expect(job.failures).toEqual([]);
      const summary = job.summaries.join('');
      expect(summary).toContain(says);
      expect(summary).toContain('Not posted');
      expect(ids(job)).toContain(id);
      expect(waited > 0).toBe(patient);
      // Every operation has an end; the longest job asks for six.
      expect(waited).toBeLessThan(6 * 2 * 120_000);
    });
  },
);

test('answers that never come are given up on, and the deployment goes on', async () => {
  hub.faults.push({ when: () => true, times: 10_000, status: 0, silence: 'hang' });
  const { deploy } = COMMANDS;
  const job = await runJob({ ...deploy, github: github(TIMEOUT) });
  expect(job.used).toEqual(['deploy']);
  expect(job.outputs.outcome).toBe('deployed');
  expect(job.failures).toEqual([]);
});

test('an answer that is slow is waited for', async () => {
  const pull = await hub.openPull('slow');
  hub.faults.push({ when: ({ method }) => method === 'POST', status: 0, delay: 500 });
  const { plan } = COMMANDS;
  const job = await runJob({ ...plan, event: pullEvent({ number: pull }), github: github() });
  expect(job.outputs['comment-url']).toMatch(/#issuecomment-\d+$/);
  expect(waited).toBe(0);
});

test('a token that may only read gives the plan in the summary, and a note which right is missing', async () => {
  const pull = await hub.openPull('read-only');
  hub.faults.push({
    when: ({ method, path }) => method !== 'GET' && !path.endsWith('/graphql'),
    status: 403,
    message: 'Resource not accessible by integration',
    times: 10_000,
  });
  const { plan } = COMMANDS;
  const job = await runJob({ ...plan, event: pullEvent({ number: pull }), github: github() });
  expect(job.failures).toEqual([]);
  const summary = job.summaries.join('');
  expect(summary).toContain('Opens 2, closes 1');
  expect(summary).toContain('Cannot post the comment');
  expect(summary).toContain('permissions: { pull-requests: write }');
  expect((await hub.call('GET', `/repos/${REPOSITORY}/issues/${pull}/comments`)).body).toEqual([]);
});

test('a deployment whose result cannot be posted is in the log and the summary of its job', async () => {
  const pull = await hub.openPull('unposted');
  const merged = await hub.call('PUT', `/repos/${REPOSITORY}/pulls/${pull}/merge`, {});
  hub.faults.push({ when: ({ path }) => /\/issues\/\d+\/comments/.test(path), status: 502, times: 10_000 });
  const { deploy } = COMMANDS;
  const job = await runJob({ ...deploy, event: { ...pushEvent, commit: merged.body.sha }, github: github() });
  expect(job.outputs.outcome).toBe('deployed');
  expect(job.log.join('\n')).toContain('confirmed');
  expect(job.summaries.join('')).toContain('Cannot post the comment');
  expect(hub.deployments.at(-1)?.statuses.map(({ state }) => state)).toEqual(['in_progress', 'success']);
});
