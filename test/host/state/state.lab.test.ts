/** Reading real hosts: the state is the host's, and what cannot be read reliably is an error. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { HostClient, HostState, Reading } from '../../../src/host/client.js';
import { type Lab, type Host as LabHost, openLab } from '../../../src/lab/lab.js';
import { hostClient, policyHost } from '../hosts.js';

jest.setTimeout(120_000);

const RULES = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p tcp -m tcp --dport 8080 -m comment --comment "it\\'s \\"ours\\" sallyport-0 > live-v6" -j DROP
COMMIT
`;

let lab: Lab;
let light: LabHost;
let legacy: LabHost;
let systemd: LabHost;
let client: HostClient;
const stateOf = (reading: Reading): HostState => {
  if (reading.status !== 'read') throw new Error(reading.problem.message);
  return reading.state;
};
const read = async (host: LabHost): Promise<HostState> => stateOf(await client.read(policyHost(host)));

/** Over a new connection of its own, with other settings. */
const only = async (
  changes: Parameters<typeof hostClient>[1],
  host = policyHost(light),
): Promise<Reading> => {
  const other = hostClient(lab, changes);
  const reading = await other.read(host);
  await other.close();
  return reading;
};

beforeAll(async () => {
  lab = await openLab();
  [light, legacy, systemd] = await Promise.all([
    lab.light({
      name: 'web-1',
      savedRules: { v4: RULES },
      rules: { v4: RULES, sets: 'create a hash:ip family inet\nadd a 192.0.2.1\n' },
    }),
    lab.light({
      name: 'old-1',
      backend: 'legacy',
      port: 2222,
      ipv6: false,
      user: { name: 'root', sudo: 'none' },
    }),
    lab.systemd({ name: 'db-1' }),
  ]);
  client = hostClient(lab);
});
afterAll(async () => {
  await client.close();
  await lab.close();
});

