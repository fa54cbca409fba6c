/** `npm run bench [start|text|plan|hosts|scale]`: figures and ratios of one run. Exit status 1 when one misses its limit. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostBench, scaleBench } from './hosts.js';
import { CLI, measure, ROOT } from './measure.js';
import { planBench } from './plan.js';
import { isWithinLimits, line, type Row } from './report.js';
import { textBench } from './text.js';

async function startBench(): Promise<readonly Row[]> {
  const action = join(ROOT, 'dist/index.js');
  const times = Array.from({ length: 7 }, () => {
    const started = process.hrtime.bigint();
    // An unknown command: the action starts, reads its inputs and ends.
    spawnSync(process.execPath, [action], { env: { PATH: process.env.PATH, INPUT_COMMAND: 'none' } });
    return Number(process.hrtime.bigint() - started) / 1e9;
  });
  const sizes = [action, CLI].map((file) => (statSync(file).size / 1e6).toFixed(2));
  console.log(`dist/index.js ${sizes[0]} MB, dist/cli.js ${sizes[1]} MB`);
  return [
    {
      name: 'action, start to end of inputs',
      seconds: times.toSorted((a, b) => a - b)[3] ?? 0,
      limit: { seconds: 0.3 },
    },
    { name: 'sallyport --version', ...(await measure(['--version'], [0])) },
  ];
}

const BENCHES: { readonly [name: string]: (folder: string) => Promise<readonly Row[]> } = {
  start: startBench,
  text: textBench,
  plan: planBench,
  hosts: hostBench,
  scale: scaleBench,
};

const wanted = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
let missed = false;
try {
  console.log(`Node ${process.versions.node}, ${cpus().length} cores`);
  for (const [name, bench] of Object.entries(BENCHES)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    for (const row of await bench(folder)) {
      console.log(line(row));
      missed ||= !isWithinLimits(row);
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (missed) process.exitCode = 1;
