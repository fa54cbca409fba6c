import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { build } from 'esbuild';

test('who asks for the Node of the actions while another fetches it gets a whole one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-node-'));
  const cache = join(folder, 'cache');
  try {
    await build({
      stdin: {
        contents: `import { execFileSync } from 'node:child_process';
          import { node24 } from './node24.js';
          process.stdout.write(execFileSync(node24(process.argv[2]), ['--version']));`,
        resolveDir: import.meta.dirname,
      },
      bundle: true,
      format: 'esm',
      platform: 'node',
      outfile: join(folder, 'ask.mjs'),
    });
    const ask = () => promisify(execFile)(process.execPath, [join(folder, 'ask.mjs'), cache]);
    const first = ask();
    await Promise.race([first, begunToWrite(cache)]);
    const asked = await Promise.all([first, ask()]);
    for (const { stdout } of asked) expect(stdout).toMatch(/^v24\./);
    // Nothing is left of the one that came second; where this very Node is 24, nothing was fetched.
    expect(readdirSync(folder).includes('cache') ? readdirSync(cache) : ['node24']).toEqual(['node24']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 180_000);

/** Until a part of the binary stands anywhere in the cache: a download is in progress. */
async function begunToWrite(cache: string): Promise<void> {
  for (let left = 60_000; left > 0; left -= 2) {
    const files = existsSync(cache) ? readdirSync(cache, { recursive: true, encoding: 'utf8' }) : [];
    if (files.some((name) => name.endsWith('bin/node'))) return;
    await delay(2);
  }
}
