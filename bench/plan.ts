/**
 * The plan of 1,000 changed hosts and its reports: every role gains a rule and every host changes one of its own, so
 * that nothing but the roles' rules folds. The HTML report is searched in Chromium where there is one.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { renderRuleset } from '../src/compile/render.js';
import { compileHost } from '../src/compile/rules/compile.js';
import type { HostClient, Reading } from '../src/host/client.js';
import type { Fleet } from '../src/policy/fleet.js';
import { loadFleet } from '../src/policy/load.js';
import { planPage } from '../src/report/html/plan.js';
import { COMMENT_BUDGET, SUMMARY_BUDGET } from '../src/report/markdown/budget.js';
import { planMarkdown } from '../src/report/markdown/plan.js';
import { planFleet } from '../src/rollout/plan/plan.js';
import type { Plan } from '../src/rollout/results/model.js';
import { saveSnapshot, snapshotClient } from '../src/rollout/snapshots/snapshots.js';
import { writeFleet } from './fleet.js';
import type { Row } from './report.js';

const HOSTS = 1000;
/** The most characters of the HTML report; every host with a change of its own adds about 5 kB. */
const MOST_PAGE = 8e6;

export async function planBench(folder: string): Promise<readonly Row[]> {
  const [policies, states] = [join(folder, 'policies'), join(folder, 'states')];
  mkdirSync(policies);
  writeFleet(policies, HOSTS, 50);
  await record(await fleetIn(policies), states);
  change(policies);
  const fleet = await fleetIn(policies);
  const readings = await readAll(fleet, states);
  const rows: Row[] = [];
  const timed = async <T>(name: string, limit: number | undefined, run: () => T | Promise<T>): Promise<T> => {
    const started = performance.now();
    const value = await run();
    const seconds = (performance.now() - started) / 1000;
    rows.push({ name, seconds, ...(limit === undefined ? {} : { limit: { seconds: limit } }) });
    return value;
  };
  const plan = await timed('plan, 1,000 hosts of 50 rules', undefined, () =>
    planFleet(fleet, fleet.hosts, { read: async ({ name }) => readings.get(name) as Reading }),
  );
  const comment = await timed('its comment', 5, () => planMarkdown(plan));
  const summary = await timed('its job summary', 5, () => planMarkdown(plan, { budget: SUMMARY_BUDGET }));
  const page = await timed('its HTML report', 5, () => planPage(plan));
  check(plan, comment, summary);
  if (page.length > MOST_PAGE) throw new Error(`The HTML report has ${page.length} characters.`);
  const file = join(folder, 'plan.html');
  writeFileSync(file, page);
  console.log(
    `comment ${comment.length} characters, summary ${summary.length}, HTML ${(page.length / 1e6).toFixed(1)} MB`,
  );
  console.log(searched(file, page));
  return rows;
}

async function fleetIn(policies: string): Promise<Fleet> {
  const read = await loadFleet(policies, { today: '2027-01-01' });
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.value;
}

async function record(fleet: Fleet, states: string): Promise<void> {
  for (const host of fleet.hosts) {
    const compiled = compileHost(fleet, host);
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
    await saveSnapshot(states, host.name, renderRuleset(compiled.value));
  }
}

function change(policies: string): void {
  const edit = (part: string, to: (text: string, number: number) => string): void => {
    for (const [index, name] of readdirSync(join(policies, part)).sort().entries()) {
      const path = join(policies, part, name);
      writeFileSync(path, to(readFileSync(path, 'utf8'), index));
    }
  };
  edit('roles', (text) => `${text}  - allow: tcp/7777\n    from: site-3\n    reason: New for the role\n`);
  edit('hosts', (text, index) => text.replace('tcp/5001', `tcp/${20_000 + index}`));
}

async function readAll(fleet: Fleet, states: string): Promise<ReadonlyMap<string, Reading>> {
  const client: Pick<HostClient, 'read'> = snapshotClient(states);
  const readings = new Map<string, Reading>();
  for (const host of fleet.hosts) readings.set(host.name, await client.read(host));
  return readings;
}

/** Fails if the reports are wrong: their figures would not count. */
function check(plan: Plan, comment: string, summary: string): void {
  const changed = plan.hosts.filter(({ status }) => status === 'changed').length;
  const expected = `Opens 1,004, closes 1,000; 1,000 hosts change`;
  if (changed !== HOSTS || !comment.includes(expected) || !summary.includes(expected))
    throw new Error(`The reports do not contain "${expected}".`);
  for (const [text, budget] of [
    [comment, COMMENT_BUDGET],
    [summary, SUMMARY_BUDGET],
  ] as const)
    if (text.length > budget.units || Buffer.byteLength(text) > budget.bytes)
      throw new Error(`A report of ${text.length} characters is over its limit.`);
}

/** Types into the search of the page, and reads the results. */
function searched(file: string, page: string): string {
  const script = `<script>addEventListener('load', () => {
    const input = document.getElementById('search');
    const started = performance.now();
    input.value = 'host-0042 20042';
    input.dispatchEvent(new Event('input'));
    const milliseconds = Math.round(performance.now() - started);
    const shown = [...document.querySelectorAll('[data-item]')].filter((item) => !item.hidden && !item.closest('section').hidden);
    document.title = 'RESULT ' + milliseconds + ' ' + shown.length + ' ' + shown.every((item) => item.textContent.includes('host-0042'));
  });</script>`;
  writeFileSync(file, page + script);
  const { stdout, error } = spawnSync(
    'chromium',
    [
      ...'--headless --no-sandbox --disable-gpu --disable-quic --no-first-run'.split(' '),
      `--user-data-dir=${file}.profile`,
      '--dump-dom',
      pathToFileURL(file).href,
    ],
    { encoding: 'utf8', maxBuffer: 1 << 28 },
  );
  if (error !== undefined) return 'The search was not tried: there is no Chromium.';
  const [, milliseconds, shown, right] = /<title>RESULT (\d+) (\d+) (\w+)<\/title>/.exec(stdout) ?? [];
  if (right !== 'true') throw new Error(`The search of the HTML report showed ${shown ?? 'nothing'}.`);
  return `search in Chromium: ${shown} found, ${milliseconds} ms for the first letter`;
}
