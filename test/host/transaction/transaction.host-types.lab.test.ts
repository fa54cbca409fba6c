/** A confirmed and a rolled-back deploy to each type of host. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { HostOptions } from '../../../src/host/open.js';
import { type Lab, type Host as LabHost, openLab } from '../../../src/lab/lab.js';
import { must } from '../../../src/lab/shell.js';
import type { Host } from '../../../src/policy/fleet.js';
import { readFleet } from '../../../src/policy/resolve/fleet.js';
import { deployFleet } from '../../../src/rollout/deploy/deploy.js';
import { lockedOut, open } from '../change.js';
import { policyHost, testClient, waitUntilIdle } from '../hosts.js';

jest.setTimeout(120_000);

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab.close());

/** A deploy, then one that locks out and is rolled back. */
async function deploysTo(
  host: LabHost,
  policy: Host = policyHost(host),
  changes: Partial<HostOptions> = {},
): Promise<void> {
  const client = testClient(lab, changes);
  expect((await client.deploy(host, open(80), { policy })).result).toMatchObject({
    outcome: 'confirmed',
    reason: '',
  });
  await waitUntilIdle(host);
  const [live, saved] = [await host.liveRules(), await host.savedRules()];
  expect(live.v4).toContain('--dport 80 -j ACCEPT');
  expect(saved.v4).toBe(live.v4);
  const { result } = await client.deploy(host, lockedOut, { policy, change: { confirmWithinSeconds: 6 } });
  expect(result).toMatchObject({ outcome: 'rolled-back' });
  await waitUntilIdle(host, 15);
  expect([await host.liveRules(), await host.savedRules()]).toEqual([live, saved]);
  await client.close();
}

test('a host without ipset', async () => {
  const host = await lab.light({ name: 'setless-1' });
  await host.must('rm /usr/sbin/ipset /usr/share/netfilter-persistent/plugins.d/*ipset');
  await deploysTo(host);
  const client = testClient(lab);
  const { result } = await client.deploy(host, { ...open(81), office: ['192.0.2.0/28'] });
  expect(result).toMatchObject({ outcome: 'refused', reason: expect.stringContaining('ipset') });
  await client.close();
});

test('a host without IPv6, whose tools for it fail', async () => {
  const host = await lab.light({ name: 'four-1', ipv6: false });
  await host.must(
    'for tool in ip6tables ip6tables-save ip6tables-restore; do printf "#!/bin/sh\\nexit 3\\n" >/usr/local/sbin/$tool; chmod +x /usr/local/sbin/$tool; done',
  );
  await deploysTo(host);
});

test('a host addressed by a DNS name, with its key pinned for the name', async () => {
  const host = await lab.light({ name: 'named-1' });
  const name = 'named-1.example.com';
  const pinned = host.hostKeys.map((key) => `${name} ${key}\n`).join('');
  // In place of the system's resolver: the connection is requested by name only.
  const asked: string[] = [];
  await deploysTo(host, policyHost(host, { address: name, addresses: [name] }), {
    knownHosts: [pinned],
    connect: (address, port) => {
      asked.push(address);
      return lab.connect(address === name ? host.addresses.v4 : address, port);
    },
  });
  expect(asked).toContain(name);
});

test('a host whose key is in an ssh-agent only, with both transports', async () => {
  const host = await lab.light({ name: 'agent-1' });
  const agent = `${lab.directory}/agent`;
  const running = lab.spawn('ssh-agent', ['-D', '-a', agent], { stdio: 'ignore' });
  const env = { ...process.env, SSH_AUTH_SOCK: agent };
  await must(
    'sh',
    ['-c', `timeout 20 sh -c 'until ssh-add -q ${lab.identity} 2>/dev/null; do sleep 0.05; done'`],
    { env },
  );
  const policy = policyHost(host);
  for (const transport of ['builtin', 'openssh'] as const)
    await deploysTo(
      host,
      { ...policy, ssh: { ...policy.ssh, transport } },
      { agent, spawn: (command, args) => lab.spawn(command, args) },
    );
  running.kill('SIGKILL');
});

test('a host behind two bastions, with both transports', async () => {
  const [host, outer, inner] = await Promise.all([
    lab.light({ name: 'deep-1' }),
    lab.light({ name: 'outer-1' }),
    lab.light({ name: 'inner-1', port: 2222, user: { name: 'jump', sudo: 'none' } }),
  ]);
  // Only the inner bastion has access.
  await host.must(
    `iptables -I INPUT -p tcp --dport 22 ! -s ${inner.addresses.v4} -j REJECT; ip6tables -I INPUT -p tcp --dport 22 -j REJECT`,
  );
  const bastions = [
    { host: outer.addresses.v4, user: 'deploy', port: 22 },
    { host: inner.addresses.v4, user: 'jump', port: 2222 },
  ];
  const policy = policyHost(host, { addresses: [host.addresses.v4] });
  for (const transport of ['builtin', 'openssh'] as const) {
    const client = testClient(lab, { spawn: (command, args) => lab.spawn(command, args) });
    const through = { ...policy, ssh: { ...policy.ssh, transport, bastions } };
    expect((await client.state(host, through)).facts.client).toBe(inner.addresses.v4);
    expect((await client.deploy(host, open(80), { policy: through })).result).toMatchObject({
      outcome: 'confirmed',
    });
    await client.close();
  }
});

test('a host whose tables are owned as a whole', async () => {
  const host = await lab.light({ name: 'whole-1', rules: { v4: OLD } });
  const { v4, v6 } = host.addresses;
  const read = readFleet(
    new Map([
      [
        'policies/fleet.yml',
        `version: 1
ssh: {user: deploy, known_hosts: known_hosts}
admin: [admin]
ownership: tables
rollout: {confirm_within: 10s}
`,
      ],
      ['policies/networks.yml', `networks:\n  admin: [${lab.client.v4}, "${lab.client.v6}"]\n`],
      [
        'policies/hosts/whole-1.yml',
        `addresses: [${v4}, "${v6}"]\ninput:\n  - {allow: http, from: any, reason: The public site}\n`,
      ],
    ]),
    'policies',
  );
  if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join('\n'));
  const client = testClient(lab);
  const { hosts } = await deployFleet(read.value, read.value.hosts, client.hosts, { owner: 'test' });
  expect(hosts).toMatchObject([{ outcome: 'confirmed' }]);
  await waitUntilIdle(host);
  const [live, saved] = [await host.liveRules(), await host.savedRules()];
  expect(live.v4).toContain('--dport 80 ');
  expect(live.v4).not.toContain('--dport 9 ');
  expect(live.v4.replace(EMPTY, '')).toBe(saved.v4?.replace(EMPTY, ''));
  await client.close();
});

const OLD = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p tcp -m tcp --dport 9 -j DROP
COMMIT
`;
const EMPTY = /^\*\w+\n(?::\S+ ACCEPT \S+\n)*COMMIT\n/gm;
