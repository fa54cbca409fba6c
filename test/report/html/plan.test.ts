import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { planPage } from '../../../src/report/html/plan.js';
import { hostile, planWith } from '../hostile.js';

test('the page contains no tag from a host or a policy', () => {
  const tags = (html: string): string =>
    [...html.matchAll(/<\/?[a-z!][^\s>]*/gi)]
      .map(([tag]) => tag)
      .filter((tag) => !/^<\/?code$/.test(tag))
      .join(' ');
  const expected = tags(planPage(planWith('x')));
  fc.assert(
    fc.property(hostile, (text) => {
      const single = text.replace(/[\r\n]+/g, ' ');
      expect(tags(planPage(planWith(`x${single}`)))).toBe(expected);
    }),
    { numRuns: 200 },
  );
});

test('the page loads nothing from elsewhere', () => {
  const page = planPage(planWith('x'));
  expect(page).not.toMatch(/\b(?:src|href|srcset|action)=|url\(|@import|\bimport\(|fetch\(|https?:/);
  expect(page).toContain("default-src 'none'");
});
