/** The check of imports: it passes on this project, and names each import that breaks the layout. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';

const CHECK = join(import.meta.dirname, '../../scripts/check-imports.mjs');

function check(files: Readonly<Record<string, string>>): {
  readonly status: number | null;
  readonly output: string;
} {
  const root = mkdtempSync(join(tmpdir(), 'sallyport-imports-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(root, dirname(path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const { status, stdout, stderr } = spawnSync(process.execPath, [CHECK, root], { encoding: 'utf8' });
    return { status, output: stdout + stderr };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

test('this project passes', () => {
  const { status, stderr } = spawnSync(process.execPath, [CHECK], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

test('an import against the direction is reported with file and line', () => {
  const wrong = check({
    'src/netfilter/parse.ts': "/** Back. */\nimport { loadFleet } from '../policy/load.js';\n",
    'src/policy/load.ts': "import type { Tables } from '../netfilter/model.js';\n",
  });
  expect(wrong.status).toBe(1);
  expect(wrong.output).toContain('src/netfilter/parse.ts:2:1: netfilter/ must not import from policy/load');
  expect(wrong.output).not.toContain('src/policy');
});

test('rollout may import the client interface of a host and nothing else of host/', () => {
  const files = (path: string) => ({
    'src/rollout/plan.ts': `import type { X } from '../host/${path}.js';\n`,
  });
  expect(check(files('client')).status).toBe(0);
  expect(check(files('open')).output).toContain('rollout/ must not import from host/open');
});

test('a package outside its folders, and a folder that is not listed, are reported', () => {
  expect(check({ 'src/report/a.ts': "import { Client } from 'ssh2';\n" }).output).toContain(
    'ssh2 may be imported in host/ only',
  );
  expect(check({ 'src/attic/a.ts': "import { x } from '../policy/y.js';\n" }).output).toContain(
    'The folder "attic" is not listed',
  );
});

test('files that import one another are reported once, with the whole circle', () => {
  const { status, output } = check({
    'src/policy/a.ts': "import { b } from './b.js';\n",
    'src/policy/b.ts': "import {\n  c,\n} from './c.js';\n",
    'src/policy/c.ts': "export { a } from './a.js';\n",
  });
  expect(status).toBe(1);
  expect(output.match(/import one another/g)).toHaveLength(1);
  expect(output).toContain('policy/a.ts → policy/b.ts → policy/c.ts → policy/a.ts');
});

test('a folder of too many files is reported', () => {
  const files = Array.from({ length: 15 }, (_, index) => [`src/lib/f${index}.ts`, 'export {};\n']);
  expect(check(Object.fromEntries(files)).output).toContain('src/lib: 15 files');
});

test('a test in a folder that has no sources is reported', () => {
  const source = { 'src/lib/a.ts': 'export {};\n' };
  expect(check({ ...source, 'test/lib/a.test.ts': '' }).status).toBe(0);
  expect(check({ ...source, 'test/unit/a.test.ts': '' }).output).toContain(
    'test/unit/a.test.ts:1:1: There is no folder src/unit',
  );
});
