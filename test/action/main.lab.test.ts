/** The action as the runner runs it, with real hosts in its hands: the key and the host keys come as inputs alone. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type Host, type Lab, openLab } from '../../src/lab/lab.js';
import { programIn, writePolicy } from '../cli/lab-program.js';
import { stepIn } from './lab-step.js';

jest.setTimeout(180_000);

let lab: Lab;
let hosts: readonly Host[];
let step: ReturnType<typeof stepIn>;

beforeAll(async () => {
  lab = await openLab();
  hosts = await Promise.all([lab.light({ name: 'web-1' }), lab.light({ name: 'web-2' })]);
  step = stepIn(lab, await programIn(lab));
  writePolicy(lab, hosts);
});
afterAll(() => lab.close());

test('a push to the default branch deploys, a second one finds nothing to do', async () => {
  const first = await step('push');
  expect(first).toMatchObject({ code: 0, output: expect.stringMatching(/^outcome<<.*\ndeployed\n/m) });
  expect(first.stdout).toContain('web-1: confirmed after');
  expect((await hosts[0]?.liveRules())?.v4).toContain('SALLYPORT-INPUT');
  const record = await hosts[0]?.must('cat /var/lib/sallyport/known-good/*/about');
  expect(record).toContain('0123456789abcdef');
  expect(await step('push')).toMatchObject({ code: 0, output: expect.stringMatching(/\nunchanged\n/) });
});

test('a schedule looks for drift', async () => {
  expect(await step('schedule')).toMatchObject({ code: 0, output: expect.stringMatching(/\nclean\n/) });
  await hosts[1]?.must('iptables -I INPUT -p tcp --dport 5432 -j ACCEPT');
  expect(await step('schedule')).toMatchObject({ code: 1, output: expect.stringMatching(/\ndrifted\n/) });
});

test('a host whose key is not pinned is unreachable, and nothing is changed', async () => {
  const before = await hosts[0]?.liveRules();
  const ended = await step('push', { 'INPUT_KNOWN-HOSTS': '# nobody\n' });
  expect(ended).toMatchObject({
    code: 1,
    output: expect.stringMatching(/unreachable-hosts<<.*\nweb-1,web-2\n/),
  });
  expect(await hosts[0]?.liveRules()).toEqual(before);
});

test('the key is nowhere in what the action says or leaves', async () => {
  const line = readFileSync(lab.identity, 'utf8').split('\n')[2] ?? '';
  expect(line.length).toBeGreaterThan(40);
  for (const event of ['push', 'schedule']) {
    const { stdout, stderr, output } = await step(event);
    // The runner masks each line of it, by the one command that contains it.
    const log = stdout.replace(/^::add-mask::.*$/gm, '');
    expect(log + stderr + output).not.toContain(line);
    const folder = join(lab.directory, `step-${event}`);
    expect(readFileSync(join(folder, 'summary'), 'utf8')).not.toContain(line);
  }
});
