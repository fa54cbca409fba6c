/** Writes the parts of the documentation that have their source elsewhere; `--check` fails when one is stale. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const read = (path) => readFileSync(join(root, path), 'utf8');
const cell = (text) => text.trim().replace(/\s+/g, ' ').replaceAll('|', '\\|');
const table = (heads, rows) =>
  [heads, heads.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`);

function inputsAndOutputs() {
  const { inputs, outputs } = parse(read('action.yml'));
  const given = (value) => (value === undefined || value === '' ? '' : `\`${value}\``);
  return [
    '## Inputs',
    '',
    ...table(
      ['input', 'default', 'is'],
      Object.entries(inputs).map(([name, input]) => [
        `\`${name}\``,
        given(input.default),
        cell(input.description),
      ]),
    ),
    '',
    '## Outputs',
    '',
    ...table(
      ['output', 'is'],
      Object.entries(outputs).map(([name, { description }]) => [`\`${name}\``, cell(description)]),
    ),
  ];
}

/** The three first words of every `fault('C4a', 'what is broken', 'how it ends', …)`. */
const FAULT = /^fault\(\s*('[^']*'),\s*('(?:[^'\\]|\\.)*'|"[^"]*"),\s*('(?:[^'\\]|\\.)*'|"[^"]*"),/gm;

/** In the order in which they can happen to a deploy. */
const GROUPS = 'CPUAVFRSG';
const place = (id) => GROUPS.indexOf(id[0]) * 1000 + Number.parseInt(id.slice(1), 10);

function faults() {
  const found = readdirSync(join(root, 'test'), { recursive: true })
    .filter((name) => name.endsWith('.lab.test.ts'))
    .toSorted()
    .flatMap((name) => [...read(join('test', name)).matchAll(FAULT)])
    .map(([, ...words]) => words.map((word) => cell(word.slice(1, -1).replace(/\\(.)/g, '$1'))))
    .toSorted(([one], [other]) => place(one) - place(other) || one.localeCompare(other));
  return table(['id', 'fault', 'end'], found);
}

/** Page → what stands below its mark. */
const GENERATED = {
  'docs/github.md': { mark: 'generated from action.yml', lines: inputsAndOutputs },
  'docs/safety.md': { mark: 'generated from the fault tests', lines: faults },
};

/** What `init` writes, to be read and copied: each workflow below its name in a repository. */
const WORKFLOWS = readdirSync(join(root, 'src/github/workflows'), { recursive: true })
  .filter((path) => path.endsWith('.yml'))
  .map((path) => ({
    source: `src/github/workflows/${path}`,
    copy: `docs/workflows/${path.replace(/([^/]+)$/, 'firewall-$1')}`,
  }));

const staleCopies = WORKFLOWS.filter(({ source, copy }) => {
  const text = read(source);
  const same = existsSync(join(root, copy)) && read(copy) === text;
  if (!same && !process.argv.includes('--check')) {
    mkdirSync(dirname(join(root, copy)), { recursive: true });
    writeFileSync(join(root, copy), text);
  }
  return !same;
}).map(({ copy }) => copy);

const stalePages = Object.entries(GENERATED)
  .filter(([page, { mark, lines }]) => {
    const line = `<!-- ${mark} by \`npm run docs\`: do not edit below -->\n`;
    const before = read(page);
    const after = [before.slice(0, before.indexOf(line) + line.length), ...lines(), ''].join('\n');
    if (!process.argv.includes('--check')) writeFileSync(join(root, page), after);
    return before !== after;
  })
  .map(([page]) => page);
const stale = [...stalePages, ...staleCopies];
if (process.argv.includes('--check') && stale.length > 0) {
  console.error(`${stale.join(' and ')}: stale. Run "npm run docs" and commit the result.`);
  process.exit(1);
}
