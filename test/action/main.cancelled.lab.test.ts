/** A job that is cancelled as GitHub cancels jobs: SIGINT, after 7.5 seconds SIGTERM, after 2.5 more the end. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type Host, type Lab, openLab } from '../../src/lab/lab.js';
import { until } from '../../src/lab/shell.js';
import type { Outcomes } from '../../src/rollout/results/model.js';
import { type Program, programIn, writePolicy } from '../cli/lab-program.js';
import { prepareStep } from './lab-step.js';

jest.setTimeout(240_000);

const NAMES = ['web-1', 'web-2', 'web-3', 'web-4'];

let lab: Lab;
let hosts: readonly Host[];
let program: Program;

beforeAll(async () => {
  lab = await openLab();
  hosts = await Promise.all(NAMES.map((name) => lab.light({ name })));
  program = await programIn(lab);
});
afterAll(() => lab.close());

interface Cancelled {
  readonly status: number | null;
  readonly killed: boolean;
  readonly outputs: string;
  readonly summary: string;
  readonly outcomes: Outcomes;
}

/** Cancels the deploy as soon as its log says this. */
async function cancelAt(words: string): Promise<Cancelled> {
  const { command, options, output, summary } = prepareStep(lab, program, 'push');
  const step = lab.spawn(command[0], command[1], options);
  const timers: NodeJS.Timeout[] = [];
  let [log, killed] = ['', false];
  step.stdout?.on('data', (chunk: Buffer) => {
    log += chunk.toString();
    if (timers.length > 0 || !log.includes(words)) return;
    step.kill('SIGINT');
    timers.push(
      setTimeout(() => step.kill('SIGTERM'), 7_500),
      setTimeout(() => {
        killed = true;
        step.kill('SIGKILL');
      }, 10_000),
    );
  });
  const status = await new Promise<number | null>((resolve) => step.once('close', resolve));
  for (const timer of timers) clearTimeout(timer);
  expect(log).toContain(words);
  const outputs = readFileSync(output, 'utf8');
  const [, json = ''] = /^json<<\S+\n(.*)$/m.exec(outputs) ?? [];
  return {
    ...{ status, killed, outputs, summary: readFileSync(summary, 'utf8') },
    outcomes: JSON.parse(readFileSync(json, 'utf8')),
  };
}

const having = async (port: number): Promise<readonly boolean[]> =>
  Promise.all(
    hosts.map(async (host) => {
      const [live, saved] = [await host.liveRules(), await host.savedRules()];
      const runs = live.v4.includes(`--dport ${port}`);
      // In no doubt: what runs is what would boot, and nothing is pending.
      expect(saved.v4?.includes(`--dport ${port}`) ?? false).toBe(runs);
      expect(await host.exec('[ ! -e /var/lib/sallyport/pending ]')).toMatchObject({ code: 0 });
      return runs;
    }),
  );

test('after the canary: it keeps the new rules, the others keep the old ones, and the report says so', async () => {
  writePolicy(lab, hosts, {
    rules: '  - {allow: tcp/9001, from: any, reason: A change}\n',
    rollout: ', parallel: 1',
  });
  const { status, killed, outputs, summary, outcomes } = await cancelAt('web-1: confirmed');
  expect({ status, killed }).toEqual({ status: 1, killed: false });
  expect(outcomes.stopped).toBe('The run was cancelled.');
  expect(outcomes.hosts.map(({ host, outcome }) => `${host} ${outcome}`)).toEqual([
    'web-1 confirmed',
    ...NAMES.slice(1).map((name) => `${name} not-reached`),
  ]);
  expect(outputs).toMatch(/^outcome<<.*\nfailed\n/m);
  expect(summary).toContain('The run was cancelled.');
  expect(await having(9001)).toEqual([true, false, false, false]);
});

test('in the middle of hosts: each ends with all new or all old rules, and the job started again goes on', async () => {
  writePolicy(lab, hosts, {
    rules: '  - {allow: tcp/9002, from: any, reason: A change}\n',
    rollout: ', parallel: 4',
  });
  const { killed, outcomes } = await cancelAt('Wave 2:');
  expect(killed).toBe(false);
  // A host that had armed and lost its runner goes back within the time that it was given.
  await until(
    'No host has a change that is pending',
    async () => {
      const left = await Promise.all(hosts.map((host) => host.exec('[ ! -e /var/lib/sallyport/pending ]')));
      return left.every(({ code }) => code === 0) ? true : undefined;
    },
    60,
  );
  const runs = await having(9002);
  for (const [index, name] of NAMES.entries()) {
    const reported = outcomes.hosts.find(({ host }) => host === name)?.outcome;
    if (reported === 'confirmed') expect([name, runs[index]]).toEqual([name, true]);
    if (reported === 'rolled-back' || reported === 'not-reached')
      expect([name, runs[index]]).toEqual([name, false]);
  }
  const again = prepareStep(lab, program, 'push');
  expect(await lab.run(...again.command, again.options)).toMatchObject({ code: 0 });
  expect(await having(9002)).toEqual([true, true, true, true]);
});

test('what only reads hosts ends at once', async () => {
  writePolicy(lab, hosts);
  const repair = await hosts[1]?.cutLink();
  const { command, options } = prepareStep(lab, program, 'schedule', { INPUT_COMMAND: 'plan' });
  const step = lab.spawn(command[0], command[1], options);
  step.stdout?.on('data', (chunk: Buffer) => {
    if (chunk.toString().includes('web-1: ')) step.kill('SIGINT');
  });
  const ended = await new Promise((resolve) => step.once('close', (_, signal) => resolve(signal)));
  await repair?.();
  expect(ended).toBe('SIGINT');
});
