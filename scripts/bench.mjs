/** Bundles `bench/main.ts` and runs it; words on the command line choose benchmarks: start, text, plan, hosts, scale. */
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const outfile = join(root, 'bench', '.bundle.mjs');
try {
  await build({
    absWorkingDir: root,
    entryPoints: ['bench/main.ts'],
    bundle: true,
    format: 'esm',
    platform: 'node',
    loader: { '.sh': 'text', '.css': 'text' },
    banner: {
      js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`,
    },
    outfile,
    logLevel: 'warning',
  });
  await import(pathToFileURL(outfile).href);
} finally {
  rmSync(outfile, { force: true });
}
