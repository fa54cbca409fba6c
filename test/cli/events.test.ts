import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, expect, test } from '@jest/globals';
import { eventReporter, journal } from '../../src/cli/events.js';
import type { RolloutEvent } from '../../src/rollout/results/events.js';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-journal-'));
afterAll(() => rmSync(directory, { recursive: true }));

const EVENTS: readonly RolloutEvent[] = [
  { kind: 'begin', hosts: ['web-1', 'db-1'] },
  { kind: 'reading', host: 'web-1' },
  { kind: 'read', host: 'web-1', status: 'changed', words: '' },
  { kind: 'read', host: 'db-1', status: 'unreachable', words: 'It did not answer.' },
  { kind: 'wave', wave: 0, hosts: ['web-1'] },
  { kind: 'phase', host: 'web-1', phase: 'verify' },
  {
    kind: 'outcome',
    outcome: { host: 'web-1', outcome: 'confirmed', wave: 0, phase: 'done', reason: '', seconds: 2 },
  },
  { kind: 'stopped', reason: 'The run was cancelled.' },
];

function logOf(isTTY: boolean): string {
  const parts: string[] = [];
  const stream = { isTTY, columns: 80, write: (text: string) => parts.push(text) };
  const { onEvent, end } = eventReporter(
    { stdout: stream, stderr: stream, stdin: Readable.from(['']), env: {} },
    'reading',
  );
  for (const event of EVENTS) onEvent(event);
  end();
  return parts.join('');
}

test('a log gets lines without the progress line', () => {
  expect(logOf(false)).toBe(`db-1: unreachable: It did not answer.
Canary: 1 host (web-1)
web-1: confirmed after 2.0 s
The run was cancelled.
`);
});

test('a terminal also gets a progress line, which is cleared at the end', () => {
  const text = logOf(true);
  expect(text).toContain('reading 1/2');
  expect(text).toContain('web-1 verify');
  expect(text.endsWith('\r\u001b[K')).toBe(true);
});

test('the journal gets every event with its time as one line, before the next event', () => {
  const file = join(directory, 'journal.jsonl');
  const seen: string[] = [];
  const onEvent = journal(file, ({ kind }) => {
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    seen.push(kind);
    expect(lines).toHaveLength(seen.length);
  });
  for (const event of EVENTS) onEvent(event);
  const last = JSON.parse(readFileSync(file, 'utf8').trim().split('\n').at(-1) ?? '');
  expect(last).toEqual({ time: expect.stringMatching(/^\d{4}-.*Z$/), ...EVENTS.at(-1) });
});

test('a journal that cannot be written throws an error that names the file', () => {
  const onEvent = journal('/dev/full', () => {});
  expect(() => onEvent({ kind: 'stopped', reason: 'x' })).toThrow(/^\/dev\/full: .*ENOSPC/);
});
