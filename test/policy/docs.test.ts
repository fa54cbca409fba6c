/** docs/policy.md: its examples are one policy, which loads; and between them they show every key. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { FOREIGN_IDS } from '../../src/compile/lint/foreign.js';
import { jsonSchemas } from '../../src/policy/json-schema.js';
import { LINTS } from '../../src/policy/lint/lint.js';
import { readFleet } from '../../src/policy/load.js';
import { TODAY } from './policy.js';

const text = readFileSync(join(import.meta.dirname, '../../docs/policy.md'), 'utf8');
const examples = new Map(
  [...text.matchAll(/```yaml\n# (\S+)\n([\s\S]*?)```/g)].map(([, path = '', yaml = '']) => [path, yaml]),
);

test('the examples are a policy without errors', () => {
  const { ok, problems } = readFleet(examples, 'policies', { today: TODAY });
  expect({ ok, problems }).toEqual({ ok: true, problems: [] });
});

/** Every key under `properties`, at any depth. */
function keysOf(schema: unknown): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([key, value]) => [
    ...(key === 'properties' ? Object.keys(value) : []),
    ...keysOf(value),
  ]);
}

function keysIn(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [key, ...keysIn(inner)]);
}

test('the examples show every key', () => {
  const shown = new Set([...examples.values()].flatMap((yaml) => keysIn(parse(yaml))));
  const keys = new Set(keysOf(jsonSchemas()));
  expect([...keys].filter((key) => !shown.has(key))).toEqual([]);
});

test('every lint stands in the tables of findings', () => {
  const ids = [...LINTS.map(({ id }) => id), ...FOREIGN_IDS];
  expect(ids.filter((id) => !text.includes(`| \`${id}\``))).toEqual([]);
});
