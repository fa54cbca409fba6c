/**
 * The layout, enforced: imports run one way between folders, no files import one another in a circle, a package stays in
 * the folders that need it, no folder has too many files, and tests have the paths of their sources.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** From the foundation up: a folder may import from those above it in this list that it names. */
const MAY_IMPORT = {
  lib: [],
  netfilter: ['lib'],
  policy: ['netfilter', 'lib'],
  compile: ['policy', 'netfilter', 'lib'],
  traffic: ['policy', 'netfilter', 'lib'],
  host: ['policy', 'netfilter', 'lib'],
  naming: ['traffic', 'policy', 'netfilter', 'lib'],
  import: ['naming', 'compile', 'traffic', 'policy', 'netfilter', 'lib'],
  map: ['naming', 'traffic', 'policy', 'netfilter', 'lib'],
  rollout: ['map', 'naming', 'host/client', 'compile', 'traffic', 'policy', 'netfilter', 'lib'],
  adopt: ['import', 'rollout', 'host/client', 'compile', 'traffic', 'policy', 'netfilter', 'lib'],
  report: ['rollout', 'map', 'naming', 'host/client', 'compile', 'traffic', 'policy', 'netfilter', 'lib'],
  github: ['report', 'rollout', 'host/client', 'traffic', 'policy', 'netfilter', 'lib'],
  commands: [
    'adopt',
    'import',
    'rollout',
    'report',
    'map',
    'naming',
    'host/client',
    'compile',
    'traffic',
    'policy',
    'netfilter',
    'lib',
  ],
  lab: ['lib'],
  cli: [
    'commands',
    'host',
    'github',
    'lab',
    'report',
    'rollout',
    'map',
    'traffic',
    'compile',
    'policy',
    'netfilter',
    'lib',
  ],
  action: [
    'commands',
    'map',
    'host',
    'github',
    'report',
    'rollout',
    'traffic',
    'compile',
    'policy',
    'netfilter',
    'lib',
  ],
};

/** Package → the only folders that may import it. */
const ONLY_IN = {
  '@actions/core': ['action'],
  '@actions/github': ['github', 'action'],
  ssh2: ['host'],
  'node-ssh': ['host'],
  yaml: ['policy', 'import', 'commands', 'adopt'],
  zod: ['policy', 'rollout', 'traffic', 'github', 'action'],
  commander: ['cli'],
};

/** Files in one folder, sub-folders aside. */
const MOST_FILES = 14;

const root = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '..'));
const src = join(root, 'src');
const wrong = [];
/** File → the files that it imports, both relative to `src`. */
const graph = new Map();

for (const entry of readdirSync(src, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
  const file = join(entry.parentPath, entry.name);
  const name = relative(src, file);
  const folder = name.split('/')[0];
  const text = readFileSync(file, 'utf8');
  const targets = [];
  for (const match of text.matchAll(/^(?:import|export|\})[^'\n]*?'([^']+)'|\bimport\('([^']+)'\)/gm)) {
    const path = match[1] ?? match[2];
    const complaint = path.startsWith('.') ? wrongArrow(file, folder, path) : wrongPackage(folder, path);
    const line = text.slice(0, match.index).split('\n').length;
    if (complaint) wrong.push(`${relative(root, file)}:${line}:1: ${complaint}`);
    const target = resolve(dirname(file), path).replace(/\.js$/, '.ts');
    if (path.startsWith('.') && existsSync(target)) targets.push(relative(src, target));
  }
  graph.set(name, targets);
}
wrong.push(...circles(), ...crowdedFolders(), ...misplacedTests());

function wrongArrow(file, folder, path) {
  const to = relative(src, resolve(dirname(file), path)).replace(/\.js$/, '');
  // The example fleet is bundled as text.
  if (folder === 'commands' && /^\.\.\/policies\/.*\.yml$/.test(to)) return undefined;
  if (to.startsWith('..')) return `src must not import ${path}, which is outside src.`;
  const target = to.split('/')[0];
  if (target === folder) return undefined;
  const allowed = MAY_IMPORT[folder];
  if (allowed === undefined) return `The folder "${folder}" is not listed in scripts/check-imports.mjs.`;
  return allowed.some((one) => one === target || one === to)
    ? undefined
    : `${folder}/ must not import from ${to}: imports run one way (see docs/architecture.md).`;
}

function wrongPackage(folder, path) {
  const name = path
    .split('/')
    .slice(0, path.startsWith('@') ? 2 : 1)
    .join('/');
  const folders = ONLY_IN[name];
  return folders === undefined || folders.includes(folder)
    ? undefined
    : `${name} may be imported in ${folders.join('/ and ')}/ only.`;
}

/** Each circle once, from its first file (depth-first search). */
function circles() {
  const found = [];
  const done = new Set();
  const path = [];
  const visit = (file) => {
    const start = path.indexOf(file);
    if (start >= 0) {
      found.push(
        `src/${file}:1:1: These files import one another: ${[...path.slice(start), file].join(' → ')}.`,
      );
      return;
    }
    if (done.has(file)) return;
    path.push(file);
    for (const next of graph.get(file) ?? []) visit(next);
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return found;
}

function crowdedFolders() {
  const counts = new Map();
  for (const file of graph.keys()) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1);
  return [...counts]
    .filter(([, count]) => count > MOST_FILES)
    .map(([folder, count]) => `src/${folder}: ${count} files; split a folder of more than ${MOST_FILES}.`);
}

/** `test/a/b/` holds the tests of `src/a/b/`; those of docs and scripts have their folders at the top. */
function misplacedTests() {
  const tests = join(root, 'test');
  if (!existsSync(tests)) return [];
  return readdirSync(tests, { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .filter(
      (name) => ![join(src, dirname(name)), join(root, dirname(name))].some((folder) => existsSync(folder)),
    )
    .map(
      (name) =>
        `test/${name}:1:1: There is no folder src/${dirname(name)}: a test has the path of its source.`,
    );
}

for (const line of wrong) console.error(line);
if (wrong.length > 0) process.exit(1);
console.log('imports: one way, no circles');
