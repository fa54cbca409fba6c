/** Identities: another machine at the address, and keys, agents and settings of the user who runs the client. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import type { HostOptions } from '../../../src/host/open.js';
import type { Host as LabHost } from '../../../src/lab/lab.js';
import { must } from '../../../src/lab/shell.js';
import type { Fleet, Host } from '../../../src/policy/fleet.js';
import { loadFleet } from '../../../src/policy/load.js';
import { deployFleet } from '../../../src/rollout/deploy/deploy.js';
import { planFleet } from '../../../src/rollout/plan/plan.js';
import { writePolicy } from '../../cli/lab-program.js';
import { lockedOut } from '../change.js';
import { policyHost, testClient } from '../hosts.js';
import { expectOld, fault, openTestLab, rulesetsOf, type TestLab, watch } from '../transaction/faults.js';

jest.setTimeout(120_000);

let testLab: TestLab;
beforeAll(async () => {
  testLab = await openTestLab();
});
afterAll(() => testLab.close());

const withOpenssh = (host: LabHost): Host => {
  const policy = policyHost(host);
  return { ...policy, ssh: { ...policy.ssh, transport: 'openssh' } };
};

/**
 * A home directory as an earlier job or a person leaves it: a key for every host, an agent with it, known hosts, and
 * shared connections. OpenSSH uses root's home regardless of HOME (ssh(1), FILES), so this one is mounted there.
 */
async function homeWithKeys(host: LabHost) {
  const { lab } = testLab;
  const home = join(lab.directory, `home-${host.name}`);
  mkdirSync(join(home, '.ssh'), { recursive: true, mode: 0o700 });
  writeFileSync(join(home, '.ssh/known_hosts'), readFileSync(lab.knownHosts));
  spawnSync('cp', ['-p', lab.identity, join(home, '.ssh/id_ed25519')]);
  const socket = join(home, 'mux');
  writeFileSync(
    join(home, '.ssh/config'),
    `Host *\n  ControlMaster auto\n  ControlPath ${socket}\n  ControlPersist 60\n`,
    { mode: 0o600 },
  );
  const agent = join(home, 'agent');
  const running = lab.spawn('ssh-agent', ['-D', '-a', agent], { stdio: 'ignore' });
  await must(
    'sh',
    ['-c', `timeout 20 sh -c 'until ssh-add -q ${lab.identity} 2>/dev/null; do sleep 0.05; done'`],
    {
      env: { ...process.env, SSH_AUTH_SOCK: agent },
    },
  );
  const env = { ...process.env, SSH_AUTH_SOCK: agent };
  const inHome = (command: string, args: readonly string[]): readonly string[] => [
    ...['-m', 'sh', '-c', 'mount --bind "$0" /root && exec "$@"', home],
    ...[command, ...args],
  ];
  /** Plain `ssh` with that home directory. */
  const plain = (command: string) =>
    lab.run(
      'unshare',
      inHome('ssh', ['-o', 'BatchMode=yes', `${host.user.name}@${host.addresses.v4}`, command]),
      {
        env,
      },
    );
  return {
    plain,
    client: (changes: Partial<HostOptions>) =>
      testClient(lab, {
        spawn: (command, args) => lab.spawn('unshare', inHome(command, args), { env }),
        ...changes,
      }),
    leave: async () => {
      running.kill('SIGKILL');
      await must('ssh', ['-F', 'none', '-o', `ControlPath=${socket}`, '-O', 'exit', 'x']).catch(() => {});
    },
  };
}

fault(
  'V2',
  "the user's ssh_config shares and keeps connections, and new ones get no answer",
  'rolled back with either transport, while plain ssh continues over the shared connection',
  async () => {
    const { host } = await testLab.host();
    const { plain, client, leave } = await homeWithKeys(host);
    const before = await rulesetsOf(host);
    expect(await plain('true')).toMatchObject({ code: 0 });
    for (const policy of [policyHost(host), withOpenssh(host)]) {
      const one = client({});
      watch({ lab: testLab.lab, host, client: one });
      let shared: Promise<{ readonly code: number }> | undefined;
      const { result } = await one.deploy(host, lockedOut, {
        policy,
        change: { confirmWithinSeconds: 6 },
        onPhase: (phase) => {
          if (phase === 'verify') shared = plain('true');
        },
      });
      expect(await shared).toMatchObject({ code: 0 });
      expect(result).toMatchObject({
        outcome: 'rolled-back',
        reason: expect.stringContaining('no new connection'),
      });
      await one.close();
      await expectOld(host, before);
    }
    await leave();
  },
);

