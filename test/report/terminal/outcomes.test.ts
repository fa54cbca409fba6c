import { expect, test } from '@jest/globals';
import type { HostRecord, HostState } from '../../../src/host/client.js';
import { outcomesText, statusText } from '../../../src/report/terminal/outcomes.js';
import { outcomes, refusedOutcomes } from '../example.js';
import { expectGolden } from '../golden.js';

const PLAIN = { colour: false } as const;

test('outcomesText() of a failed rollout says which rules each host runs and what to do', () => {
  expectGolden('deploy-failed.txt', outcomesText(outcomes, PLAIN));
});

test('outcomesText() shows what changed on hosts since the review, and where the rollout stopped', () => {
  const text = outcomesText(refusedOutcomes, PLAIN);
  expectGolden('deploy-changed.txt', text);
  expect(text).toContain('Nothing was changed: the canary web-1 is refused.');
});

test('outcomesText() prints the reason of a confirmed host', () => {
  const reason = 'the rules will not load at boot: netfilter-persistent is not enabled';
  const hosts = [
    { host: 'web-1', outcome: 'confirmed', wave: 0, phase: 'done', reason, seconds: 2 },
  ] as const;
  expect(outcomesText({ version: 1, commit: null, hosts }, PLAIN)).toContain(`2.0 s  ${reason}\n`);
});

test('statusText() shows known-good states, and hosts never deployed, unfinished or unreachable', () => {
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
