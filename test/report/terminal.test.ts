import { expect, test } from '@jest/globals';
import type { HostRecord, HostState } from '../../src/host/client.js';
import { driftText } from '../../src/report/terminal/drift.js';
import { outcomesText, statusText } from '../../src/report/terminal/outcomes.js';
import { planText } from '../../src/report/terminal/plan.js';
import { problemsText } from '../../src/report/terminal/problems.js';
import { progressLine } from '../../src/report/terminal/progress.js';
import { drift, noDrift, outcomes, troubledPlan, typicalPlan, unchanged, unchangedPlan } from './example.js';
import { expectGolden } from './golden.js';

const PLAIN = { colour: false } as const;
const ESCAPE = '\u001b';

test('a plan on a terminal reads like the comment', () => {
  expectGolden('plan-typical.txt', planText(typicalPlan, { ...PLAIN, width: 100 }));
  expectGolden('plan-troubled.txt', planText(troubledPlan, PLAIN));
  expectGolden('plan-unchanged.txt', planText(unchangedPlan, PLAIN));
});

test('outcomes and drift', () => {
  expectGolden('deploy-failed.txt', outcomesText(outcomes, PLAIN));
  expectGolden('drift.txt', driftText(drift, PLAIN));
  expectGolden('drift-none.txt', driftText(noDrift, PLAIN));
});

test('colour only where it was asked for', () => {
  expect(planText(typicalPlan, PLAIN)).not.toContain(ESCAPE);
  expect(planText(typicalPlan, { colour: true })).toContain(`${ESCAPE}[33m+ postgres (tcp/5432)`);
});

test('what a host says cannot drive the terminal', () => {
  const host = {
    ...unchanged('web-1'),
    status: 'error',
    reason: `${ESCAPE}]0;owned\u0007${ESCAPE}[2J\u202eevil`,
  } as const;
  const text = planText({ version: 1, commit: null, digest: 'sha256:0', hosts: [host] }, PLAIN);
  for (const sly of ['\u0007', ESCAPE, '\u202e']) expect(text).not.toContain(sly);
  expect(text).toContain('\\u{1b}]0;owned');
});

test('problems are lines that editors link', () => {
  const location = { file: 'policies/fleet.yml', line: 3, column: 7 };
  const found = [
    { id: 'b', level: 'warning', message: 'Second.', location: { ...location, line: 9 } },
    { id: 'a', level: 'error', message: 'First.', hint: 'Mend it.', location },
  ] as const;
  expect(problemsText(found, PLAIN)).toBe(
    'policies/fleet.yml:3:7: First. Mend it.\npolicies/fleet.yml:9:7: warning: Second.\n',
  );
});

test('the status of hosts: known good, never deployed, unfinished, unreachable', () => {
  const read = (record: HostRecord) => ({ status: 'read', state: { record } as HostState }) as const;
  const current = {
    number: 1,
    run: 'r1',
    commit: '3f1c9e7a2b4d5c6e7f80',
    time: '2026-11-24T10:00:00Z',
    digest: `sha256:${'b'.repeat(64)}`,
  };
  const pending = {
    run: 'r2',
    phase: 'verify',
    owner: 'ci@runner',
    since: '2026-11-24T11:00:00Z',
    secondsLeft: 41,
  } as const;
  const problem = { id: 'host-unreachable', level: 'error', message: 'No SSH connection to db-1.' } as const;
  expectGolden(
    'status.txt',
    statusText(
      [
        { host: 'web-1', reading: read({ current, history: [current] }) },
        { host: 'web-2', reading: read({ history: [] }) },
        { host: 'web-3', reading: read({ current, history: [current], pending }) },
        { host: 'db-1', reading: { status: 'unreachable', problem } },
      ],
      PLAIN,
    ),
  );
});

test('progress rewrites one line on a terminal and never passes its width', () => {
  const written: string[] = [];
  const stream = { isTTY: true, columns: 30, write: (text: string) => written.push(text) };
  const progress = progressLine(stream, 'reading', 2);
  progress.at('web-1', 'connect');
  progress.at('a-host-with-quite-a-long-name', 'connect');
  progress.done('web-1', 'changed');
  progress.end();
  expect(written.every((text) => text.startsWith('\r\u001b[K') && text.length <= 30 + 3)).toBe(true);
  expect(written[2]).toContain('reading 1/2: a-host');
  expect(written.at(-1)).toBe('\r\u001b[K');
});

test('progress in a log is one plain line a host', () => {
  const written: string[] = [];
  const progress = progressLine({ write: (text: string) => written.push(text) }, 'reading', 2);
  progress.at('web-1', 'connect');
  progress.done('web-1', 'changed');
  progress.done('web-2', 'unreachable');
  progress.end();
  expect(written).toEqual(['[1/2] web-1: changed\n', '[2/2] web-2: unreachable\n']);
});
