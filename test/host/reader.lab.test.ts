/** A read-only key, restricted to the reader by sshd and sudo: it can plan, and no attempt changes anything. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { READER } from '../../src/host/reader.js';
import { type Host, type Lab, openLab, type ProcessResult } from '../../src/lab/lab.js';
import { must } from '../../src/lab/shell.js';
import { outcomesOf, type Program, programIn, writePolicy } from '../cli/lab-program.js';

jest.setTimeout(240_000);

let lab: Lab;
let web: Host;
let root: Host;
let sallyport: Program;
let key: string;

/** A line of the installation steps at the head of the script. */
const lineWith = (words: string): string =>
  READER.split('\n')
    .find((line) => line.includes(words))
    ?.replace(/^# +/, '') ?? '';

beforeAll(async () => {
  lab = await openLab();
  [web, root] = await Promise.all([
    lab.light({ name: 'web-1' }),
    lab.light({ name: 'web-2', user: { name: 'root', sudo: 'none' } }),
  ]);
  sallyport = await programIn(lab);
  writePolicy(lab, [web, root]);
  const hosts = join(lab.directory, 'policies/hosts/all.yml');
  writeFileSync(hosts, readFileSync(hosts, 'utf8').replace(/(web-2:[\s\S]*port: 22)/, '$1, user: root'));
  key = join(lab.directory, 'plan-key');
  await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'firewall-plan', '-f', key]);
  const publicKey = readFileSync(`${key}.pub`, 'utf8').trim();
  const line = lineWith('restrict,command=').replace('ssh-ed25519 AAAA... firewall-plan', publicKey);
  for (const host of [web, root]) {
    await host.writeFile('/usr/local/sbin/sallyport-read', READER);
    await host.must('chmod 755 /usr/local/sbin/sallyport-read');
  }
  await web.must('cat >>/home/deploy/.ssh/authorized_keys', `${line}\n`);
  await root.must('cat >>/root/.ssh/authorized_keys', `${line.replace('sudo -n ', '')}\n`);
});
afterAll(() => lab.close());

const withPlanKey = (...argv: readonly string[]): Promise<ProcessResult> =>
  lab.run(process.execPath, [sallyport.path, ...argv, '--identity', key], { cwd: lab.directory });

/** OpenSSH's own client with the plan key. */
const ssh = (args: readonly string[], input = ''): Promise<ProcessResult> =>
  lab.run('ssh', [...OPTIONS, '-i', key, '-o', `UserKnownHostsFile=${lab.knownHosts}`, ...args], { input });
const OPTIONS = ['-F', 'none', '-o', 'BatchMode=yes', '-o', 'IdentitiesOnly=yes', '-o', 'ConnectTimeout=10'];
const there = (): string => `deploy@${web.addresses.v4}`;

/** Everything on the host that an attempt could change. */
const trace = async (): Promise<unknown> => ({
  rules: await web.liveRules(),
  saved: await web.savedRules(),
  files: await web.must('find /etc /home /root /tmp /usr/local /var/lib -xdev -newer /etc/hostname | sort'),
  processes: (await web.must('ps -eo comm= | grep -cvE "^(sshd|ps|grep|sh|sort|nsenter)$" || :')).trim(),
});

describe('with the plan key', () => {
  test('plan, drift and status have the same output as with the deploy key', async () => {
    const [own, full] = await Promise.all([
      withPlanKey('plan', '--format', 'json'),
      sallyport('plan', '--format', 'json'),
    ]);
    expect({ code: own.code, stderr: own.stderr }).toMatchObject({ code: 0 });
    expect(JSON.parse(own.stdout)).toEqual(JSON.parse(full.stdout));
    expect(await withPlanKey('drift')).toMatchObject({ code: 2 });
    expect(await withPlanKey('status')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('never deployed'),
    });
  });

  test('a deploy is refused by every host, with the reason', async () => {
    const before = await trace();
    for (const hosts of ['web-1', 'web-2']) {
      const ran = await withPlanKey('deploy', '--hosts', hosts, '--format', 'json');
      expect({ code: ran.code, outcomes: outcomesOf(ran) }).toEqual({
        code: 1,
        outcomes: [`${hosts} refused`],
      });
      expect(ran.stderr).toContain(`${hosts}: this SSH key is read-only.`);
    }
    expect(await trace()).toEqual(before);
    expect((await root.liveRules()).v4).not.toContain('SALLYPORT');
  });

  test('a rollback is refused', async () => {
    expect(await withPlanKey('rollback', 'web-1')).toMatchObject({ code: 1 });
  });
});

