/** Whoever meets a problem can find out what to do: by its hint, or by its id in the documentation. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parseSync } from '@swc/core';

const ROOT = join(import.meta.dirname, '../..');
const DOCS = ['docs/troubleshooting.md', 'docs/policy.md', 'docs/traffic.md', 'docs/getting-started.md']
  .map((page) => readFileSync(join(ROOT, page), 'utf8'))
  .join('\n');

const below = (folder: string, end: string): readonly string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(end) && !entry.name.endsWith('.d.ts'))
    .map((entry) => join(entry.parentPath, entry.name));

interface Made {
  readonly id: string;
  readonly hint: boolean;
  readonly file: string;
}

/** A tree of swc, as far as it is looked at here. */
interface Tree {
  readonly type?: string;
  readonly value?: unknown;
  readonly callee?: Tree;
  readonly arguments?: readonly { readonly expression: Tree }[];
  readonly properties?: readonly { readonly type: string; readonly key?: Tree; readonly value?: unknown }[];
}

const text = (tree: Tree | undefined): string | undefined =>
  tree?.type === 'StringLiteral' ? String(tree.value) : undefined;

/** Problems that are made: `error(id, message, details)` and its siblings, and literals of problems and lints. */
function madeBy(tree: Tree, file: string): readonly Made[] {
  const callee = String(tree.callee?.value);
  if (tree.type === 'CallExpression' && /^(error|warning|note|addError)$/.test(callee)) {
    const given = tree.arguments?.map(({ expression }) => expression) ?? [];
    const [id, , details] = callee === 'addError' ? given.slice(1) : given;
    const name = text(id);
    return name === undefined ? [] : [{ id: name, hint: keysOf(details).has('hint'), file }];
  }
  if (tree.type !== 'ObjectExpression') return [];
  const keys = keysOf(tree);
  const id = text(keys.get('id'));
  const isProblem = keys.has('level') || keys.has('message');
  return id === undefined || !isProblem ? [] : [{ id, hint: keys.has('hint'), file }];
}

/** The keys of an object literal; one that is given by its name alone is an identifier. */
const keysOf = (tree: Tree | undefined): ReadonlyMap<string, Tree | undefined> =>
  new Map(
    tree?.properties?.map(({ key, value }) =>
      key === undefined ? [String(value), undefined] : [String(key.value), value as Tree],
    ),
  );

function walk(tree: unknown, file: string, found: Made[]): void {
  if (typeof tree !== 'object' || tree === null) return;
  if (!Array.isArray(tree)) found.push(...madeBy(tree as Tree, file));
  for (const inner of Object.values(tree)) walk(inner, file, found);
}

const isDocumented = (id: string): boolean => new RegExp(`\`${id}\``).test(DOCS);

test('every problem has a hint, or its id stands in the documentation', () => {
  const found: Made[] = [];
  for (const file of below('src', '.ts'))
    walk(
      parseSync(readFileSync(file, 'utf8'), { syntax: 'typescript' }).body,
      file.slice(ROOT.length + 1),
      found,
    );
  expect(found.length).toBeGreaterThan(150);
  const silent = found.filter(({ id, hint }) => !hint && !isDocumented(id));
  expect(silent.map(({ id, file }) => `${id} (${file})`)).toEqual([]);
});

test('every reason for which a host refuses stands in the documentation', () => {
  const reasons = below('src/host/agent', '.sh').flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/\brefuse ([a-z][a-z-]+)/g)].map(([, id]) => id ?? ''),
  );
  expect(reasons.length).toBeGreaterThan(5);
  expect([...new Set(reasons)].filter((id) => !isDocumented(id))).toEqual([]);
});
