import { describe, expect, test } from '@jest/globals';
import type { RuleChange, RuleDiff } from '../../src/netfilter/model.js';
import { outcomesMarkdown } from '../../src/report/markdown/outcomes.js';
import { outcomesText } from '../../src/report/terminal/outcomes.js';
import type { Outcome, Outcomes, StateDiff } from '../../src/rollout/results/model.js';
import { expectGolden } from './golden.js';

const NONE: RuleDiff = { added: [], removed: [], moved: [], text: '' };
const adding = (text: string, chain: string): StateDiff => {
  const change: RuleChange = { table: 'filter', chain, text };
  const patch = `--- filter ${chain}\n+++ filter ${chain}\n@@ -0,0 +1,1 @@\n+-A ${chain} ${text}\n`;
  return { v4: { ...NONE, added: [change], text: patch }, v6: NONE, sets: [] };
};
const refused = (host: string, changed: Outcome['changed']): Outcome => ({
  host,
  outcome: 'refused',
  wave: 0,
  phase: 'preflight',
  reason: 'plan-changed: the live rules are not those that the reviewed plan saw. Plan again.',
  seconds: 0,
  ...(changed === undefined ? {} : { changed }),
});
const since = adding('-p tcp -m tcp --dport 5432 -j ACCEPT', 'INPUT');
const next = adding('-p tcp -m tcp --dport 8443 -j ACCEPT', 'SALLYPORT-INPUT');
const outcomes: Outcomes = {
  version: 1,
  commit: null,
  stopped: 'Nothing was changed: the canary web-1 is refused.',
  hosts: [
    refused('web-1', { since, next }),
    refused('web-2', { since, next }),
    refused('web-3', { next }),
    refused('web-4', undefined),
  ],
};

describe('hosts that are not as they were reviewed', () => {
  test('are shown with what changed since and what would change now, alike ones together', () => {
    expectGolden('deploy-changed.txt', outcomesText(outcomes, { colour: false }));
    expectGolden('deploy-changed.md', outcomesMarkdown(outcomes));
  });

  test('say where a rollout stopped, in both', () => {
    for (const text of [outcomesText(outcomes, { colour: false }), outcomesMarkdown(outcomes)])
      expect(text).toContain('Nothing was changed: the canary web-1 is refused.');
  });
});

test('what a confirmed host has to add is told as well', () => {
  const reason = 'nothing loads the rules at boot: netfilter-persistent is not enabled';
  const one: Outcomes = {
    version: 1,
    commit: null,
    hosts: [{ host: 'web-1', outcome: 'confirmed', wave: 0, phase: 'done', reason, seconds: 2 }],
  };
  expect(outcomesText(one, { colour: false })).toContain(`2.0 s  ${reason}\n`);
  expect(outcomesMarkdown(one)).toContain(`| 2.0 s | ${reason} |`);
});
