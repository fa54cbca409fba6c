/** No text that a host or a policy holds can act in a comment. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { planMarkdown } from '../../../src/report/markdown/plan.js';
import { hostile, linkable, linkTo, planWith, skeleton } from '../hostile.js';

test('no text of a host or a policy changes the structure of a comment', () => {
  const expected = skeleton(planMarkdown(planWith('x'), { linkTo, environment: 'x' }));
  fc.assert(
    fc.property(hostile, (text) => {
      expect(skeleton(planMarkdown(planWith(`x${text}`), { linkTo, environment: `x${text}` }))).toBe(
        expected,
      );
    }),
    { numRuns: 400 },
  );
});

test('no text in a comment mentions a person, references an issue or links anywhere but to the policy', () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const comment = planMarkdown(planWith(`x${text}`), { linkTo, environment: text });
      const seen = linkable(comment);
      expect(seen).not.toMatch(/@[a-z]/i);
      expect(seen).not.toMatch(/(^|\W)#\d/);
      expect(seen).not.toMatch(/GH-\d/i);
      expect(seen).not.toMatch(/https?:\/\/|www\./);
      expect(comment).not.toContain('<!--');
    }),
    { numRuns: 400 },
  );
});
