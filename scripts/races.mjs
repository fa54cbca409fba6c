/**
 * Repeats the race tests on real hosts until one fails, at least `--times N` races are run, `--minutes N` have passed, or
 * it is interrupted; prints the counts. Has the requirements of `npm run test:lab`.
 */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const option = (name) => {
  const at = process.argv.indexOf(name);
  if (at < 0) return Number.POSITIVE_INFINITY;
  const value = Number(process.argv[at + 1]);
  if (value > 0) return value;
  console.error(`${name} requires a number greater than zero.`);
  process.exit(1);
};
const [times, minutes] = [option('--times'), option('--minutes')];

/** Seconds of races in one lab, before the tests that kill processes. */
const ROUND_SECONDS = 60;
/** With fewer, the races do not converge on the deadline, where either side may win, and the round fails. */
const LEAST_RACES = 200;
const began = Date.now();
const total = { races: 0, confirmed: 0, 'rolled back': 0, deaths: 0 };
let stopped = false;
process.once('SIGINT', () => {
  stopped = true;
  console.log('Stopping after this round.');
});

while (!stopped && total.races < times && Date.now() - began < minutes * 60_000) {
  const { code, output } = await round();
  const [, races = 0, confirmed = 0, back = 0] =
    /(\d+) races: (\d+) confirmed, (\d+) rolled back/.exec(output)?.map(Number) ?? [];
  total.races += races;
  total.confirmed += confirmed;
  total['rolled back'] += back;
  total.deaths += Number(/(\d+) deaths:/.exec(output)?.[1] ?? 0);
  console.log(
    Object.entries(total)
      .map(([name, count]) => `${count} ${name}`)
      .join(', '),
  );
  if (code !== 0 || races === 0) {
    console.error(output);
    process.exit(1);
  }
}

/** Runs the test file once, in a lab of its own. */
function round() {
  const jest = spawn(
    'npx',
    [
      'jest',
      '--selectProjects=lab',
      '--verbose',
      '--',
      'test/host/transaction/transaction.races.lab.test.ts',
    ],
    {
      cwd: root,
      // Ctrl-C is for this script only: the test cleans up its lab.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        SALLYPORT_RACES: String(Math.max(LEAST_RACES, Math.min(1_000_000, Math.ceil(times - total.races)))),
        SALLYPORT_RACE_SECONDS: String(ROUND_SECONDS),
      },
    },
  );
  let output = '';
  for (const stream of [jest.stdout, jest.stderr])
    stream.on('data', (chunk) => {
      output += chunk;
    });
  return new Promise((resolve) => jest.once('close', (code) => resolve({ code: code ?? 1, output })));
}
