import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { COMMENT_BUDGET } from '../../../src/report/markdown/budget.js';
import { outcomesMarkdown } from '../../../src/report/markdown/outcomes.js';
import { deployed, outcomes, refusedOutcomes } from '../example.js';
import { expectGolden } from '../golden.js';
import { hostile, skeleton } from '../hostile.js';

test('outcomesMarkdown() of a failed rollout says which rules each host runs and what to do', () => {
  expectGolden('deploy-failed.md', outcomesMarkdown(outcomes, { environment: 'production' }));
});

test('outcomesMarkdown() of a successful rollout is the verdict and a table', () => {
  expectGolden('deploy-good.md', outcomesMarkdown(deployed));
});

test('outcomesMarkdown() shows what changed on hosts since the review, and where the rollout stopped', () => {
  const markdown = outcomesMarkdown(refusedOutcomes);
  expectGolden('deploy-changed.md', markdown);
  expect(markdown).toContain('Nothing was changed: the canary web-1 is refused.');
});

test('outcomesMarkdown() prints the reason of a confirmed host', () => {
  const reason = 'the rules will not load at boot: netfilter-persistent is not enabled';
  const hosts = [
    { host: 'web-1', outcome: 'confirmed', wave: 0, phase: 'done', reason, seconds: 2 },
  ] as const;
  expect(outcomesMarkdown({ version: 1, commit: null, hosts })).toContain(`| 2.0 s | ${reason} |`);
});

test('no text of a host changes the structure of a report of outcomes', () => {
  const deploy = (text: string): string =>
    outcomesMarkdown({
      version: 1,
      commit: text,
      hosts: [{ host: text, outcome: 'refused', wave: 1, phase: 'arm', reason: text, seconds: 1 }],
    });
  fc.assert(
    fc.property(hostile, (text) => {
      expect(skeleton(deploy(`x${text}`))).toBe(skeleton(deploy('x')));
    }),
    { numRuns: 300 },
  );
});

test('the outcomes of thousands of hosts stay within the limits', () => {
  const markdown = outcomesMarkdown({
    version: 1,
    commit: null,
    hosts: Array.from({ length: 3000 }, (_, index) => ({
      host: `host-${index}-${'x'.repeat(50)}`,
      outcome: 'refused',
      wave: 1,
      phase: 'arm',
      reason: 'No.',
      seconds: 1,
    })),
  });
  expect(markdown.length).toBeLessThanOrEqual(COMMENT_BUDGET.units);
  expect(Buffer.byteLength(markdown)).toBeLessThan(65_536);
  expect(markdown).toContain('Deploy failed: 3,000 refused');
});
