/** The demo, as a newcomer starts it: it ends well, in time, and leaves nothing behind. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { must, run } from '../../../src/lab/shell.js';

jest.setTimeout(180_000);

const directory = mkdtempSync(join(tmpdir(), 'sallyport-cli-'));
const cli = join(directory, 'cli.js');
afterAll(() => rmSync(directory, { recursive: true }));
beforeAll(async () => {
  await must(process.execPath, [join(import.meta.dirname, '../../../scripts/build.mjs'), '--out', directory]);
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}\n');
});

test('on real hosts: plan, deploy, a change, a lock-out that is rolled back, drift, in under two minutes', async () => {
  const began = performance.now();
  const { code, stdout, stderr } = await run(process.execPath, [cli, 'demo', '--yes']);
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  expect(performance.now() - began).toBeLessThan(120_000);
  for (const words of [
    'Deployed: 3 confirmed.',
    "fail2ban's ban on web-2 is still there.",
    'Opens 1;',
    'The new rules would lock out SSH.',
    'rolled-back',
    'The live and saved rules of all three hosts are the same as before.',
    '1 of 3 hosts drifted.',
    'The three hosts have been removed.',
  ])
    expect(stdout).toContain(words);
});

test('on recorded states, where there are no real hosts', async () => {
  const own = join(directory, 'tmp');
  mkdirSync(own);
  const env = { ...process.env, TMPDIR: own };
  const { code, stdout } = await run(process.execPath, [cli, 'demo', '--offline'], { env });
  expect(code).toBe(0);
  for (const words of ['Opens 1;', 'LOCK-OUT on web-1', '1 of 3 hosts drifted.'])
    expect(stdout).toContain(words);
  await must('sh', ['-c', '"$1" "$2" demo --offline | head -1', 'sh', process.execPath, cli], { env });
  expect(readdirSync(own)).toEqual([]);
});
