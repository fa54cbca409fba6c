/** A reader that goes away early, as `head` does: the work goes on, and the status stays its own. */
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');

let folder: string;
let program: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-pipe-'));
  program = join(folder, 'cli.js');
  await promisify(execFile)(process.execPath, [join(ROOT, 'scripts/build.mjs'), '--out', folder]);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Both pipes are closed before the program prints anything. */
function unheard(...argv: readonly string[]): Promise<number | null> {
  const child = spawn(process.execPath, [program, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  child.stderr.destroy();
  return new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve));
}

test('nothing is left half done', async () => {
  const repository = join(folder, 'repository');
  expect(await unheard('init', repository)).toBe(0);
  expect(existsSync(join(repository, 'policies/fleet.yml'))).toBe(true);
  expect(existsSync(join(repository, '.github/workflows/firewall-adopt.yml'))).toBe(true);
});

test('what failed does not end as if it had gone well', async () => {
  const policies = join(ROOT, 'policies');
  expect(await unheard('plan', '--policies', policies, '--state', join(folder, 'nothing'))).toBe(1);
});
