/** Comments stay within the limits of GitHub, however large the fleet is. */
import { expect, test } from '@jest/globals';
import { COMMENT_BUDGET, SUMMARY_BUDGET } from '../../../src/report/markdown/budget.js';
import { planMarkdown } from '../../../src/report/markdown/plan.js';
import type { Plan } from '../../../src/rollout/results/model.js';
import { NO_DIFF, unchanged } from '../example.js';
import { linkTo, planWith } from '../hostile.js';

test('the comment of a thousand hosts that all differ is valid, within the limits and has exact totals', () => {
  const hosts = Array.from({ length: 1000 }, (_, index) =>
    planWith(`<b>&|\`${'ü'.repeat(100)}${index}`, index),
  ).flatMap((plan) => plan.hosts);
  const plan: Plan = { version: 1, commit: null, digest: 'sha256:0', hosts };
  for (const [budget, limit] of [
    [COMMENT_BUDGET, 65_536],
    [SUMMARY_BUDGET, 1_048_576],
  ] as const) {
    const markdown = planMarkdown(plan, { budget, linkTo });
    expect(markdown.length).toBeLessThanOrEqual(budget.units);
    expect(Buffer.byteLength(markdown)).toBeLessThan(limit);
    expect(markdown).toContain('Opens 1,000, closes 1,000');
    expect(markdown).toContain('1,000 of 2,000 hosts change');
    expect(markdown).toContain('1,000 unreachable');
    expect(markdown).toMatch(/more (line|row|rule diff|finding)s? did not fit here/);
    expect(markdown.match(/<details>/g)?.length).toBe(markdown.match(/<\/details>/g)?.length);
    expect((markdown.match(/^```/gm)?.length ?? 0) % 2).toBe(0);
  }
});

test('a thousand hosts that change alike are one row and one diff', () => {
  const hosts = Array.from({ length: 1000 }, (_, index) => ({
    ...(planWith('x').hosts[0] ?? unchanged('x')),
    host: `web-${index}`,
  }));
  const markdown = planMarkdown({ version: 1, commit: null, digest: 'sha256:0', hosts }, { linkTo });
  expect(markdown).toContain('Opens 1, closes 1');
  expect(markdown).toContain('**1,000 hosts**');
  expect(markdown.match(/```diff/g)).toHaveLength(1);
});

test('a diff that is larger than the comment does not displace the others', () => {
  const [small] = planWith('small').hosts;
  const huge = {
    ...NO_DIFF,
    text: `--- filter INPUT\n+++ filter INPUT\n${'+-A INPUT -j ACCEPT\n'.repeat(5000)}`,
  };
  const hosts = [
    { ...unchanged('huge'), status: 'changed', rules: { v4: huge, v6: NO_DIFF } } as const,
    ...(small ? [small] : []),
  ];
  const markdown = planMarkdown({ version: 1, commit: null, digest: 'sha256:0', hosts });
  expect(markdown).toContain('<code>h1 small</code>: +1 −0');
  expect(markdown).toContain('1 more rule diff did not fit here');
});

test('the diff of three thousand hosts that change alike is shown', () => {
  const [one] = planWith('x').hosts;
  const hosts = Array.from({ length: 3000 }, (_, index) => ({
    ...(one ?? unchanged('x')),
    host: `a-rather-long-name-of-a-host-${index}`,
  }));
  const markdown = planMarkdown({ version: 1, commit: null, digest: 'sha256:0', hosts }, { linkTo });
  expect(markdown).toContain('```diff');
  expect(markdown).toContain('and 2,801 more');
});
