/** importFleet() on small rulesets as people write them; the golden files are the policies. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { formatProblem } from '../../src/lib/problem.js';
import { importOf, messagesOf, type Texts } from './import-texts.js';

const GOLDEN = join(import.meta.dirname, 'golden');
const KINDS = { v4: 'rules.v4', v6: 'rules.v6', sets: 'sets' } as const;

const textsOf = (directory: string): Texts =>
  Object.fromEntries(
    Object.entries(KINDS).flatMap(([kind, name]) => {
      const path = join(directory, name);
      return existsSync(path) ? [[kind, readFileSync(path, 'utf8')]] : [];
    }),
  );

describe.each(readdirSync(GOLDEN))('%s', (name) => {
  const directory = join(GOLDEN, name);

  test('the policy is the one in the golden files (UPDATE_GOLDEN=1 writes them)', async () => {
    const result = await importOf(textsOf(directory));
    if (!result.ok) throw new Error(messagesOf(result).join('\n'));
    const notes = result.value.hosts.flatMap((host) => host.notes.map(formatProblem));
    const files = new Map([...result.value.files, ['notes.txt', notes.map((line) => `${line}\n`).join('')]]);
    if (process.env.UPDATE_GOLDEN !== undefined)
      for (const [path, text] of files) {
        mkdirSync(dirname(join(directory, 'policies', path)), { recursive: true });
        writeFileSync(join(directory, 'policies', path), text);
      }
    const golden = readdirSync(join(directory, 'policies'), { recursive: true, encoding: 'utf8' }).filter(
      (path) => /\.\w+$/.test(path),
    );
    expect([...files.keys()].toSorted()).toEqual(golden.toSorted());
    for (const [path, text] of files)
      expect(text).toBe(readFileSync(join(directory, 'policies', path), 'utf8'));
  });
});
