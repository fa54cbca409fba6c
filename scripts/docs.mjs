/** Writes the parts of the documentation that have their source elsewhere; `--check` fails when one is stale. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const MARK = '<!-- generated from action.yml by `npm run docs`: do not edit below -->\n';

const { inputs, outputs } = parse(readFileSync(join(root, 'action.yml'), 'utf8'));
const cell = (text) => text.trim().replace(/\s+/g, ' ').replaceAll('|', '\\|');
const given = (value) => (value === undefined || value === '' ? '' : `\`${value}\``);
const generated = [
  '',
  '## Inputs',
  '',
  '| input | default | is |',
  '| --- | --- | --- |',
  ...Object.entries(inputs).map(
    ([name, input]) => `| \`${name}\` | ${given(input.default)} | ${cell(input.description)} |`,
  ),
  '',
  '## Outputs',
  '',
  '| output | is |',
  '| --- | --- |',
  ...Object.entries(outputs).map(([name, { description }]) => `| \`${name}\` | ${cell(description)} |`),
  '',
].join('\n');

const file = join(root, 'docs/github.md');
const before = readFileSync(file, 'utf8');
const after = before.slice(0, before.indexOf(MARK) + MARK.length) + generated;
if (!process.argv.includes('--check')) writeFileSync(file, after);
else if (before !== after) {
  console.error('docs/github.md is stale. Run "npm run docs" and commit the result.');
  process.exit(1);
}
