/**
 * Bundles the action (`dist/index.js`) and the command-line tool (`dist/cli.js` and its parts in `dist/cli/`): no
 * node_modules needed, the same bytes on every machine. Parts are named after their largest module, so that a change of
 * one module shows as a change of one file. `--check` builds in memory and fails when `dist/` is stale; `--out DIR`
 * writes elsewhere.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
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

const shared = {
  absWorkingDir: root,
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
  metafile: true,
  logLevel: 'warning',
};

const results = await Promise.all([
  build({ ...shared, entryPoints: { index: 'src/action/main.ts' } }),
  // Each command reads only the parts that it needs: reading all of them takes longer than most commands.
  build({
    ...shared,
    entryPoints: { cli: 'src/cli/main.ts' },
    splitting: true,
    chunkNames: 'cli/[name]-[hash]',
  }),
]);

/** `cli/chunk-4NMK5LVV.js` → `netfilter-rule-rule.js`: esbuild's hash changes with every change of any module behind it. */
const names = new Map(
  Object.entries(results[1].metafile.outputs)
    .filter(([path]) => path.includes('/cli/'))
    .map(([path, output]) => [basename(path), `${nameOf(output)}.js`]),
);
if (new Set(names.values()).size < names.size) throw new Error('Two parts have the same name.');

/** The largest module of the project's own, else the largest of all; a module is in one part only. */
function nameOf({ inputs, entryPoint }) {
  // No module: the helpers of esbuild, or a part that only re-exports a module of another part to a dynamic import.
  if (Object.keys(inputs).length === 0)
    return entryPoint === undefined ? 'runtime' : `${flat(entryPoint)}.entry`;
  const sizes = Object.entries(inputs).map(([path, { bytesInOutput }]) => ({ path, bytes: bytesInOutput }));
  const own = sizes.filter(({ path }) => path.startsWith('src/'));
  const [largest] = (own.length > 0 ? own : sizes).toSorted(
    (a, b) => b.bytes - a.bytes || (a.path < b.path ? -1 : 1),
  );
  return flat(largest.path);
}

/** `src/netfilter/rule/rule.ts` → `netfilter-rule-rule`. */
function flat(path) {
  return path
    .replace(/^(src|node_modules)\//, '')
    .replace(/\.\w+$/, '')
    .replace(/[^\w.]+/g, '-');
}

const built = new Map(
  results
    .flatMap(({ outputFiles }) => outputFiles)
    .map(({ path, text }) => [
      join(dirname(path), names.get(basename(path)) ?? basename(path)),
      (path === join(out, 'cli.js') ? `#!/usr/bin/env node\n${text}` : text).replace(
        /[\w.-]+-[A-Z0-9]{8}\.js/g,
        (name) => names.get(name) ?? name,
      ),
    ]),
);

/** Parts of the command-line tool from a build before. */
function partsBefore() {
  const folder = join(out, 'cli');
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((name) => join(folder, name));
}

const left = partsBefore().filter((path) => !built.has(path));

if (check) {
  const other = [...built].filter(([path, text]) => !existsSync(path) || readFileSync(path, 'utf8') !== text);
  const stale = [...other.map(([path]) => path), ...left].map((path) => relative(root, path));
  if (stale.length > 0) {
    const names =
      stale.length > 3 ? `${stale.slice(0, 3).join(', ')} and ${stale.length - 3} more` : stale.join(' and ');
    console.error(`Stale: ${names}. Run "npm run build" and commit the result.`);
    process.exit(1);
  }
} else {
  for (const path of left) rmSync(path);
  for (const [path, text] of built) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { mode: path === join(out, 'cli.js') ? 0o755 : 0o644 });
  }
  for (const [name, part] of [
    ['index.js', (path) => path === join(out, 'index.js')],
    ['cli.js and its parts', (path) => path !== join(out, 'index.js')],
  ]) {
    const bytes = [...built].filter(([path]) => part(path)).reduce((sum, [, text]) => sum + text.length, 0);
    console.log(`${name}  ${(bytes / 1e6).toFixed(2)} MB`);
  }
}
