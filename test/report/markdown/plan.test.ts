import { test } from '@jest/globals';
import type { SourceLocation } from '../../../src/lib/problem.js';
import { planMarkdown } from '../../../src/report/markdown/plan.js';
import { troubledPlan, typicalPlan, unchangedPlan } from '../example.js';
import { expectGolden } from '../golden.js';

const linkTo = ({ file, line }: SourceLocation): string =>
  `https://github.com/example/fleet/blob/main/${file}#L${line}`;

test('planMarkdown() lists what opens first, joins equal hosts and links the line of the policy', () => {
  expectGolden('plan-typical.md', planMarkdown(typicalPlan, { environment: 'production', linkTo }));
});

test('planMarkdown() lists hosts without a plan, lock-outs and what is not proved before the traffic', () => {
  expectGolden('plan-troubled.md', planMarkdown(troubledPlan));
});

test('planMarkdown() is one sentence for a plan without changes', () => {
  expectGolden('plan-unchanged.md', planMarkdown(unchangedPlan));
});
