import { expect, test } from '@jest/globals';
import { planText } from '../../../src/report/terminal/plan.js';
import { troubledPlan, typicalPlan, unchanged, unchangedPlan } from '../example.js';
import { expectGolden } from '../golden.js';

const PLAIN = { colour: false } as const;
const ESCAPE = '\u001b';

test('planText() has the same content as the comment', () => {
  expectGolden('plan-typical.txt', planText(typicalPlan, { ...PLAIN, width: 100 }));
  expectGolden('plan-troubled.txt', planText(troubledPlan, PLAIN));
  expectGolden('plan-unchanged.txt', planText(unchangedPlan, PLAIN));
});

test('planText() has colours only on request', () => {
  expect(planText(typicalPlan, PLAIN)).not.toContain(ESCAPE);
  expect(planText(typicalPlan, { colour: true })).toContain(`${ESCAPE}[33m+ postgres (tcp/5432)`);
});

test('text of a host cannot control the terminal', () => {
  const host = {
    ...unchanged('web-1'),
    status: 'error',
    reason: `${ESCAPE}]0;owned\u0007${ESCAPE}[2J\u202eevil`,
  } as const;
  const text = planText({ version: 1, commit: null, digest: 'sha256:0', hosts: [host] }, PLAIN);
  for (const sly of ['\u0007', ESCAPE, '\u202e']) expect(text).not.toContain(sly);
  expect(text).toContain('\\u{1b}]0;owned');
});
