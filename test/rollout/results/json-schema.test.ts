/** The published JSON Schemas of the results and of a packet. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { schemaText } from '../../../src/policy/files/json-schema.js';
import { resultSchemas } from '../../../src/rollout/results/json-schema.js';
import { drift, outcomes, troubledPlan, typicalPlan } from '../../report/example.js';

const root = join(import.meta.dirname, '../../..');
const schemas = resultSchemas();
const ajv = new Ajv2020({ allowUnionTypes: true });
const accepts = (name: string, value: unknown): boolean => ajv.validate(schemas[name] ?? false, value);

const PACKET = { hook: 'INPUT', src: '198.51.100.7', dst: '203.0.113.10', protocol: 6, dport: 443 };

describe('the JSON Schemas', () => {
  test.each(Object.keys(schemas))('schema/%s is fresh: else run "npm run schema"', (name) => {
    expect(readFileSync(join(root, 'schema', name), 'utf8')).toBe(schemaText(schemas[name] ?? {}));
  });

  test.each([
    ['plan.schema.json', typicalPlan],
    ['plan.schema.json', troubledPlan],
    ['plan.schema.json', { ...typicalPlan, later: 1 }],
    ['deploy.schema.json', outcomes],
    ['drift.schema.json', drift],
    ['packet.schema.json', PACKET],
  ])('%s accepts what is written', (name, value) => {
    expect(accepts(name, JSON.parse(JSON.stringify(value)))).toBe(true);
  });

  test.each([
    ['plan.schema.json', { ...typicalPlan, version: 2 }],
    ['deploy.schema.json', { ...outcomes, hosts: [{ host: 'web-1' }] }],
    ['drift.schema.json', { ...drift, hosts: {} }],
    ['packet.schema.json', { ...PACKET, dport: 65536 }],
    ['packet.schema.json', { ...PACKET, dprot: 443 }],
  ])('%s refuses %j', (name, value) => {
    expect(accepts(name, value)).toBe(false);
  });
});
