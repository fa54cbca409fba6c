/**
 * Plays the racing tests again and again on real hosts, until one fails, at least `--times N` races are run,
 * `--minutes N` are over, or it is interrupted; prints the counts. Needs what `npm run test:lab` needs.
 */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const asked = (name) => {
  const at = process.argv.indexOf(name);
  if (at < 0) return Number.POSITIVE_INFINITY;
  const value = Number(process.argv[at + 1]);
  if (value > 0) return value;
  console.error(`${name} takes a number above zero.`);
  process.exit(1);
};
const [times, minutes] = [asked('--times'), asked('--minutes')];

/** How long one lab is kept for races, before the killed processes get their turn. */
const ROUND_SECONDS = 60;
/** With fewer, the races have not found the moment in which either side may win, and the round counts as failed. */
const LEAST_RACES = 200;
const began = Date.now();
const total = { races: 0, confirmed: 0, 'rolled back': 0, deaths: 0 };
let stopped = false;
process.once('SIGINT', () => {
  stopped = true;
  console.log('Stops after this round.');
});

while (!stopped && total.races < times && Date.now() - began < minutes * 60_000) {
  const { code, said } = await round();
  const [, races = 0, confirmed = 0, back = 0] =
    /(\d+) races: (\d+) confirmed, (\d+) rolled back/.exec(said)?.map(Number) ?? [];
  total.races += races;
  total.confirmed += confirmed;
  total['rolled back'] += back;
  total.deaths += Number(/(\d+) deaths:/.exec(said)?.[1] ?? 0);
  console.log(
    Object.entries(total)
      .map(([name, count]) => `${count} ${name}`)
      .join(', '),
  );
  if (code !== 0 || races === 0) {
    console.error(said);
    process.exit(1);
  }
}

/** One run of the test file in a lab of its own. */
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
      // A Ctrl-C is for this script: the lab is cleared up by the test itself.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        SALLYPORT_RACES: String(Math.max(LEAST_RACES, Math.min(1_000_000, Math.ceil(times - total.races)))),
        SALLYPORT_RACE_SECONDS: String(ROUND_SECONDS),
      },
    },
  );
  let said = '';
  for (const stream of [jest.stdout, jest.stderr])
    stream.on('data', (chunk) => {
      said += chunk;
    });
  return new Promise((resolve) => jest.once('close', (code) => resolve({ code: code ?? 1, said })));
}
