/** Plans and outcomes read back from JSON. */
import { describe, expect, test } from '@jest/globals';
import { readOutcomes, readPlan } from '../../../src/rollout/results/read.js';
import { NO_DIFF, outcomes, troubledPlan, typicalPlan } from '../../report/example.js';

const NO_STATE_DIFF = { v4: NO_DIFF, v6: NO_DIFF, sets: [] };

describe('reading JSON back', () => {
  test.each(Object.entries({ typicalPlan, troubledPlan }))('gives %s as it was written', (_, plan) => {
    expect(readPlan(JSON.stringify(plan), 'plan.json')).toEqual({ ok: true, value: plan, problems: [] });
  });

  test('gives outcomes as they were written', () => {
    const changed = { since: NO_STATE_DIFF, next: NO_STATE_DIFF };
    const part = { shard: { index: 1, of: 2 }, waves: { from: 1 }, fleet: [{ number: 0, hosts: ['a'] }] };
    const [first, ...others] = outcomes.hosts;
    const full = { ...outcomes, part, hosts: [{ ...first, changed }, ...others] };
    expect(readOutcomes(JSON.stringify(full), 'deploy.json')).toEqual({
      ...{ ok: true, value: full, problems: [] },
    });
  });

  test('ignores unknown keys, and a key __proto__ is not copied', () => {
    const json = JSON.stringify({ ...typicalPlan, later: 1 }).replace('{', '{"__proto__":{"hosts":1},');
    expect(readPlan(json, 'plan.json')).toEqual({ ok: true, value: typicalPlan, problems: [] });
  });

  test.each([
    ['not JSON', 'it is not JSON'],
    ['[]', 'it is not an object'],
    ['{"version":2}', 'version is not 1'],
    ['{"version":1,"commit":null,"digest":"x","hosts":{}}', 'hosts is not an array'],
    [
      '{"version":1,"commit":null,"digest":"x","hosts":[{"host":"a","status":"gone"}]}',
      'hosts[0].status is not one of changed, unchanged, unreachable, error',
    ],
    [
      '{"version":1,"commit":null,"digest":"x","hosts":[{"host":"a","status":"changed","findings":[{"id":1}]}]}',
      'hosts[0].findings[0].id is not a string',
    ],
    [
      '{"version":1,"commit":null,"digest":"x","hosts":[{"host":"a","status":"changed","machine":1,"findings":[]}]}',
      'hosts[0].machine is not a string',
    ],
    [
      '{"version":1,"commit":null,"digest":"x","hosts":[],"names":{"networks":{"a":[1]}}}',
      'names.networks.a[0] is not a string',
    ],
  ])('refuses %s', (json, why) => {
    const read = readPlan(json, 'plan.json');
    expect(read).toMatchObject({ ok: false, problems: [{ id: 'bad-plan' }] });
    expect(read.problems[0]?.message).toContain(why);
  });

  test('refuses invalid outcomes', () => {
    expect(
      readOutcomes('{"version":1,"commit":null,"hosts":[{"host":"a","outcome":"fine"}]}', 'x'),
    ).toMatchObject({
      ok: false,
      problems: [{ id: 'bad-deploy-report' }],
    });
  });
});