describe('other attempts with the key', () => {
  const PWNED = 'touch /tmp/pwned; iptables -P INPUT ACCEPT; iptables -F';
  const MARK = 'sallyport-0123456789abcdef01234567';
  const ATTEMPTS: Readonly<Record<string, () => Promise<ProcessResult>>> = {
    'a command': () => ssh([there(), PWNED]),
    'a command as root': () => ssh([there(), `sudo -n sh -c '${PWNED}'`]),
    'a script on standard input': () => ssh([there(), 'sudo -n sh -s'], `${PWNED}\n`),
    'a script behind a mark': () => ssh([there(), 'sh'], `SP_MARK='${MARK}'\n${PWNED}\n`),
    'a mark that is a command': () => ssh([there()], `SP_MARK='sallyport-$(${PWNED})'\n`),
    'a mark that ends early': () => ssh([there()], `SP_MARK='sallyport-ab'; ${PWNED}; x='\n${PWNED}\n`),
    'a terminal': () => ssh(['-tt', there()], `${PWNED}\n`),
    sftp: () =>
      lab.run(
        'timeout',
        [
          '5',
          'sftp',
          ...OPTIONS,
          '-i',
          key,
          '-o',
          `UserKnownHostsFile=${lab.knownHosts}`,
          '-b',
          '-',
          there(),
        ],
        { input: 'put /etc/hostname /tmp/pwned\n' },
      ),
    scp: () =>
      lab.run('timeout', [
        ...['5', 'scp'],
        ...[...OPTIONS, '-i', key, '-o', `UserKnownHostsFile=${lab.knownHosts}`],
        ...['-O', '/etc/hostname', `${there()}:/tmp/pwned`],
      ]),
    'a tunnel to another port': () => ssh(['-W', '127.0.0.1:22', there()]),
    'a listener on the host': () =>
      ssh(['-o', 'ExitOnForwardFailure=yes', '-R', '4444:127.0.0.1:22', there()]),
    'an environment': () =>
      ssh(['-o', 'SetEnv=LC_ALL=x ENV=/tmp/x BASH_ENV=/tmp/x LD_PRELOAD=/tmp/x', there()], `${PWNED}\n`),
  };

  test.each(Object.entries(ATTEMPTS))(
    '%s: refused or ignored, and the host is unchanged',
    async (_, attempt) => {
      const before = await trace();
      const { stdout, stderr } = await attempt();
      expect(stdout + stderr).not.toContain('uid=');
      expect(await web.exec('[ ! -e /tmp/pwned ]')).toMatchObject({ code: 0 });
      expect(await trace()).toEqual(before);
    },
  );

  test('a connection through the host is refused by sshd itself', async () => {
    const through = await ssh(['-W', '127.0.0.1:22', there()]);
    expect(through.code).not.toBe(0);
    expect(through.stderr).toMatch(/prohibited|forwarding failed/);
    const listener = await ssh(['-o', 'ExitOnForwardFailure=yes', '-R', '4444:127.0.0.1:22', there()]);
    expect(listener.stderr).toContain('remote port forwarding failed');
    expect((await ssh(['-tt', there()])).stderr).toContain('PTY allocation request failed');
  });

  test('files that the client names are not read: only those loaded at boot', async () => {
    const asked = await ssh(
      [there()],
      `SP_MARK='${MARK}'\nSP_PATH_V4='/etc/shadow'\nSP_KNOWN='1'\nSP_LOG='yes'\nset -- read\n`,
    );
    expect(asked.code).toBe(0);
    expect(asked.stdout).toContain(`${MARK} > live-v4`);
    expect(asked.stdout).toContain(`${MARK} done`);
    expect(asked.stdout).not.toContain('root:');
  });
});

test('the line for sudoers is enough for the reader, and not for a deploy', async () => {
  await web.must('cat >/etc/sudoers.d/lab && chmod 440 /etc/sudoers.d/lab', `${lineWith('NOPASSWD')}\n`);
  expect(await withPlanKey('plan', '--hosts', 'web-1')).toMatchObject({ code: 0 });
  const deploy = await sallyport('deploy', '--hosts', 'web-1');
  expect(deploy).toMatchObject({ code: 1, stderr: expect.stringContaining('sudo') });
});

test('a reader of another version is noted in the plan', async () => {
  await web.must("sed -i 's/^emit reader .*/emit reader 0123456789ab/' /usr/local/sbin/sallyport-read");
  const plan = await withPlanKey('plan', '--hosts', 'web-1');
  expect(plan).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('is a different version of the reader'),
  });
});
