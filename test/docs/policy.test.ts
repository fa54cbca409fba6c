/** docs/policy.md: its examples form one valid policy, which uses every key. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { FOREIGN_IDS } from '../../src/compile/lint/foreign.js';
import { compileHost } from '../../src/compile/rules/compile.js';
import { jsonSchemas } from '../../src/policy/files/json-schema.js';
import { LINTS } from '../../src/policy/lint/lint.js';
import { readFleet } from '../../src/policy/load.js';
import { accepts } from '../policy/files/json-schema.js';
import { TODAY } from '../policy/policy.js';

const text = readFileSync(join(import.meta.dirname, '../../docs/policy.md'), 'utf8');
const examples = new Map(
  [...text.matchAll(/```yaml\n# (\S+)\n([\s\S]*?)```/g)].map(([, path = '', yaml = '']) => [path, yaml]),
);

test('the examples are a valid policy', () => {
  const { ok, problems } = readFleet(examples, 'policies', { today: TODAY });
  expect({ ok, problems }).toEqual({ ok: true, problems: [] });
});

type Schema = Readonly<Record<string, unknown>>;

test('every host of the examples compiles', () => {
  const read = readFleet(examples, 'policies', { today: TODAY });
  if (!read.ok) throw new Error('The examples are not a valid policy.');
  const { value: fleet } = read;
  expect(fleet.definitions?.filter(({ kind, used }) => kind === 'role' && !used)).toEqual([]);
  for (const host of fleet.hosts) expect(compileHost(fleet, host)).toMatchObject({ ok: true, problems: [] });
});

/** The entries of a schema keyword: key → the schema of its value. */
const inner = (schema: Schema, keyword: string): readonly (readonly [string, Schema])[] =>
  Object.entries((schema[keyword] ?? {}) as Record<string, Schema>);

const resolved = (schema: Schema, root: Schema): Schema =>
  typeof schema.$ref === 'string'
    ? ((root.$defs as Record<string, Schema>)[schema.$ref.replace('#/$defs/', '')] ?? {})
    : schema;

/** Alternatives, items and values under arbitrary names. */
const beneath = (schema: Schema): readonly Schema[] =>
  [schema.anyOf, schema.oneOf, schema.items, schema.additionalProperties]
    .flat()
    .filter((part): part is Schema => typeof part === 'object' && part !== null);

/** Equal objects, such as the rules of roles and of hosts, have the same identity. */
const identity = (schema: Schema, key: string): string => `${JSON.stringify(schema.properties)} ${key}`;

/** Every key of a schema: identity → path for people. */
function keysOf(given: Schema, root: Schema, path: string): readonly (readonly [string, string])[] {
  const schema = resolved(given, root);
  return [
    ...inner(schema, 'properties').flatMap(([key, value]) => [
      [identity(schema, key), `${path}.${key}`] as const,
      ...keysOf(value, root, `${path}.${key}`),
    ]),
    ...beneath(schema).flatMap((part) => keysOf(part, root, path)),
  ];
}

/** The keys of a schema that a value uses. */
function usedKeys(value: unknown, given: Schema, root: Schema): readonly string[] {
  const schema = resolved(given, root);
  if (typeof value !== 'object' || value === null || !accepts(schema, value, root)) return [];
  const entries: readonly (readonly [string, unknown])[] = Object.entries(value);
  const properties = new Map(inner(schema, 'properties'));
  return [
    ...entries.flatMap(([key, part]) => {
      const known = properties.get(key);
      return known === undefined ? [] : [identity(schema, key), ...usedKeys(part, known, root)];
    }),
    ...beneath(schema).flatMap((part) => [
      ...usedKeys(value, part, root),
      ...entries.flatMap(([, under]) => usedKeys(under, part, root)),
    ]),
  ];
}

/** Example → its schema. */
const SCHEMA_OF: readonly (readonly [RegExp, string])[] = [
  [/\/fleet\.yml$/, 'fleet.schema.json'],
  [/\/networks\.yml$/, 'networks.schema.json'],
  [/\/services\.yml$/, 'services.schema.json'],
  [/\/roles\//, 'role.schema.json'],
  [/\/hosts\//, 'hosts.schema.json'],
];

test('the examples use every key of the schemas', () => {
  const schemas = jsonSchemas() as Readonly<Record<string, Schema>>;
  const used = new Set(
    [...examples].flatMap(([path, yaml]) => {
      const root = schemas[SCHEMA_OF.find(([pattern]) => pattern.test(path))?.[1] ?? ''] ?? {};
      return usedKeys(parse(yaml), root, root);
    }),
  );
  const keys = Object.entries(schemas).flatMap(([file, root]) => keysOf(root, root, file));
  expect(keys.length).toBeGreaterThan(100);
  expect(keys.filter(([key]) => !used.has(key)).map(([, where]) => where)).toEqual([]);
});

test('the tables of findings list every lint', () => {
  const ids = [...LINTS.map(({ id }) => id), ...FOREIGN_IDS];
  expect(ids.filter((id) => !text.includes(`| \`${id}\``))).toEqual([]);
});
