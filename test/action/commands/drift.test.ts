/** The drift job: its issue, what it does when hosts are busy, and when it cannot look at all. */
import { describe, expect, test } from '@jest/globals';
import { error } from '../../../src/lib/problem.js';
import type { Drift } from '../../../src/rollout/results/model.js';
import { drift, noDrift } from '../../report/example.js';
import { called, done, failed, type JobResult, runJob } from '../context.js';

const event = { name: 'schedule' };
const issueOf = (job: JobResult) => called(job, 'driftIssue');
const [clean, drifted] = drift.hosts;
const busy = {
  host: 'web-3',
  status: 'busy',
  reason: 'anna changes it.',
  live: [],
  saved: [],
  boot: [],
} as const;
const of = (...hosts: readonly (Drift['hosts'][number] | undefined)[]): Drift => ({
  version: 1,
  hosts: hosts.filter((host) => host !== undefined),
});

describe('drift', () => {
  test('is one issue; its state is what drifted, not who is out of reach', async () => {
    const job = await runJob({ event: { name: 'schedule' }, answers: { drift: done(drift) } });
    expect(job.outputs).toMatchObject({
      outcome: 'drifted',
      'drifted-hosts': 'web-2',
      'unreachable-hosts': 'db-1',
    });
    expect(job.failures).toEqual(['1 of 3 hosts drifted; 1 unreachable.']);
    const [marker, report] = called(job, 'driftIssue') ?? [];
    expect(report).toMatchObject({ clean: false, title: 'Firewall drift' });
    const reachable = { ...drift, hosts: drift.hosts.filter(({ status }) => status !== 'unreachable') };
    const again = await runJob({ event: { name: 'schedule' }, answers: { drift: done(reachable) } });
    expect(called(again, 'driftIssue')?.[0]).toEqual(marker);
  });

  test('a clean fleet passes and closes', async () => {
    const job = await runJob({ event: { name: 'schedule' }, answers: { drift: done(noDrift) } });
    expect(job.outputs.outcome).toBe('clean');
    expect(called(job, 'driftIssue')?.[1]).toMatchObject({ clean: true });
    expect(job.failures).toEqual([]);
  });

  test('an unreachable host is never clean', async () => {
    const job = await runJob({
      event: { name: 'schedule' },
      answers: { drift: done({ version: 1, hosts: drift.hosts.slice(2) }) },
    });
    expect(called(job, 'driftIssue')?.[1]).toMatchObject({ clean: false });
    expect(job.failures).toHaveLength(1);
  });
});

test('D3 the first check that drifts opens the issue', async () => {
  const job = await runJob({ event, answers: { drift: done(of(drifted)) } });
  expect(issueOf(job)?.[1]).toMatchObject({ clean: false, drifted: ['web-2'], hosts: ['web-2'] });
  expect(job.failures).toHaveLength(1);
});

test('D4 a host that is being deployed is not drift: the job is green, and the issue stays as it is', async () => {
  const job = await runJob({ event, answers: { drift: done(of(clean, busy)) } });
  expect(job.outputs).toMatchObject({ outcome: 'busy', 'drifted-hosts': '', 'unreachable-hosts': '' });
  expect(issueOf(job)).toBeUndefined();
  expect(job.failures).toEqual([]);
  expect(job.summaries.join('')).toContain('`web-3` is being changed: anna changes it.');
  const both = await runJob({ event, answers: { drift: done(of(drifted, busy)) } });
  expect(both.outputs.outcome).toBe('drifted');
  expect(issueOf(both)?.[1]).toMatchObject({ body: expect.stringContaining('is being changed') });
});

test('D10 a check that cannot read the policy fails the job and says nothing of the hosts', async () => {
  const job = await runJob({ event, answers: { drift: failed(error('unknown-key', 'Unknown key.')) } });
  expect(job.outputs.outcome).toBe('failed');
  expect(job.failures).toHaveLength(1);
  expect(issueOf(job)).toBeUndefined();
});

test('a line of the policy that moves is no new drift', async () => {
  const moved = JSON.parse(JSON.stringify(of(drifted)).replaceAll('"line":7', '"line":9')) as Drift;
  const [before, after] = [
    await runJob({ event, answers: { drift: done(of(drifted)) } }),
    await runJob({ event, answers: { drift: done(moved) } }),
  ];
  expect(issueOf(after)?.[0]).toEqual(issueOf(before)?.[0]);
});

test('rules whose day is near stand in the report', async () => {
  const due = [
    { id: 'expires-soon', level: 'warning', message: 'The rule is valid until 2027-01-05.' },
  ] as const;
  const job = await runJob({ event, answers: { drift: done({ ...of(drifted), due }) } });
  expect(issueOf(job)?.[1]).toMatchObject({
    body: expect.stringContaining('The rule is valid until 2027-01-05.'),
  });
});
