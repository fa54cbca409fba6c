import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { jsonSchemas, schemaText } from '../../../src/policy/files/json-schema.js';
import { accepts as schemaAccepts } from './json-schema.js';

const root = join(import.meta.dirname, '../../..');
const schemas = jsonSchemas();
const accepts = (name: string, value: unknown): boolean =>
  schemaAccepts(schemas[name] as Readonly<Record<string, unknown>>, value);

const policies = readdirSync(join(root, 'policies'), { recursive: true, encoding: 'utf8' }).filter((path) =>
  path.endsWith('.yml'),
);

describe('the JSON Schemas', () => {
  test.each(Object.keys(schemas))('schema/%s is up to date; otherwise run "npm run schema"', (name) => {
    expect(readFileSync(join(root, 'schema', name), 'utf8')).toBe(schemaText(schemas[name] ?? {}));
  });

  test.each(policies)('policies/%s refers to its schema in the first line and is valid', (path) => {
    const text = readFileSync(join(root, 'policies', path), 'utf8');
    const [, relative = ''] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text) ?? [];
    const name = join('policies', path, '..', relative).replace(/^schema\//, '');
    expect(Object.keys(schemas)).toContain(name);
    expect(accepts(name, parse(text))).toBe(true);
  });

  test.each<readonly [string, unknown, string]>([
    ['role.schema.json', { input: [{ allow: 'https' }] }, 'an allow without a reason'],
    ['role.schema.json', { input: [{ reason: 'x' }] }, 'a rule without a verb'],
    ['role.schema.json', { inputs: [] }, 'an unknown key'],
    ['fleet.schema.json', { version: '1', ssh: {}, admin: 'admin' }, 'a version in quotes'],
    ['hosts.schema.json', { address: '192.0.2.1', ssh: { port: 70000 } }, 'a port out of range'],
    ['networks.schema.json', { networks: { a: [] } }, 'an empty list'],
  ])('%s rejects %j: %s', (name, value) => {
    expect(accepts(name, value)).toBe(false);
  });
});