fault(
  'G7',
  "the runner's user has a key for the host, an agent with that key, and known hosts",
  'none of them is used unless configured, with either transport',
  async () => {
    const { host } = await testLab.host();
    const before = await rulesetsOf(host);
    const { plain, client, leave } = await homeWithKeys(host);
    expect(await plain('true')).toMatchObject({ code: 0 });
    const stranger = join(testLab.lab.directory, 'stranger');
    spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', stranger]);
    const key = { text: readFileSync(stranger, 'utf8') };
    for (const policy of [policyHost(host), withOpenssh(host)]) {
      const read = async (changes: Partial<HostOptions>) => {
        const one = client(changes);
        const reading = await one.hosts.read(policy);
        await one.close();
        return reading.status === 'read' ? 'read' : reading.problem.message;
      };
      expect(await read({ knownHosts: [] })).toContain('No host key is pinned');
      expect(await read({ key })).toContain('accepts none of the offered keys');
      expect(await read({})).toBe('read');
    }
    await leave();
    await expectOld(host, before);
  },
);

fault(
  'C2',
  "the host name points to another machine of the fleet since the plan, and that machine's key is pinned for it",
  "refused, by the plan and by the machine's record of its last deploy; neither machine is changed",
  async () => {
    const { lab } = testLab;
    const [{ host: one }, { host: two, client }] = [
      await testLab.host({}, 'light', false),
      await testLab.host({}, 'light', false),
    ];
    writePolicy(lab, [one, two]);
    const read = await loadFleet(join(lab.directory, 'policies'));
    if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join('\n'));
    const fleet: Fleet = read.value;
    const first = fleet.hosts.filter(({ name }) => name === one.name);
    expect((await deployFleet(fleet, fleet.hosts, client.hosts, { owner: 'test' })).hosts).toMatchObject([
      { outcome: 'confirmed' },
      { outcome: 'confirmed' },
    ]);
    const [ofOne, ofTwo] = await Promise.all([rulesetsOf(one), rulesetsOf(two)]);
    writePolicy(lab, [one, two], { rules: '  - {allow: tcp/8443, from: any, reason: Preview}\n' });
    const wider = await loadFleet(join(lab.directory, 'policies'));
    if (!wider.ok) throw new Error(wider.problems.map(({ message }) => message).join('\n'));
    const reviewed = await planFleet(wider.value, first, client.hosts);
    const { v4, v6 } = one.addresses;
    const pinned = two.hostKeys.map((key) => `${v4},${v6} ${key}\n`).join('');
    const led = testClient(lab, {
      knownHosts: [readFileSync(lab.knownHosts, 'utf8') + pinned],
      connect: (address, port) => lab.connect(address === v4 ? two.addresses.v4 : address, port),
    });
    const hosts = wider.value.hosts.filter(({ name }) => name === one.name);
    const deploy = async (options: { readonly reviewed?: typeof reviewed }) =>
      (await deployFleet(wider.value, hosts, led.hosts, { owner: 'test', ...options })).hosts[0];
    expect(await deploy({})).toMatchObject({
      outcome: 'refused',
      reason: expect.stringContaining(`was last deployed as ${two.name}`),
    });
    // Without the host name in its record, only the plan can tell.
    await two.must('sed -i "/^host /d" /var/lib/sallyport/known-good/*/about');
    expect(await deploy({ reviewed })).toMatchObject({
      outcome: 'refused',
      reason: expect.stringContaining('another machine answers'),
    });
    await led.close();
    await Promise.all([expectOld(one, ofOne), expectOld(two, ofTwo)]);
  },
);
