/** A rollout of several jobs on real hosts: the canary's job, four shards at once for each wave, one report. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type Host, type Lab, openLab, type ProcessResult } from '../../../src/lab/lab.js';
import type { Outcomes } from '../../../src/rollout/results/model.js';
import { type Program, programIn, writePolicy } from '../../cli/lab-program.js';

jest.setTimeout(1_200_000);

const HOSTS = 200;
const SHARDS = ['1/4', '2/4', '3/4', '4/4'];

let lab: Lab;
let hosts: readonly Host[];
let sallyport: Program;

beforeAll(async () => {
  lab = await openLab();
  sallyport = await programIn(lab);
  const started: Host[] = [];
  for (let index = 1; index <= HOSTS; index += 1) started.push(await lab.light({ name: `web-${index}` }));
  hosts = started;
  writePolicy(lab, hosts);
});
afterAll(() => lab.close());

const job = (name: string, ...argv: readonly string[]): Promise<ProcessResult> =>
  sallyport('deploy', ...argv, '--parallel', '4', '--format', 'json', '--output', `jobs/${name}.json`);
const wave = (number: string): Promise<readonly ProcessResult[]> =>
  Promise.all(
    SHARDS.map((shard, index) => job(`${number}-${index + 1}`, '--wave', number, '--shard', shard)),
  );
const outcomes = (file: string): Outcomes => JSON.parse(readFileSync(join(lab.directory, file), 'utf8'));

test('no shard touches a host before the canary runs the new rules', async () => {
  const early = await sallyport('deploy', '--shard', '2/4', '--format', 'json');
  expect(early.code).toBe(1);
  expect(JSON.parse(early.stdout).stopped).toContain('the canary web-1 does not run the new rules yet');
  expect(await hosts[1]?.liveRules()).toMatchObject({ v4: expect.not.stringContaining('SALLYPORT') });
});

test('the canary, then four programs at once for each wave, change every host exactly once', async () => {
  expect(await job('canary', '--wave', 'canary')).toMatchObject({ code: 0 });
  for (const number of ['1', '2+'])
    for (const { code, stderr } of await wave(number)) expect({ code, stderr }).toMatchObject({ code: 0 });
  const merged = await sallyport('report', 'jobs', '--format', 'json', '--output', 'merged.json');
  expect(merged).toMatchObject({ code: 0 });
  const { hosts: all } = outcomes('merged.json');
  expect(all.map(({ host }) => host).toSorted()).toEqual(hosts.map(({ name }) => name).toSorted());
  expect(new Set(all.map(({ outcome }) => outcome))).toEqual(new Set(['confirmed']));
  const page = await sallyport('report', 'jobs', '--format', 'markdown');
  expect(page.stdout).toContain(`**Deployed: ${HOSTS} confirmed.**`);
});

test('every host runs and boots the policy', async () => {
  expect(await sallyport('drift')).toMatchObject({ code: 0 });
});

test('a job that runs again finds its hosts unchanged; hosts without a report are unknown', async () => {
  const again = await sallyport('deploy', '--shard', '1/4', '--format', 'json');
  expect(again.code).toBe(0);
  const own: Outcomes = JSON.parse(again.stdout);
  expect(new Set(own.hosts.map(({ outcome }) => outcome))).toEqual(new Set(['unchanged']));
  const files = ['canary', '1-1', '1-2', '1-3', '1-4', '2+-1', '2+-2', '2+-3'].map(
    (name) => `jobs/${name}.json`,
  );
  const lost = await sallyport('report', ...files);
  expect(lost.code).toBe(1);
  const missing = outcomes('jobs/2+-4.json').hosts.length;
  expect(lost.stderr).toContain(`No report has the outcome of ${missing} hosts.`);
});
