/** Commands over a policy: init, check, render, explain, and plan and drift on recorded states. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sallyport } from '../terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-policy-'));
const policies = join(directory, 'policies');
const here = ['--policies', policies];
afterAll(() => rmSync(directory, { recursive: true }));
beforeAll(async () => {
  expect(await sallyport(['init', directory])).toMatchObject({ status: 0 });
});

const edit = (path: string, change: (text: string) => string): (() => void) => {
  const whole = join(policies, path);
  const before = readFileSync(whole, 'utf8');
  writeFileSync(whole, change(before));
  return () => writeFileSync(whole, before);
};

describe('init', () => {
  test('writes a policy that checks, and the workflows', async () => {
    expect(readdirSync(join(directory, '.github/workflows')).toSorted()).toEqual([
      'firewall-adopt.yml',
      'firewall-deploy.yml',
      'firewall-drift.yml',
      'firewall-fork.yml',
      'firewall-plan.yml',
    ]);
    const { status, stdout } = await sallyport(['check', ...here]);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^The policy is sound: 5 hosts, \d+ rules\.\n$/),
    });
  });

  test('leaves what is there as it is', async () => {
    const restore = edit('networks.yml', (text) => `# mine\n${text}`);
    const mine = readFileSync(join(policies, 'networks.yml'), 'utf8');
    const { status, stdout, stderr } = await sallyport(['init', directory]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(stderr).toContain('networks.yml already exists and was not changed.');
    expect(readFileSync(join(policies, 'networks.yml'), 'utf8')).toBe(mine);
    restore();
  });

  test('--policies sets the folder of the policy, also in the workflows', async () => {
    const other = join(directory, 'other');
    await sallyport(['init', other, '--policies', 'firewall']);
    expect(await sallyport(['check', '--policies', join(other, 'firewall')])).toMatchObject({ status: 0 });
    const plan = readFileSync(join(other, '.github/workflows/firewall-plan.yml'), 'utf8');
    expect(plan).toContain('"firewall/**"');
    expect(plan).toMatch(/^ +policies: firewall\n +ssh-key:/m);
    expect(plan).toMatch(/^ +path: firewall$/m);
    expect(plan).not.toMatch(/: policies$/m);
  });

  test('adds no example to a policy of somebody’s own, but the workflows', async () => {
    const own = join(directory, 'own');
    mkdirSync(join(own, 'policies/hosts'), { recursive: true });
    writeFileSync(join(own, 'policies/fleet.yml'), 'version: 1\n');
    expect(await sallyport(['init', own])).toMatchObject({ status: 0 });
    expect(readdirSync(join(own, 'policies'), { recursive: true }).toSorted()).toEqual([
      'fleet.yml',
      'hosts',
    ]);
    expect(readdirSync(join(own, '.github/workflows'))).toHaveLength(5);
  });

  test.each(['./firewall/', 'firewall/.', 'a/../firewall'])('%s is the folder firewall', async (folder) => {
    const other = join(directory, `spelt-${folder.replaceAll(/\W/g, '-')}`);
    await sallyport(['init', other, '--policies', folder]);
    const plan = readFileSync(join(other, '.github/workflows/firewall-plan.yml'), 'utf8');
    expect(plan).toContain('paths: ["firewall/**", ');
  });

  test.each(['../elsewhere', '/etc/firewall', '.', '', 'a: b', '$&', 'x"y'])(
    'the folder %j is refused, and nothing is written',
    async (folder) => {
      const other = join(directory, 'refused');
      expect(await sallyport(['init', other, '--policies', folder])).toMatchObject({
        status: 1,
        stdout: '',
        stderr: expect.stringContaining('Expected a directory inside the repository'),
      });
      expect(existsSync(other)).toBe(false);
    },
  );

  test('--shards splits the hosts among that many jobs', async () => {
    const large = join(directory, 'large');
    expect(await sallyport(['init', large, '--shards', '6'])).toMatchObject({ status: 0 });
    const rollout = readFileSync(join(large, '.github/workflows/firewall-rollout.yml'), 'utf8');
    expect(rollout).toContain(`'["1/6", "2/6", "3/6", "4/6", "5/6", "6/6"]'`);
    expect(await sallyport(['init', large, '--shards', '1'])).toMatchObject({ status: 1 });
  });
});

describe('check', () => {
  test('prints every problem with its location and exits with 1', async () => {
    const restore = edit('roles/web.yml', (text) => text.replace('from: any', 'form: any'));
    const { status, stdout, stderr } = await sallyport(['check', ...here]);
    restore();
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/policies\/roles\/web\.yml:\d+:\d+: .*"?form"?/);
  });

  test('finds an admin network that cannot reach SSH', async () => {
    const restore = edit(
      'hosts/db-1.yml',
      (text) =>
        `${text}raw:\n  - {table: mangle, chain: PREROUTING, rule: -p tcp -m tcp --dport 22 -j DROP, reason: Brute force}\n`,
    );
    const locked = await sallyport(['check', ...here]);
    const accepted = await sallyport(['check', ...here, '--accept-lockout-risk', 'db-1']);
    restore();
    expect(locked).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('The policy locks out SSH to db-1.'),
    });
    // The guard of the example says the same of all hosts, and nobody has accepted that.
    expect(accepted.stderr).toContain('warning: The policy locks out SSH to db-1.');
  });

  test('answers in JSON and Markdown', async () => {
    const json = await sallyport(['check', ...here, '--format', 'json']);
    expect(JSON.parse(json.stdout)).toMatchObject({ version: 1, ok: true });
    const markdown = await sallyport(['check', ...here, '--format', 'markdown']);
    expect(markdown.stdout).toContain('The policy is sound');
  });
});

describe('render', () => {
  test('writes the three files of each host, which fmt does not change', async () => {
    const out = join(directory, 'build');
    expect(await sallyport(['render', ...here, '--out', out])).toMatchObject({ status: 0 });
    expect(readdirSync(out).toSorted()).toEqual(['db-1', 'dns-1', 'pay-1', 'web-1', 'web-2']);
    for (const name of ['rules.v4', 'rules.v6']) {
      const path = join(out, 'web-1', name);
      expect((await sallyport(['fmt', path])).stdout).toBe(readFileSync(path, 'utf8'));
    }
  });
});

describe('explain HOST', () => {
  test('fills in the address of the host and names the line of the policy', async () => {
    const { status, stdout } = await sallyport([
      'explain',
      'web-1',
      ...here,
      '--src',
      '198.51.100.7',
      '--dport',
      '443',
    ]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      verdict: 'accept',
      rule: { source: { file: expect.stringContaining('roles/web.yml') } },
    });
  });
});

test('explain fills in the other end of what leaves, whatever the case of the hook', async () => {
  const { status, stdout } = await sallyport([
    'explain',
    'pay-1',
    ...here,
    '--hook',
    'output',
    '--dst',
    '203.0.113.99',
    '--dport',
    '25',
  ]);
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ verdict: 'drop' });
});

describe('on recorded states', () => {
  const states = join(directory, 'states');
  beforeAll(() => {
    mkdirSync(states);
    for (const name of ['web-1', 'web-2', 'db-1', 'dns-1', 'pay-1'])
      for (const family of ['v4', 'v6']) writeFileSync(join(states, `${name}.${family}`), '');
  });
  const recorded = [...here, '--state', states];

  test('plan reports in three formats, to standard output or a file', async () => {
    const text = await sallyport(['plan', ...recorded]);
    expect(text).toMatchObject({ status: 0, stdout: expect.stringContaining('5 hosts change') });
    const output = join(directory, 'plan.md');
    const markdown = await sallyport(['plan', ...recorded, '--format', 'markdown', '-o', output]);
    expect(markdown).toMatchObject({ status: 0, stdout: '' });
    expect(readFileSync(output, 'utf8')).toContain('## Firewall plan');
    const json = await sallyport(['plan', ...recorded, '--format', 'json']);
    expect(JSON.parse(json.stdout)).toMatchObject({ version: 1, digest: expect.stringMatching(/^sha256:/) });
  });

  test('what was read of a folder is recorded in another as well', async () => {
    const copy = join(directory, 'copy');
    await sallyport(['plan', ...recorded, '--hosts', 'web-1', '--save', copy]);
    expect((await sallyport(['plan', ...here, '--hosts', 'web-1', '--state', copy])).stdout).toBe(
      (await sallyport(['plan', ...recorded, '--hosts', 'web-1'])).stdout,
    );
  });

  test('--exit-code returns 2 for a change; a host without a plan is a failure', async () => {
    expect((await sallyport(['plan', ...recorded, '--hosts', 'web-1', '--exit-code'])).status).toBe(2);
    rmSync(join(states, 'db-1.v4'));
    rmSync(join(states, 'db-1.v6'));
    const { status, stdout } = await sallyport(['plan', ...recorded, '--exit-code']);
    expect({ status, stdout }).toEqual({ status: 1, stdout: expect.stringContaining('1 unreachable') });
  });

  test('drift ends with 2 where a host does not run the policy', async () => {
    const drift = await sallyport(['drift', ...recorded, '--hosts', 'web-1']);
    expect(drift).toMatchObject({ status: 2, stdout: expect.stringContaining('web-1 drifted') });
  });

  test('drift ends with 0 where it does', async () => {
    const out = join(directory, 'clean');
    await sallyport(['render', ...here, '--out', out]);
    for (const family of ['v4', 'v6'])
      writeFileSync(join(states, `web-1.${family}`), readFileSync(join(out, `web-1/rules.${family}`)));
    expect(await sallyport(['drift', ...recorded, '--hosts', 'web-1'])).toMatchObject({ status: 0 });
    expect(await sallyport(['plan', ...recorded, '--hosts', 'web-1', '--exit-code'])).toMatchObject({
      status: 0,
    });
  });
});

describe('a report that could not be written', () => {
  test.each(['plan', 'drift', 'status', 'deploy', 'rollback web-1'])(
    '%s says so before any host is asked',
    async (command) => {
      const output = join(policies, 'fleet.yml/report');
      expect(await sallyport([...command.split(' '), ...here, '-o', output])).toEqual({
        status: 1,
        stdout: '',
        stderr: `${output} cannot be written: a part of its path is not a directory. Choose another file.\n`,
      });
    },
  );

  test('both are named, and what is there keeps its text', async () => {
    const report = join(directory, 'report.txt');
    writeFileSync(report, 'before');
    const ended = await sallyport([
      'deploy',
      ...here,
      '-o',
      policies,
      '--journal',
      `${policies}/fleet.yml/j`,
    ]);
    expect(ended.stderr.trim().split('\n')).toHaveLength(2);
    const fails = await sallyport(['plan', ...here, '-o', report]);
    expect(fails.stderr).toContain('known_hosts cannot be read');
    expect(readFileSync(report, 'utf8')).toBe('before');
  });

  test('nothing is left behind by asking', async () => {
    const report = join(directory, 'never.txt');
    await sallyport(['plan', ...here, '-o', report]);
    expect(existsSync(report)).toBe(false);
  });
});

describe('hosts that would be reached over SSH', () => {
  test('need a known_hosts file', async () => {
    expect(await sallyport(['plan', ...here])).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining('known_hosts cannot be read'),
    });
  });

  test('a selector that names nobody is refused', async () => {
    expect(await sallyport(['plan', ...here, '--hosts', 'web-9'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('web-9'),
    });
  });
});
