import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { SourceLocation } from '../../../src/lib/problem.js';
import { COMMENT_BUDGET } from '../../../src/report/markdown/budget.js';
import { driftMarkdown } from '../../../src/report/markdown/drift.js';
import { drift, noDrift } from '../example.js';
import { expectGolden } from '../golden.js';
import { hostile, skeleton } from '../hostile.js';

const linkTo = ({ file, line }: SourceLocation): string =>
  `https://github.com/example/fleet/blob/main/${file}#L${line}`;

test('driftMarkdown() lists differences by host, and hosts that could not be read apart from clean ones', () => {
  expectGolden('drift.md', driftMarkdown(drift, { linkTo }));
  expectGolden('drift-none.md', driftMarkdown(noDrift));
});

test('no text of a host changes the structure of a drift report', () => {
  const item = (text: string) =>
    ({
      kind: 'extra',
      message: text,
      rule: text,
      source: { kind: 'policy', file: text, line: 1, column: 1 },
    }) as const;
  const drifted = (text: string): string =>
    driftMarkdown({
      version: 1,
      hosts: [{ host: text, status: 'drifted', live: [item(text)], saved: [], boot: [item(text)] }],
    });
  fc.assert(
    fc.property(hostile, (text) => {
      expect(skeleton(drifted(`x${text}`))).toBe(skeleton(drifted('x')));
    }),
    { numRuns: 300 },
  );
});

test('a drift report of thousands of hosts stays within the limits', () => {
  const item = {
    kind: 'extra',
    message: 'A rule that the policy does not have.',
    rule: 'x'.repeat(500),
  } as const;
  const markdown = driftMarkdown({
    version: 1,
    hosts: Array.from({ length: 3000 }, (_, index) => ({
      host: `host-${index}-${'x'.repeat(50)}`,
      status: 'drifted',
      live: Array.from({ length: 50 }, () => item),
      saved: [],
      boot: [],
    })),
  });
  expect(markdown.length).toBeLessThanOrEqual(COMMENT_BUDGET.units);
  expect(Buffer.byteLength(markdown)).toBeLessThan(65_536);
  expect(markdown).toContain('3,000 of 3,000 hosts drifted');
});
