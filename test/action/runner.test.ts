/** The page of the job: full, or not to be written, it ends nothing. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';

let folder: string;
let summary: string;
let log: string;

beforeEach(() => {
  jest.resetModules();
  folder = mkdtempSync(join(tmpdir(), 'sallyport-runner-'));
  summary = join(folder, 'summary');
  log = '';
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    log += String(text);
    return true;
  });
});
afterEach(() => {
  jest.restoreAllMocks();
  delete process.env.GITHUB_STEP_SUMMARY;
  rmSync(folder, { recursive: true });
});

/** As the runner starts the step: the file is named, and may be there. */
async function opened() {
  process.env.GITHUB_STEP_SUMMARY = summary;
  const { openRunner } = await import('../../src/action/runner.js');
  return openRunner(process.env);
}

test('what would make it larger than GitHub takes goes to the log, and later texts still fit', async () => {
  writeFileSync(summary, '');
  const runner = await opened();
  await runner.summary('a'.repeat(1_000_000));
  await runner.summary('ä'.repeat(30_000));
  await runner.summary('b'.repeat(1_000));
  const text = readFileSync(summary, 'utf8');
  expect(Buffer.byteLength(text)).toBeLessThan(1024 * 1024);
  expect(text).not.toContain('ä');
  expect(text).toContain('b'.repeat(1_000));
  expect(log).toContain('ä'.repeat(30_000));
});

test('one that cannot be written is a warning', async () => {
  const runner = await opened();
  await runner.summary('The plan.');
  expect(log).toContain('::warning::The job summary could not be written');
});
