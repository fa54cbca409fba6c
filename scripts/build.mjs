/**
 * Bundles the action and the command-line tool into `dist/`: one file each, no node_modules needed, the same bytes on
 * every machine. `--check` builds in memory and fails when `dist/` is stale; `--out DIR` writes elsewhere.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const out = process.argv.includes('--out')
  ? process.argv[process.argv.indexOf('--out') + 1]
  : join(root, 'dist');
const check = process.argv.includes('--check');

/** ssh2 tries two native addons inside try/catch and falls back to JavaScript; a bundle takes the fallback. */
const noNativeAddons = {
  name: 'no-native-addons',
  setup(context) {
    context.onResolve({ filter: /(\.node|^cpu-features)$/ }, ({ path }) => ({ path, namespace: 'absent' }));
    context.onLoad({ filter: /.*/, namespace: 'absent' }, () => ({
      contents: 'throw new Error("native addons are not part of the bundle");',
      loader: 'js',
    }));
  },
};

const banner = [
  `import { createRequire as __createRequire } from 'node:module';`,
  `import { fileURLToPath as __fileURLToPath } from 'node:url';`,
  `import { dirname as __pathDirname } from 'node:path';`,
  `const require = __createRequire(import.meta.url);`,
  `const __filename = __fileURLToPath(import.meta.url);`,
  `const __dirname = __pathDirname(__filename);`,
].join('');

const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;

const result = await build({
  absWorkingDir: root,
  entryPoints: { index: 'src/action/main.ts', cli: 'src/cli/main.ts' },
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  charset: 'utf8',
  banner: { js: banner },
  loader: { '.sh': 'text', '.yml': 'text', '.css': 'text' },
  define: { 'process.env.SALLYPORT_VERSION': JSON.stringify(version) },
  plugins: [noNativeAddons],
  outdir: out,
  write: false,
  logLevel: 'warning',
});

const stale = [];
for (const file of result.outputFiles) {
  const shebang = file.path.endsWith('cli.js') ? '#!/usr/bin/env node\n' : '';
  const text = shebang + file.text;
  if (check) {
    let committed = '';
    try {
      committed = readFileSync(file.path, 'utf8');
    } catch {}
    if (committed !== text) stale.push(relative(root, file.path));
  } else {
    mkdirSync(dirname(file.path), { recursive: true });
    writeFileSync(file.path, text, { mode: shebang ? 0o755 : 0o644 });
    console.log(`${relative(root, file.path)}  ${(text.length / 1e6).toFixed(2)} MB`);
  }
}
if (stale.length > 0) {
  console.error(
    `${stale.join(' and ')} ${stale.length === 1 ? 'is' : 'are'} stale. Run "npm run build" and commit the result.`,
  );
  process.exit(1);
}
