/**
 * What hosts get, as files to read. After a change that is meant, write them anew with
 * `UPDATE_GOLDEN=1 NODE_OPTIONS=--experimental-vm-modules npx jest --selectProjects unit --testPathPatterns test/compile/golden`
 * and read the difference.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { renderRuleset } from '../../src/compile/render.js';
import { GOLDEN } from './cases.js';
import { compiled } from './fleet.js';

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), 'golden');

test.each(GOLDEN)('$name', ({ name, host, files }) => {
  const { v4, v6, sets } = renderRuleset(compiled(host, files));
  const texts = { 'rules.v4': v4, 'rules.v6': v6, ...(sets === '' ? {} : { sets }) };
  for (const [file, text] of Object.entries(texts)) {
    const path = join(FOLDER, name, file);
    if (process.env.UPDATE_GOLDEN === '1') {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
    expect(text).toBe(readFileSync(path, 'utf8'));
  }
});
