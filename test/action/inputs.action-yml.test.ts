/** `action.yml` is what users read; it must say the same as the code. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { COMMANDS, FAIL_ON, readInputs } from '../../src/action/inputs.js';

const root = join(import.meta.dirname, '../..');
const action = parse(readFileSync(join(root, 'action.yml'), 'utf8'));

test('every input that the code reads is described, and no other', () => {
  const read = new Set<string>();
  readInputs((name) => {
    read.add(name);
    return '';
  });
  expect(Object.keys(action.inputs).sort()).toEqual([...read].sort());
  for (const input of Object.values<{ description?: string }>(action.inputs))
    expect(input.description).toMatch(/\S/);
});

test('the defaults are the ones of the code', () => {
  const fromFile = readInputs((name) => {
    const value: string = action.inputs[name].default;
    return value.startsWith('${{') ? '' : value;
  });
  expect(fromFile).toEqual(readInputs(() => ''));
});

test('the values of an input are named in its description', () => {
  for (const command of COMMANDS) expect(action.inputs.command.description).toContain(`\`${command}\``);
  for (const level of FAIL_ON) expect(action.inputs['fail-on'].description).toContain(`\`${level}\``);
});

test('every output that the code sets is described, and no other', () => {
  const source = readFileSync(join(root, 'src/action/context.ts'), 'utf8');
  const names = /export type OutputName =([^;]+);/.exec(source)?.[1]?.match(/[a-z-]+/g) ?? [];
  expect(Object.keys(action.outputs).sort()).toEqual(names.sort());
});

test('it runs on the Node of the runner', () => {
  expect(action.runs).toEqual({ using: 'node24', main: 'dist/index.js' });
});
