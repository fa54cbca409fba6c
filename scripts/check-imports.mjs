/** Fails on an import that goes against the house's direction, or reaches for a package outside its one room. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Room → the rooms it may import from (besides itself and the files at the top of src). */
const MAY_IMPORT = {
  netfilter: [],
  policy: ['netfilter'],
  compile: ['policy', 'netfilter'],
  traffic: ['policy', 'netfilter'],
  import: ['compile', 'traffic', 'policy', 'netfilter'],
  host: ['policy', 'netfilter'],
  map: ['traffic', 'policy', 'netfilter'],
  rollout: ['map', 'host/port', 'compile', 'traffic', 'policy', 'netfilter'],
  report: ['rollout', 'map', 'host/port', 'compile', 'traffic', 'policy', 'netfilter'],
  github: ['report', 'rollout', 'host/port', 'traffic', 'policy', 'netfilter'],
  commands: ['import', 'rollout', 'report', 'map', 'host/port', 'compile', 'traffic', 'policy', 'netfilter'],
  lab: [],
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
  ],
};

/** Package → the only rooms that may import it. */
const ONLY_IN = {
  '@actions/core': ['action'],
  '@actions/github': ['github', 'action'],
  ssh2: ['host'],
  'node-ssh': ['host'],
  yaml: ['policy', 'import', 'commands'],
  zod: ['policy'],
  commander: ['cli'],
};

const root = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '..'));
const src = join(root, 'src');
const wrong = [];

for (const entry of readdirSync(src, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !/\.ts$/.test(entry.name)) continue;
  const file = join(entry.parentPath, entry.name);
  const room = relative(src, file).split('/')[0];
  readFileSync(file, 'utf8')
    .split('\n')
    .forEach((line, index) => {
      const target =
        /^(?:import|export)\b.*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)|^\} from '([^']+)'/.exec(
          line,
        );
      const path = target?.slice(1).find((part) => part !== undefined);
      if (path === undefined) return;
      const complaint = path.startsWith('.') ? wrongArrow(file, room, path) : wrongPackage(room, path);
      if (complaint) wrong.push(`${relative(root, file)}:${index + 1}:1: ${complaint}`);
    });
}

function wrongArrow(file, room, path) {
  const to = relative(src, resolve(dirname(file), path)).replace(/\.js$/, '');
  // The example fleet is bundled as text.
  if (room === 'commands' && /^\.\.\/policies\/.*\.yml$/.test(to)) return undefined;
  if (to.startsWith('..')) return `src must not import ${path}, which is outside src.`;
  const target = to.split('/')[0];
  if (target === room || !to.includes('/')) return undefined;
  const allowed = MAY_IMPORT[room];
  if (allowed === undefined)
    return `The room "${room}" is not in the list of rooms in scripts/check-imports.mjs.`;
  return allowed.some((one) => one === target || one === to)
    ? undefined
    : `${room}/ must not import from ${to}: imports run one way (see docs/architecture.md).`;
}

function wrongPackage(room, path) {
  const rooms =
    ONLY_IN[path] ??
    ONLY_IN[
      path
        .split('/')
        .slice(0, path.startsWith('@') ? 2 : 1)
        .join('/')
    ];
  return rooms === undefined || rooms.includes(room)
    ? undefined
    : `${path} belongs to ${rooms.join(' and ')}/ only.`;
}

for (const line of wrong) console.error(line);
if (wrong.length > 0) process.exit(1);
console.log('imports: one way');
