/** The check of TSDoc comments: every form of an exported function counts, and nothing else does. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const CHECK = join(import.meta.dirname, '../../scripts/check-tsdoc.mjs');

function check(text: string): readonly string[] {
  const root = mkdtempSync(join(tmpdir(), 'sallyport-tsdoc-'));
  try {
    mkdirSync(join(root, 'src'));
    writeFileSync(join(root, 'src/a.ts'), text);
    const { stderr } = spawnSync(process.execPath, [CHECK, root], { encoding: 'utf8' });
    return stderr.split('\n').filter((line) => line !== '');
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

test.each([
  'export function f(): void {}',
  'export async function f(): Promise<void> {}',
  'export function f<T>(x: T): T {',
  'export const f = (x: number): number => x;',
  'export const f = ({ a }: { a: (x: number) => string }): string => a(1);',
  'export const f = async (): Promise<void> => {};',
  'export const f =\n  (x: number) =>\n  (y: number): number => x + y;',
  'export const f: (x: number) => number = (x) => x;',
  'export const f = <T>(x: T): T => x;',
])('a function without a comment is reported with its line: %s', (line) => {
  expect(check(`const x = 1;\n\n${line}\n`)).toEqual([
    'src/a.ts:3:1: f() is exported and has no TSDoc comment.',
  ]);
  expect(check(`const x = 1;\n\n/** Does it. */\n${line}\n`)).toEqual([]);
});

test.each([
  'function f(): void {}',
  'export const f = 1;',
  'export const f = new Map([[1, (x: number) => x]]);',
  'export interface F {}',
  'export type F = (x: number) => number;',
])('what is not an exported function needs none: %s', (line) => {
  expect(check(`${line}\n`)).toEqual([]);
});
