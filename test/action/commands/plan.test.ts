/** A plan on a pull request: the comment, the summary, the annotations, and what turns the check red. */
import { describe, expect, test } from '@jest/globals';
import { error, note, type Problem, warning } from '../../../src/lib/problem.js';
import { findingOf } from '../../../src/rollout/results/finding.js';
import { mapOf } from '../../map/fleet.js';
import { databaseHost, troubledPlan, typicalPlan, unchangedPlan } from '../../report/example.js';
import { called, done, failed, pullEvent, pushEvent, runJob } from '../context.js';

const unread = (status: 'unreachable' | 'error') => ({ host: 'web-1', status, reason: 'No.', findings: [] });

describe('plan', () => {
  test('a pull request gets the comment, the summary, the outputs and the annotations', async () => {
    const job = await runJob({
      event: pullEvent(),
      answers: { plan: done(typicalPlan) },
      inputs: { labels: 'true', environment: 'prod' },
    });
    expect(job.outputs).toMatchObject({
      outcome: 'changed',
      changed: '7',
      opened: '2',
      closed: '1',
      'unreachable-hosts': '',
      json: '/tmp/sallyport/plan.json',
      'comment-url': 'https://github.com/example/fleet/pull/7#issuecomment-1',
    });
    const [pull, marker, body] = called(job, 'upsertComment') ?? [];
    expect(pull).toBe(7);
    expect(marker).toEqual({ kind: 'plan', environment: 'prod', state: typicalPlan.digest });
    expect(body).toContain('**Opens 2, closes 1; 7 of 9 hosts change; lock-out proof holds.**');
    expect(body).toContain(
      `https://github.com/example/fleet/blob/${'a'.repeat(40)}/policies/roles/web.yml#L7`,
    );
    expect(called(job, 'setLabels')?.[1]).toEqual(['firewall:opens-traffic', 'firewall:closes-traffic']);
    expect(job.summaries[0]).toContain('Opens 2, closes 1');
    expect(job.annotations).toMatchObject([
      { id: 'open-to-the-world', location: { file: 'policies/roles/database.yml', line: 9 } },
    ]);
    expect(JSON.parse(job.files['plan.json'] ?? '')).toEqual(JSON.parse(JSON.stringify(typicalPlan)));
    expect(job.failures).toEqual([]);
  });

  test.each([
    ['error', unchangedPlan, false],
    ['error', typicalPlan, false],
    ['error', troubledPlan, true],
    ['warning', typicalPlan, true],
    ['opened', { ...typicalPlan, hosts: [{ ...databaseHost, findings: [] }] }, true],
    ['warning', { ...typicalPlan, hosts: [{ ...databaseHost, findings: [] }] }, false],
    ['never', troubledPlan, false],
    ['error', { ...unchangedPlan, hosts: [unread('unreachable')] }, true],
    ['error', { ...unchangedPlan, hosts: [unread('error')] }, true],
  ] as const)('fail-on %s', async (level, plan, fails) => {
    const job = await runJob({
      event: pullEvent(),
      answers: { plan: done(plan) },
      inputs: { 'fail-on': level },
    });
    expect(job.failures.length > 0).toBe(fails);
  });

  test('a warning about the policy itself stands in the comment, and counts as any other', async () => {
    const found = warning('sensitive-port-open', 'The rule opens mysql (tcp/3306) to the internet.', {
      location: { kind: 'policy', file: 'policies/roles/web.yml', line: 8, column: 5 },
      hint: 'Restrict "from" to the networks that need it.',
    });
    const answers = { plan: { ...done(unchangedPlan), problems: [found, note('never-used', 'Unused.')] } };
    const strict = await runJob({ event: pullEvent(), answers, inputs: { 'fail-on': 'warning' } });
    expect(called(strict, 'upsertComment')?.[2]).toMatch(
      /### Findings\n\n- ⚠️ .*web\.yml:8.* The rule opens mysql \(tcp\/3306\) to the internet\. Restrict "from".*\n\n/,
    );
    expect(called(strict, 'upsertComment')?.[2]).not.toContain('Unused.');
    expect(strict.failures).toEqual([expect.stringMatching(/; 1 warning\.$/)]);
    expect((await runJob({ event: pullEvent(), answers })).failures).toEqual([]);
  });

  test('a policy that cannot be planned replaces the old comment with what is wrong', async () => {
    const wrong = error('unknown-key', 'Unknown key `form`.', {
      location: { kind: 'policy', file: 'policies/roles/web.yml', line: 3, column: 5 },
      hint: 'Did you mean `from`?',
    });
    const job = await runJob({ event: pullEvent(), answers: { plan: failed(wrong) } });
    expect(job.failures).toHaveLength(1);
    expect(job.outputs.outcome).toBe('failed');
    expect(job.annotations).toEqual([wrong]);
    expect(called(job, 'upsertComment')?.[2]).toContain('Unknown key `form`. Did you mean `from`?');
  });

  test('the map is folded into the summary, and no part of the comment', async () => {
    const { map, notes } = mapOf();
    const drawn = { ...typicalPlan, map: { ...map, notes: notes.map(findingOf) } };
    const job = await runJob({ event: pullEvent(), answers: { plan: done(drawn) } });
    expect(job.summaries).toEqual([
      expect.stringContaining('Opens 2, closes 1'),
      expect.stringMatching(/^<details><summary>Map: .*\n\n```mermaid\nflowchart LR\n/),
    ]);
    expect(JSON.stringify(called(job, 'upsertComment'))).not.toContain('mermaid');
  });

  test('a comment that GitHub refuses is a warning and the plan is in the summary', async () => {
    const refused = warning('github-forbidden', 'Cannot post the comment.');
    const job = await runJob({
      event: pullEvent(),
      answers: { plan: done(typicalPlan) },
      github: { upsertComment: async () => failed(refused) },
    });
    expect(job.failures).toEqual([]);
    expect(job.annotations).toContainEqual(refused);
    expect(job.summaries.join('')).toContain('Opens 2, closes 1');
    expect(job.summaries.join('')).toContain('Cannot post the comment.');
  });

  test('a fork without a key is checked, says why there is no plan, and does not try to comment', async () => {
    const job = await runJob({
      event: pullEvent({ fork: true }),
      answers: { check: done(undefined) },
      inputs: { 'ssh-key': '' },
    });
    expect(job.used).toEqual(['check']);
    expect(job.calls).toEqual([]);
    expect(job.summaries.join('')).toContain('there is no plan');
    expect(job.outputs.outcome).toBe('checked');
  });

  test('a fork with recorded states gets a plan', async () => {
    const job = await runJob({
      event: pullEvent({ fork: true }),
      answers: { plan: done(typicalPlan) },
      inputs: { 'ssh-key': '', state: 'state' },
    });
    expect(job.used).toEqual(['plan']);
    expect(job.calls).toEqual([]);
  });

  test('at most ten annotations of a kind, errors first; the others are in the log', async () => {
    const many = (make: typeof error, word: string): readonly Problem[] =>
      Array.from({ length: 12 }, (_, index) => make('x', `${word} ${index}.`));
    const job = await runJob({
      event: pushEvent,
      inputs: { command: 'check' },
      answers: {
        check: {
          ok: true,
          value: undefined,
          problems: [...many(note, 'Note'), ...many(error, 'Error'), ...many(warning, 'Warning')],
        },
      },
    });
    const levels = job.annotations.map(({ level }) => level);
    expect(levels).toEqual([
      ...Array(10).fill('error'),
      ...Array(10).fill('warning'),
      ...Array(10).fill('note'),
    ]);
    expect(job.log.filter((line) => /(Note|Error|Warning) 1[01]\./.test(line))).toHaveLength(6);
  });
});
