/** `adopt` on recorded states: the files of the policy, or a patch of them that git takes. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sallyport } from '../terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-adopt-'));
const [policies, states] = [join(directory, 'policies'), join(directory, 'states')];
afterAll(() => rmSync(directory, { recursive: true }));
beforeAll(async () => {
  await sallyport(['init', directory, '--no-workflows']);
  await sallyport(['render', '--policies', policies, '--out', join(directory, 'build')]);
  for (const host of ['db-1', 'dns-1', 'pay-1', 'web-1', 'web-2'])
    for (const [file, kind] of [
      ['rules.v4', 'v4'],
      ['rules.v6', 'v6'],
      ['sets', 'sets'],
    ])
      cpSync(join(directory, 'build', host, file ?? ''), join(states, `${host}.${kind}`), {
        recursive: true,
      });
  const live = join(states, 'web-2.v4');
  const text = readFileSync(live, 'utf8');
  writeFileSync(live, text.replace(/^-A INPUT/m, '-A INPUT -p tcp -m tcp --dport 8443 -j ACCEPT\n$&'));
});

const adopt = (...more: readonly string[]) =>
  sallyport(['adopt', '--policies', policies, '--state', states, ...more]);
const hosts = (): string => readFileSync(join(policies, 'hosts/web.yml'), 'utf8');

test('a patch changes no file, and git applies it', async () => {
  const before = hosts();
  const { status, stdout, stderr } = await adopt('--patch');
  expect(status).toBe(0);
  expect(stderr).toContain('Adopts 1 difference.');
  expect(hosts()).toBe(before);
  const root = join(directory, 'repository');
  cpSync(policies, join(root, policies), { recursive: true });
  execFileSync('git', ['init', '-q', root]);
  execFileSync('git', ['-C', root, 'apply', '-'], { input: stdout });
  expect(readFileSync(join(root, policies, 'hosts/web.yml'), 'utf8')).toContain('8443');
});

test('the files are edited, the policy checks, and what the host runs is no bypass any more', async () => {
  const { status, stdout } = await adopt('--hosts', 'role:web');
  expect(status).toBe(0);
  expect(stdout).toContain("A rule was added to INPUT, above the policy's rules.");
  expect(hosts()).toContain('8443');
  expect(await sallyport(['check', '--policies', policies])).toMatchObject({ status: 0 });
  const plan = await sallyport(['plan', '--policies', policies, '--state', states]);
  expect(plan.stdout).not.toMatch(/opens \d/i);
});

test('a host that cannot be read is named, and the status says so', async () => {
  rmSync(join(states, 'db-1.v4'));
  rmSync(join(states, 'db-1.v6'));
  const { status, stdout } = await adopt();
  expect(status).toBe(1);
  expect(stdout).toContain('db-1 unreachable: ');
});
