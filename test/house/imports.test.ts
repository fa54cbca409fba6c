/** The check of imports: silent on the house as it stands, loud on a wrong arrow. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';

const CHECK = join(import.meta.dirname, '../../scripts/check-imports.mjs');

function check(files: Readonly<Record<string, string>>): {
  readonly status: number | null;
  readonly said: string;
} {
  const root = mkdtempSync(join(tmpdir(), 'sallyport-imports-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(root, dirname(path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const { status, stdout, stderr } = spawnSync(process.execPath, [CHECK, root], { encoding: 'utf8' });
    return { status, said: stdout + stderr };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

test('the house as it stands has no wrong arrow', () => {
  const { status, stderr } = spawnSync(process.execPath, [CHECK], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

test('an arrow that goes back is named with its line', () => {
  const wrong = check({
    'src/netfilter/parse.ts': "/** Back. */\nimport { loadFleet } from '../policy/load.js';\n",
    'src/policy/load.ts': "import type { Tables } from '../netfilter/model.js';\n",
  });
  expect(wrong.status).toBe(1);
  expect(wrong.said).toContain('src/netfilter/parse.ts:2:1: netfilter/ must not import from policy/load');
  expect(wrong.said).not.toContain('src/policy');
});

test('rollout sees the port of a host and nothing behind it', () => {
  const files = (path: string) => ({
    'src/rollout/plan.ts': `import type { X } from '../host/${path}.js';\n`,
  });
  expect(check(files('port')).status).toBe(0);
  expect(check(files('open')).said).toContain('rollout/ must not import from host/open');
});

test('a package belongs to one room, and a room to the list', () => {
  expect(check({ 'src/report/a.ts': "import { Client } from 'ssh2';\n" }).said).toContain(
    'ssh2 belongs to host/ only',
  );
  expect(check({ 'src/attic/a.ts': "import { x } from '../policy/y.js';\n" }).said).toContain(
    'The room "attic" is not in the list of rooms',
  );
});
