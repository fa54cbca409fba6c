/** The openssh transport: certificates, bastions, and errors. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { HostOptions } from '../../../src/host/open.js';
import { type Lab, type Host as LabHost, openLab } from '../../../src/lab/lab.js';
import { until } from '../../../src/lab/shell.js';
import type { Host } from '../../../src/policy/fleet.js';
import { lockedOut, open } from '../change.js';
import { policyHost, testClient, waitUntilIdle } from '../hosts.js';

jest.setTimeout(120_000);

let lab: Lab;
let host: LabHost;
let bastion: LabHost;
beforeAll(async () => {
  lab = await openLab();
  [host, bastion] = await Promise.all([
    lab.light({ name: 'web-1' }),
    lab.light({ name: 'jump-1', port: 2222 }),
  ]);
});
afterAll(() => lab.close());

const over = (changes: Partial<Host['ssh']> = {}): Host => {
  const policy = policyHost(host);
  return { ...policy, ssh: { ...policy.ssh, transport: 'openssh', ...changes } };
};
const client = (changes: Partial<HostOptions> = {}) =>
  testClient(lab, { spawn: (command, args) => lab.spawn(command, args), ...changes });

test('a complete transaction works over both families', async () => {
  const one = client();
  const policy = over();
  expect((await one.deploy(host, open(80), { policy })).result).toMatchObject({ outcome: 'confirmed' });
  const before = await host.liveRules();
  expect(
    (await one.deploy(host, lockedOut, { policy, change: { confirmWithinSeconds: 5 } })).result,
  ).toMatchObject({
    outcome: 'rolled-back',
  });
  await waitUntilIdle(host, 10);
  expect(await host.liveRules()).toEqual(before);
  await one.close();
});

test('a bastion works, and its host key is verified', async () => {
  const policy = over({ bastions: [{ host: bastion.addresses.v4, user: 'deploy', port: 2222 }] });
  const one = client();
  expect((await one.state(host, policy)).facts.client).toBe(bastion.addresses.v4);
  expect((await one.deploy(host, open(81), { policy })).result).toMatchObject({ outcome: 'confirmed' });
  await one.close();
  const known = readFileSync(lab.knownHosts, 'utf8')
    .split('\n')
    .filter((line) => !line.includes('2222'));
  const two = client({ knownHosts: [known.join('\n')] });
  expect(await two.hosts.read(policy)).toMatchObject({
    status: 'unreachable',
    problem: { id: 'host-key-unknown' },
  });
  await two.close();
});

test('connection failures are reported with their cause', async () => {
  const read = async (changes: Partial<HostOptions>) => {
    const one = client(changes);
    const reading = await one.hosts.read(over());
    await one.close();
    return reading.status === 'read' ? 'read' : reading.problem.id;
  };
  expect(await read({ knownHosts: [] })).toBe('host-key-unknown');
  expect(await read({ knownHosts: [`${host.addresses.v4} ${bastion.hostKeys[0]}\n`] })).toBe(
    'host-key-changed',
  );
  const stranger = join(lab.directory, 'stranger');
  spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', stranger]);
  expect(await read({ key: { text: readFileSync(stranger, 'utf8') } })).toBe('host-unreachable');
});

test('a certificate authority for hosts is supported, unlike with the built-in client', async () => {
  const authority = join(lab.directory, 'authority');
  spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', authority]);
  const key = join(lab.directory, 'host.pub');
  writeFileSync(key, `${host.hostKeys[0]} host\n`);
  spawnSync('ssh-keygen', ['-q', '-s', authority, '-I', 'web-1', '-h', '-n', host.addresses.v4, key]);
  await host.writeFile('/etc/ssh/cert.pub', readFileSync(key.replace('.pub', '-cert.pub'), 'utf8'));
  await host.must(
    'echo "HostCertificate /etc/ssh/cert.pub" >>/etc/ssh/sshd_config; kill -HUP $(cat /run/sshd.pid)',
  );
  const knownHosts = [`@cert-authority 10.88.0.* ${readFileSync(`${authority}.pub`, 'utf8')}`];
  const one = client({ knownHosts });
  let reason = '';
  await until(
    'sshd shows its certificate',
    async () => {
      const reading = await one.hosts.read(over());
      if (reading.status === 'read') return true;
      reason = reading.problem.message;
      return undefined;
    },
    10,
  ).catch(() => expect(reason).toBe(''));
  const builtin = client({ knownHosts });
  expect(await builtin.hosts.read(policyHost(host))).toMatchObject({
    status: 'unreachable',
    problem: { id: 'host-key-authority' },
  });
  await Promise.all([one.close(), builtin.close()]);
});
