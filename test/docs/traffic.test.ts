/** The answers of `explain` in docs/traffic.md are up to date. `UPDATE_GOLDEN=1` writes them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { sallyport } from '../cli/terminal.js';

const FILE = join(import.meta.dirname, '../../docs/traffic.md');
const BLOCK = /```text\n\$ sallyport ([^\n]*)\n([\s\S]*?)```/g;

test('the examples in docs/traffic.md have the answers of explain', async () => {
  const text = readFileSync(FILE, 'utf8');
  const rules = /```text rules\.v4\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-docs-'));
  try {
    writeFileSync(join(folder, 'rules.v4'), rules);
    const found = [...text.matchAll(BLOCK)];
    expect(found.length).toBeGreaterThanOrEqual(4);
    let written = text;
    for (const [block, line = '', shown = ''] of found) {
      const words = line.split(' ').map((word) => (word === 'rules.v4' ? join(folder, word) : word));
      const { status, stdout, stderr } = await sallyport(words);
      const answer = stdout.replaceAll(`${folder}/`, '');
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      written = written.replace(block, () => `\`\`\`text\n$ sallyport ${line}\n${answer}\`\`\``);
      if (process.env.UPDATE_GOLDEN !== '1') expect(shown).toBe(answer);
    }
    if (process.env.UPDATE_GOLDEN === '1') writeFileSync(FILE, written);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