describe('a host that is read', () => {
  test('has the output of iptables-save and ipset save and its files, byte for byte', async () => {
    const state = await read(light);
    expect(state.live.v4.replace(/^#.*\n/gm, '').replace(/\[\d+:\d+\]/g, '[0:0]')).toBe(RULES);
    expect(state.live.sets).toBe(await light.must('ipset save'));
    expect(state.saved).toEqual({ v4: RULES });
    expect(state).toMatchObject({
      backend: 'nft',
      boot: {
        loader: 'netfilter-persistent',
        enabled: true,
        paths: { v4: '/etc/iptables/rules.v4', v6: '/etc/iptables/rules.v6', sets: '/etc/iptables/ipsets' },
      },
      facts: {
        hostname: 'web-1',
        machineId: (await light.must('cat /etc/machine-id')).trim(),
        addresses: expect.arrayContaining([light.addresses.v4, light.addresses.v6]),
        interfaces: expect.arrayContaining(['eth0', 'lo']),
        client: lab.client.v4,
        sshPort: 22,
        systemd: false,
        ipv6: true,
        managers: [],
      },
      record: { history: [] },
      notes: [],
    });
    expect(await light.must('iptables -V')).toContain(state.versions.iptables);
  });

  test('may be legacy, without IPv6, on another port, reached as root', async () => {
    const state = await read(legacy);
    expect(state).toMatchObject({ backend: 'legacy', facts: { sshPort: 2222, ipv6: false } });
    expect(state.live.v6.replace(/^#.*\n/gm, '')).toBe('');
  });

  test('may run systemd', async () => {
    expect(await read(systemd)).toMatchObject({ facts: { systemd: true }, boot: { enabled: true } });
    await systemd.must('systemctl disable --quiet netfilter-persistent');
    expect(await read(systemd)).toMatchObject({ boot: { enabled: false } });
    await systemd.must('systemctl mask --quiet netfilter-persistent');
    expect(await read(systemd)).toMatchObject({ boot: { enabled: false } });
    await systemd.must(
      'systemctl unmask --quiet netfilter-persistent; systemctl enable --quiet netfilter-persistent',
    );
    expect(await read(systemd)).toMatchObject({ boot: { enabled: true } });
  });

  test('is read again over the same connection, and over a new one when that was lost', async () => {
    const before = (await light.must('pgrep -c sshd || true')).trim();
    await read(light);
    expect((await light.must('pgrep -c sshd || true')).trim()).toBe(before);
    await light.must('pkill -x sshd -f "sshd: deploy" || true');
    await read(light);
  });
});

describe('a host that cannot be read reliably', () => {
  test('asks for a password', async () => {
    const asks = await lab.light({ name: 'asks-1', user: { name: 'anna', sudo: 'password' } });
    expect(await only({}, policyHost(asks))).toMatchObject({
      status: 'error',
      problem: { id: 'sudo-asks', hint: expect.stringContaining('anna ALL=(root) NOPASSWD') },
    });
  });

  test('has rules in both backends', async () => {
    await light.must('iptables-legacy -A INPUT -p tcp --dport 9 -j DROP');
    expect(await client.read(policyHost(light))).toMatchObject({
      status: 'error',
      problem: { id: 'two-backends' },
    });
    await light.must('iptables-legacy -F');
    expect(await client.read(policyHost(light))).toMatchObject({ status: 'read' });
    await legacy.must('iptables-nft -A INPUT -p tcp --dport 9 -j DROP');
    expect(await client.read(policyHost(legacy))).toMatchObject({
      status: 'error',
      problem: { id: 'two-backends' },
    });
    await legacy.must('iptables-nft -F');
  });

  test('lacks a tool', async () => {
    await systemd.must('mv /usr/sbin/xtables-nft-multi /usr/sbin/hidden');
    expect(await client.read(policyHost(systemd))).toMatchObject({
      status: 'error',
      problem: { id: 'tools-missing', message: expect.stringContaining('iptables') },
    });
    await systemd.must('mv /usr/sbin/hidden /usr/sbin/xtables-nft-multi');
  });
});

describe('a host that is not reached', () => {
  test('is not pinned, or shows another key', async () => {
    expect(await only({ knownHosts: [] })).toMatchObject({
      status: 'unreachable',
      problem: { id: 'host-key-unknown' },
    });
    const wrong = `${light.addresses.v4} ${systemd.hostKeys[0]}\n`;
    expect(await only({ knownHosts: [wrong] })).toMatchObject({
      status: 'unreachable',
      problem: { id: 'host-key-changed' },
    });
  });

  test('is offered only the pinned type of key', async () => {
    const [, ecdsa] = light.hostKeys;
    expect(await only({ knownHosts: [`${light.addresses.v4} ${ecdsa}\n`] })).toMatchObject({
      status: 'read',
    });
  });

  test('accepts none of the keys, or refuses the connection', async () => {
    const stranger = `${lab.directory}/stranger`;
    spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', stranger]);
    expect(await only({ key: { text: readFileSync(stranger, 'utf8') } })).toMatchObject({
      status: 'unreachable',
      problem: {
        id: 'host-unreachable',
        message: expect.stringContaining('accepts none of the offered keys'),
      },
    });
    const known = readFileSync(lab.knownHosts, 'utf8').replace(
      light.addresses.v4,
      `[${light.addresses.v4}]:23`,
    );
    const closed = policyHost(light, { ssh: { ...policyHost(light).ssh, port: 23 } });
    expect(await only({ knownHosts: [known] }, closed)).toMatchObject({
      problem: { message: expect.stringContaining('connection refused') },
    });
  });

  test('has a key with a passphrase', async () => {
    const file = `${lab.directory}/locked`;
    spawnSync('cp', [lab.identity, file]);
    spawnSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', 'open sesame', '-f', file]);
    const text = readFileSync(file, 'utf8');
    expect(await only({ key: { text, passphrase: 'open sesame' } })).toMatchObject({ status: 'read' });
    for (const key of [{ text }, { text, passphrase: 'wrong' }])
      expect(await only({ key })).toMatchObject({ status: 'unreachable', problem: { id: 'key-unreadable' } });
  });

  test('is behind bastions', async () => {
    const { ssh } = policyHost(systemd);
    const bastion = { host: light.addresses.v4, user: 'deploy', port: 22 };
    const behind = policyHost(systemd, {
      ssh: {
        ...ssh,
        bastions: [bastion, { ...bastion, host: legacy.addresses.v4, user: 'root', port: 2222 }],
      },
    });
    const reading = stateOf(await only({}, behind));
    expect(reading.facts).toMatchObject({ hostname: 'db-1', client: legacy.addresses.v4 });
    const unpinned = readFileSync(lab.knownHosts, 'utf8')
      .split('\n')
      .filter((line) => !line.includes(light.addresses.v4));
    expect(await only({ knownHosts: [unpinned.join('\n')] }, behind)).toMatchObject({
      status: 'unreachable',
      problem: { id: 'host-key-unknown', message: expect.stringContaining(light.addresses.v4) },
    });
  });
});

test('a login has the host sign with one key only', async () => {
  const host = policyHost(light, { ssh: { ...policyHost(light).ssh, port: 2222 } });
  await light.must(
    '/usr/sbin/sshd -p 2222 -E /run/second.log -o LogLevel=DEBUG1 -o PidFile=/run/second.pid && until [ -s /run/second.pid ]; do sleep 0.01; done',
  );
  const pinned = light.hostKeys.map((key) => `[${light.addresses.v4}]:2222 ${key}\n`).join('');
  expect((await only({ knownHosts: [pinned] }, host)).status).toBe('read');
  const log = await light.must('cat /run/second.log; kill "$(cat /run/second.pid)"');
  expect(log).toContain('Accepted publickey for');
  expect(log).not.toContain('hostkeys-prove');
});
