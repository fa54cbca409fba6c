/**
 * Measures and writes the figures of docs/traffic.md: `node scripts/figures.mjs [compare] [plan] [judge]`, the last with
 * `--packets 5000000` and `--seed 1` unless they are given. All want a machine that does nothing else, the last root too.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const page = join(root, 'docs/traffic.md');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    packets: { type: 'string', default: '5000000' },
    seed: { type: 'string', default: '1' },
  },
});

/** Names of rows in the benchmark and on the page. */
const COMPARE = {
  'compare, 300 rules': 'a host of 300 rules',
  'compare, 5,000 rules v4': 'a firewall of 5,000 rules, 100 chains, 1,700 sources, IPv4',
  'compare, 5,000 rules v6': 'the same in IPv6',
  'compare, 3,000 random rules': '3,000 random rules that overlap, against 3,000 others',
};

function compare() {
  const printed = run('scripts/bench.mjs', 'text');
  const rows = Object.entries(COMPARE).map(([name, words]) => {
    const [, seconds, megabytes] =
      new RegExp(`^${name}\\s+([\\d.]+) s\\s+(\\d+) MB`, 'm').exec(printed) ?? [];
    if (seconds === undefined) throw new Error(`The benchmark has no row "${name}".`);
    return [words, `${Number(seconds).toFixed(Number(seconds) < 1 ? 2 : 1)} s`, `${megabytes} MB`];
  });
  const table = [['compare', 'time', 'memory'], ['---', '---', '---'], ...rows];
  return [
    `As whole processes on ${cpus().length} cores (\`npm run bench text\`, Node ${process.versions.node}), peak memory beside them:`,
    '',
    ...table.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');
}

/** The reports of a thousand hosts that all change, once they have been read. */
function plan() {
  const printed = run('scripts/bench.mjs', 'plan');
  const seconds = (name) => Number(new RegExp(`^${name}\\s+([\\d.]+) s`, 'm').exec(printed)[1]).toFixed(1);
  const [, characters, megabytes] = /comment (\d+) characters.*HTML ([\d.]+) MB/.exec(printed);
  const search = /search in Chromium: .*, (\d+ ms)/.exec(printed);
  return [
    `A plan of 1,000 hosts of 50 rules that all change (\`npm run bench plan\`): ${seconds('plan, 1,000 hosts of 50 rules')} s for what every change means, which goes on`,
    `while other hosts are still being read; then ${seconds('its comment')} s for the comment of ${Number(characters).toLocaleString('en-US')} characters, ${seconds('its job summary')} s for the job summary and ${seconds('its HTML report')} s`,
    `for the HTML report: one file of ${megabytes} MB with all of it, ${search === null ? 'not searched here' : `searched in ${search[1]} in Chromium`}.`,
  ].join('\n');
}

function judge() {
  const words = ['--packets', values.packets, '--seed', values.seed];
  const last = run('scripts/kernel-judge.mjs', ...words)
    .trimEnd()
    .split('\n')
    .at(-1);
  const [, rulesets, packets, unknown, wrong] =
    /(\d+) rulesets, (\d+) packets, (\d+) unknown, (\d+) disagreements/.exec(last).map(Number);
  const iptables = /v([\d.]+)/.exec(spawnSync('iptables', ['--version'], { encoding: 'utf8' }).stdout)[1];
  const format = (number) => number.toLocaleString('en-US');
  return [
    `\`npm run judge -- ${words.join(' ')}\`, Linux ${release().replace(/^(\d+\.\d+).*/, '$1')}, iptables ${iptables}: ${format(rulesets)} rulesets (each seed as`,
    `IPv4 and as IPv6 for both backends), ${format(packets)} packets, of ${format(unknown)} the model says "unknown", **${wrong === 0 ? 'no' : format(wrong)} disagreement${wrong > 1 ? 's' : ''}** among the others.`,
  ].join('\n');
}

function run(script, ...args) {
  const { status, stdout } = spawnSync(process.execPath, [join(root, script), ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 28,
  });
  process.stdout.write(stdout);
  if (status !== 0) throw new Error(`${script} ended with ${status}: its figures are not written.`);
  return stdout;
}

const FIGURES = { compare, plan, judge };
for (const name of positionals.length > 0 ? positionals : Object.keys(FIGURES)) {
  const figures = FIGURES[name]();
  const mark = (end) => `<!-- ${end}figures of scripts/figures.mjs ${name} -->`;
  const text = readFileSync(page, 'utf8');
  const [from, to] = [text.indexOf(mark('')) + mark('').length, text.indexOf(mark('end of '))];
  writeFileSync(page, `${text.slice(0, from)}\n${figures}\n${text.slice(to)}`);
}
