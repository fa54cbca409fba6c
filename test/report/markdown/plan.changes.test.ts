/** The comments of typical pull requests, whole: each must be understood in ten seconds. */
import { expect, test } from '@jest/globals';
import type { SourceLocation } from '../../../src/lib/problem.js';
import { planMarkdown } from '../../../src/report/markdown/plan.js';
import { planTotals } from '../../../src/report/view/totals.js';
import { CHANGES, planOf } from '../changes.js';
import { expectGolden } from '../golden.js';

const linkTo = ({ file, line }: SourceLocation): string =>
  `https://github.com/example/fleet/blob/main/${file}#L${line}`;

for (const [name, change] of Object.entries(CHANGES))
  test(`${change.title} (${name})`, async () => {
    expectGolden(`change-${name}.md`, planMarkdown(await planOf(change), { linkTo }));
  });

test('every row of a joined one is counted and listed', async () => {
  const change = CHANGES['first-adoption'];
  if (change === undefined) throw new Error('There is no such change.');
  const plan = await planOf(change);
  const { closed } = planTotals(plan).traffic;
  const comment = planMarkdown(plan);
  const [, table = '', folded = ''] =
    /### 🔒 Closes \d+\n([\s\S]*?)<details><summary>The \d+ rows that are joined above<\/summary>([\s\S]*?)<\/details>/.exec(
      comment,
    ) ?? [];
  const rows = (text: string): readonly string[] =>
    text.split('\n').filter((line) => line.startsWith('| **'));
  const several = rows(table).flatMap((row) => /(\d+) rows</.exec(row)?.[1] ?? []);
  expect(comment).toContain(`🔒 Closes ${closed}\n`);
  expect(rows(folded)).toHaveLength(several.reduce((sum, number) => sum + Number(number), 0));
  expect(rows(table).length - several.length + rows(folded).length).toBe(closed);
});
