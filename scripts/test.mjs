/**
 * Runs the tests in tiers: static (types, lint, unused code, generated files), unit, conformance (real iptables), lab (real hosts). What this
 * machine lacks is installed with `--yes` or in CI, and named otherwise; a tier that cannot run is skipped with its
 * reason, which in CI is a failure. `--tier NAME` runs one tier; words after `--` go to jest.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const ci = process.env.CI === 'true';
const [own, extra] = split(process.argv.slice(2));
const only = own.includes('--tier') ? own[own.indexOf('--tier') + 1] : undefined;

/** Hosts mostly wait: for deadlines, for one another, for a boot. */
const LAB_WORKERS = '--maxWorkers=3';

/** Name → what is run, and whether real iptables and real hosts are needed. */
const TIERS = {
  static: { run: runStatic, machine: false },
  unit: { run: () => runJest('unit', '--maxWorkers=2'), machine: false },
  conformance: { run: () => runJest('conformance', '--maxWorkers=2'), machine: true },
  lab: { run: runLab, machine: true },
};

const chosen = Object.entries(TIERS).filter(([name]) => only === undefined || name === only);
if (chosen.length === 0) {
  console.error(`There is no tier "${only}". The tiers are ${Object.keys(TIERS).join(', ')}.`);
  process.exit(1);
}

const lacking = chosen.some(([, { machine }]) => machine) ? machineLacks() : undefined;
const rows = chosen.map(([name, { run, machine }]) => {
  if (machine && lacking !== undefined) return { name, skipped: lacking, passed: 0, failed: 0 };
  const started = process.hrtime.bigint();
  const counts = run();
  return { name, ...counts, seconds: Number(process.hrtime.bigint() - started) / 1e9 };
});

console.log('');
for (const { name, passed, failed, skipped, seconds } of rows)
  console.log(
    skipped === undefined
      ? `${name.padEnd(12)} ${passed} passed, ${failed} failed (${seconds.toFixed(0)} s)`
      : `${name.padEnd(12)} skipped: ${skipped}`,
  );
const sum = (key) => rows.reduce((total, row) => total + (row[key] ?? 0), 0);
const skippedTiers = rows.filter(({ skipped }) => skipped !== undefined).length;
const unrun = rows.filter((row) => row.skipped === undefined && row.passed + row.failed === 0);
for (const { name } of unrun) console.error(`The tier ${name} ran no test.`);
console.log(`${sum('passed')} passed, ${sum('failed')} failed, ${skippedTiers} skipped`);
if (sum('failed') > 0 || unrun.length > 0 || (ci && skippedTiers > 0)) process.exit(1);

function split(words) {
  const at = words.indexOf('--');
  return at < 0 ? [words, []] : [words.slice(0, at), words.slice(at + 1)];
}

/** One reason why real iptables and real hosts cannot be had here; `undefined` when they can. */
function machineLacks() {
  const words = ['scripts/machine.mjs', '--for', 'tests', ...(own.includes('--yes') ? ['--yes'] : [])];
  const { status, stderr } = spawnSync(process.execPath, words, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  process.stderr.write(stderr);
  return status === 0 ? undefined : (stderr.trim().split('\n').at(-1) ?? 'this machine is not fit for it.');
}

/** Each command counts as one test. */
function runStatic() {
  const commands = [
    ['npx', 'tsc', '--noEmit'],
    ['npx', 'biome', 'check', '.'],
    [process.execPath, 'scripts/check-imports.mjs'],
    [process.execPath, 'scripts/check-tsdoc.mjs'],
    ['npx', 'knip', '--no-progress'],
    [process.execPath, 'scripts/build.mjs', '--check'],
    [process.execPath, 'scripts/docs.mjs', '--check'],
  ];
  const results = commands.map(([command, ...args]) => {
    console.log(`$ ${[command === process.execPath ? 'node' : command, ...args].join(' ')}`);
    return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status === 0;
  });
  return { passed: results.filter(Boolean).length, failed: results.filter((good) => !good).length };
}

/** The lab's own tests look for traces on the machine, where labs of other tests would be taken for theirs. */
function runLab() {
  if (extra.length > 0) return runJest('lab', LAB_WORKERS);
  const itself = 'test/lab/lab\\.lab\\.test\\.ts$';
  const parts = [
    runJest('lab', LAB_WORKERS, `--testPathIgnorePatterns=${itself}`),
    runJest('lab', '--runInBand', `--testPathPatterns=${itself}`),
  ];
  const sum = (key) => parts.reduce((total, part) => total + part[key], 0);
  return { passed: sum('passed'), failed: sum('failed') };
}

function runJest(project, ...options) {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-tests-'));
  const report = join(folder, 'report.json');
  try {
    const { status } = spawnSync(
      'npx',
      ['jest', `--selectProjects=${project}`, '--json', `--outputFile=${report}`, ...options, ...extra],
      { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const { numPassedTests, numFailedTests, numPendingTests, numRuntimeErrorTestSuites } = JSON.parse(
      readFileSync(report, 'utf8'),
    );
    // A test that was skipped, or a file that did not load, was not shown to hold.
    const failed = numFailedTests + numPendingTests + numRuntimeErrorTestSuites;
    return { passed: numPassedTests, failed: status !== 0 && failed === 0 ? 1 : failed };
  } catch {
    console.error(`jest did not report on the tier ${project}.`);
    return { passed: 0, failed: 1 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
