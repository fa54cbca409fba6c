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

interface Told {
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
  readonly properties?: readonly { readonly type: string; readonly key?: Tree; readonly value?: Tree }[];
}

const text = (tree: Tree | undefined): string | undefined =>
  tree?.type === 'StringLiteral' ? String(tree.value) : undefined;

/** `error(id, message, place, hint)` and its sisters, and literals of problems and lints. */
function toldBy(tree: Tree, file: string): readonly Told[] {
  if (tree.type === 'CallExpression' && /^(error|warning|note)$/.test(String(tree.callee?.value))) {
    const given = tree.arguments?.map(({ expression }) => expression) ?? [];
    const id = text(given[0]);
    return id === undefined ? [] : [{ id, hint: given.length > 3, file }];
  }
  if (tree.type !== 'ObjectExpression') return [];
  const pairs = new Map(tree.properties?.map(({ key, value }) => [String(key?.value), value]));
  const id = text(pairs.get('id'));
  const isProblem = pairs.has('level') || pairs.has('message');
  return id === undefined || !isProblem ? [] : [{ id, hint: pairs.has('hint'), file }];
}

function walk(tree: unknown, file: string, found: Told[]): void {
  if (typeof tree !== 'object' || tree === null) return;
  if (!Array.isArray(tree)) found.push(...toldBy(tree as Tree, file));
  for (const inner of Object.values(tree)) walk(inner, file, found);
}

const isDocumented = (id: string): boolean => new RegExp(`\`${id}\``).test(DOCS);

test('every problem has a hint, or its id stands in the documentation', () => {
  const found: Told[] = [];
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
