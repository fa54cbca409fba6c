/** `report`, the page of a plan, and the script of a key that may only read, at a terminal. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Outcomes, Plan } from '../../../src/rollout/results/model.js';
import { deployed } from '../../report/example.js';
import { sallyport } from '../terminal.js';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-report-'));
const inside = (...path: readonly string[]): string => join(folder, ...path);
afterAll(() => rmSync(folder, { recursive: true }));

const HOSTS = ['db-1', 'dns-1', 'pay-1', 'web-1', 'web-2'];
const planned = (...more: readonly string[]) =>
  sallyport(['plan', '-p', inside('policies'), '--state', inside('states'), ...more]);

beforeAll(async () => {
  await sallyport(['init', folder]);
  mkdirSync(inside('states'));
  for (const host of HOSTS)
    for (const family of ['v4', 'v6'])
      writeFileSync(
        inside('states', `${host}.${family}`),
        '*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n',
      );
  for (const shard of ['1/2', '2/2'])
    expect(
      await planned('--shard', shard, '-f', 'json', '-o', inside('plans', `${shard[0]}.json`)),
    ).toMatchObject({ status: 0 });
  writeFileSync(inside('deploy.json'), JSON.stringify(deployed satisfies Outcomes));
});

describe('report', () => {
  test('of both shards is the plan of all hosts, in every format', async () => {
    const whole: Plan = JSON.parse((await planned('-f', 'json')).stdout);
    const merged = await sallyport(['report', inside('plans'), '-f', 'json']);
    expect(merged).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(merged.stdout)).toEqual(whole);
    expect((await sallyport(['report', inside('plans')])).stdout).toBe((await planned()).stdout);
    expect((await sallyport(['report', inside('plans'), '-f', 'html'])).stdout).toMatch(/^<!doctype html>/i);
  });

  test('is a plan that a deploy takes', async () => {
    await sallyport(['report', inside('plans'), '-f', 'json', '-o', inside('merged.json')]);
    const plan: Plan = JSON.parse(readFileSync(inside('merged.json'), 'utf8'));
    expect(plan.shard).toBeUndefined();
    expect(plan.hosts).toHaveLength(5);
  });

  test('of one of two shards says what is missing, prints the rest, and ends with 1', async () => {
    const half = await sallyport(['report', inside('plans/1.json'), '-f', 'markdown']);
    expect(half.status).toBe(1);
    expect(half.stderr).toContain('No plan of shard 2/2');
    expect(half.stdout).toContain('No plan of shard 2/2.');
    expect(half.stdout).toContain('without a plan');
  });

  test('of nothing, of a file that is not there, and of two kinds at once is an error', async () => {
    mkdirSync(inside('empty'), { recursive: true });
    for (const [path, words] of [
      [inside('empty'), `No report found in ${inside('empty')}.`],
      [inside('gone.json'), 'No such file or folder: '],
      [inside('policies/fleet.yml'), 'it is not JSON'],
    ] as const)
      expect(await sallyport(['report', path])).toMatchObject({
        status: 1,
        stdout: '',
        stderr: expect.stringContaining(words),
      });
    const mixed = await sallyport(['report', inside('plans'), inside('deploy.json')]);
    expect(mixed.stderr).toContain('These reports are of plans and of deploys.');
  });

  test('names every file that is not there', async () => {
    const { status, stderr } = await sallyport(['report', inside('one'), inside('plans'), inside('two')]);
    expect(status).toBe(1);
    expect(stderr).toContain(`No such file or folder: ${inside('one')}.`);
    expect(stderr).toContain(`No such file or folder: ${inside('two')}.`);
    expect((await sallyport(['report', inside('deploy.json/x')])).stderr).toContain(
      'cannot be read: ENOTDIR',
    );
  });

  test('follows a link that is named, and none inside a folder', async () => {
    symlinkSync(inside('plans'), inside('latest'));
    expect(await sallyport(['report', inside('latest')])).toMatchObject({ status: 0 });
    mkdirSync(inside('linked'));
    symlinkSync(inside('plans/1.json'), inside('linked/1.json'));
    expect((await sallyport(['report', inside('linked')])).stderr).toContain(
      `No report found in ${inside('linked')}.`,
    );
  });

  test('of a deploy has no page', async () => {
    const text = await sallyport(['report', inside('deploy.json')]);
    expect(text).toMatchObject({ status: 0, stdout: expect.stringContaining('Deployed: 1 confirmed') });
    expect(await sallyport(['report', inside('deploy.json'), '-f', 'html'])).toMatchObject({
      status: 1,
      stdout: '',
    });
  });
});

test('a plan can be a page', async () => {
  const page = await planned('-f', 'html', '-o', inside('plan.html'));
  expect(page).toMatchObject({ status: 0, stdout: '' });
  expect(readFileSync(inside('plan.html'), 'utf8')).toContain('web-1');
});

test.each([
  [['plan', '--shard', '3/2'], 'Expected i/n, such as 1/4'],
  [['deploy', '--wave', 'first'], 'Expected canary, a number from 1'],
])('%j is refused with what it may be', async (argv, words) => {
  expect(await sallyport(argv)).toMatchObject({ status: 1, stderr: expect.stringContaining(words) });
});

test('the canary takes no shard', async () => {
  const argv = ['deploy', '-p', inside('policies'), '--wave', 'canary', '--shard', '1/2', '--yes'];
  expect(await sallyport(argv)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('deployed by one job each'),
  });
});

test('the reader is a script on standard output, alone', async () => {
  const { status, stdout, stderr } = await sallyport(['reader']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toMatch(/^#!\/bin\/sh\n/);
});
