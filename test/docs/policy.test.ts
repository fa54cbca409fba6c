/** docs/policy.md: its examples are one policy, which loads; and between them they show every key. */
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

test('the examples are a policy without errors', () => {
  const { ok, problems } = readFleet(examples, 'policies', { today: TODAY });
  expect({ ok, problems }).toEqual({ ok: true, problems: [] });
});

type Schema = Readonly<Record<string, unknown>>;

test('and every host of it compiles', () => {
  const read = readFleet(examples, 'policies', { today: TODAY });
  if (!read.ok) throw new Error('The examples are no policy.');
  const { value: fleet } = read;
  expect(fleet.definitions?.filter(({ kind, used }) => kind === 'role' && !used)).toEqual([]);
  for (const host of fleet.hosts) expect(compileHost(fleet, host)).toMatchObject({ ok: true, problems: [] });
});

/** The parts of a schema that hold others: key → the schema of its value. */
const inner = (schema: Schema, word: string): readonly (readonly [string, Schema])[] =>
  Object.entries((schema[word] ?? {}) as Record<string, Schema>);

const resolved = (schema: Schema, root: Schema): Schema =>
  typeof schema.$ref === 'string'
    ? ((root.$defs as Record<string, Schema>)[schema.$ref.replace('#/$defs/', '')] ?? {})
    : schema;

/** Alternatives, items and values under free names. */
const beneath = (schema: Schema): readonly Schema[] =>
  [schema.anyOf, schema.oneOf, schema.items, schema.additionalProperties]
    .flat()
    .filter((part): part is Schema => typeof part === 'object' && part !== null);

/** Equal objects at several places, such as the rules of roles and of hosts, are one. */
const identity = (schema: Schema, key: string): string => `${JSON.stringify(schema.properties)} ${key}`;

/** Every key of a schema: what tells it from others → where it stands, for people. */
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

/** The keys of a schema that a value shows. */
function shownBy(value: unknown, given: Schema, root: Schema): readonly string[] {
  const schema = resolved(given, root);
  if (typeof value !== 'object' || value === null || !accepts(schema, value, root)) return [];
  const entries: readonly (readonly [string, unknown])[] = Object.entries(value);
  const properties = new Map(inner(schema, 'properties'));
  return [
    ...entries.flatMap(([key, part]) => {
      const known = properties.get(key);
      return known === undefined ? [] : [identity(schema, key), ...shownBy(part, known, root)];
    }),
    ...beneath(schema).flatMap((part) => [
      ...shownBy(value, part, root),
      ...entries.flatMap(([, under]) => shownBy(under, part, root)),
    ]),
  ];
}

/** Example → the schema that its editor would take. */
const SCHEMA_OF: readonly (readonly [RegExp, string])[] = [
  [/\/fleet\.yml$/, 'fleet.schema.json'],
  [/\/networks\.yml$/, 'networks.schema.json'],
  [/\/services\.yml$/, 'services.schema.json'],
  [/\/roles\//, 'role.schema.json'],
  [/\/hosts\//, 'hosts.schema.json'],
];

test('the examples show every key where it may stand', () => {
  const schemas = jsonSchemas() as Readonly<Record<string, Schema>>;
  const shown = new Set(
    [...examples].flatMap(([path, yaml]) => {
      const root = schemas[SCHEMA_OF.find(([pattern]) => pattern.test(path))?.[1] ?? ''] ?? {};
      return shownBy(parse(yaml), root, root);
    }),
  );
  const keys = Object.entries(schemas).flatMap(([file, root]) => keysOf(root, root, file));
  expect(keys.length).toBeGreaterThan(100);
  expect(keys.filter(([key]) => !shown.has(key)).map(([, where]) => where)).toEqual([]);
});

test('every lint stands in the tables of findings', () => {
  const ids = [...LINTS.map(({ id }) => id), ...FOREIGN_IDS];
  expect(ids.filter((id) => !text.includes(`| \`${id}\``))).toEqual([]);
});
