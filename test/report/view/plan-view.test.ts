import { expect, test } from '@jest/globals';
import { planPage } from '../../../src/report/html/plan.js';
import { planMarkdown } from '../../../src/report/markdown/plan.js';
import { comparisonText } from '../../../src/report/terminal/comparison.js';
import { planText } from '../../../src/report/terminal/plan.js';
import { planView } from '../../../src/report/view/plan-view.js';
import type { Plan } from '../../../src/rollout/results/model.js';
import { troubledPlan, unchangedPlan } from '../example.js';
import { planWith } from '../hostile.js';

test('planView() has the same sections in the same order for every medium, those without items left out', () => {
  const titles = ['comment', 'terminal', 'page'] as const;
  for (const medium of titles)
    expect(planView(troubledPlan, medium).sections.map(({ title }) => title)).toEqual([
      '2 hosts without a plan',
      'SSH would be locked out',
      'Opens',
      'Possibly opens',
      'Closes',
      'Traffic not fully proved',
      'Findings',
      'Rules: +3 −3',
      'Left unchanged: 14 rules on 1 host that the policy does not manage',
    ]);
  expect(planView(unchangedPlan, 'comment')).toMatchObject({ level: 'none', sections: [] });
});

test('every report counts the rows of traffic that a plan does not list', () => {
  const [whole] = planWith('x').hosts;
  const { traffic } = whole ?? {};
  if (whole === undefined || traffic === undefined) throw new Error('There is traffic.');
  const hosts = [{ ...whole, traffic: { ...traffic, proved: true, omitted: 1234 } }];
  const plan: Plan = { version: 1, commit: null, digest: 'sha256:0', hosts };
  expect(planMarkdown(plan)).toContain('1,234 rows of traffic not listed or counted here');
  expect(planMarkdown(plan)).toContain('and more than can be listed on 1 host');
  expect(planPage(plan)).toContain('1,234 rows of traffic not listed or counted here');
  expect(planText(plan, { colour: false })).toContain('1,234 rows of traffic not listed or counted here');
  expect(comparisonText(plan, { colour: false })).toContain('and 1,234 rows more than can be listed');
});
