import { expect, test } from '@jest/globals';
import type { SourceLocation } from '../../src/lib/problem.js';
import { driftMarkdown } from '../../src/report/markdown/drift.js';
import { outcomesMarkdown } from '../../src/report/markdown/outcomes.js';
import { planMarkdown } from '../../src/report/markdown/plan.js';
import { problemsMarkdown } from '../../src/report/markdown/problems.js';
import { deployed, drift, noDrift, outcomes, troubledPlan, typicalPlan, unchangedPlan } from './example.js';
import { expectGolden } from './golden.js';

const linkTo = ({ file, line }: SourceLocation): string =>
  `https://github.com/example/fleet/blob/main/${file}#L${line}`;

test('a typical change: what opens comes first, equal hosts are folded, every row has its policy line', () => {
  expectGolden('plan-typical.md', planMarkdown(typicalPlan, { environment: 'production', linkTo }));
});

test('trouble stands before everything else: hosts without a plan, a lock-out, what could not be proved', () => {
  expectGolden('plan-troubled.md', planMarkdown(troubledPlan));
});

test('a plan without changes is one calm sentence', () => {
  expectGolden('plan-unchanged.md', planMarkdown(unchangedPlan));
});

test('a rollout that failed says what state each host is in and what to do', () => {
  expectGolden('deploy-failed.md', outcomesMarkdown(outcomes, { environment: 'production' }));
});

test('a rollout that went well', () => {
  expectGolden('deploy-good.md', outcomesMarkdown(deployed));
});

test('drift, host by host; unreachable hosts are never called clean', () => {
  expectGolden('drift.md', driftMarkdown(drift, { linkTo }));
  expectGolden('drift-none.md', driftMarkdown(noDrift));
});

test('problems, errors first', () => {
  const location = { file: 'policies/roles/web.yml', line: 3, column: 7 };
  expectGolden(
    'problems.md',
    problemsMarkdown('The firewall policy has problems', [
      { id: 'b', level: 'warning', message: 'This rule expires in 3 days.', location },
      {
        id: 'a',
        level: 'error',
        message: 'Unknown key `form`.',
        hint: 'Did you mean `from`?',
        location,
      },
    ]),
  );
});

test('a place whose file has odd characters cannot end its link', () => {
  const odd = { file: 'policies/a](https://evil.example) `b`.yml', line: 1, column: 1 };
  const text = problemsMarkdown('Problems', [{ id: 'a', level: 'error', message: 'No.', location: odd }]);
  expect(text).not.toContain('](');
});
