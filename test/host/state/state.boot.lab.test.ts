/** Boot loaders of rules on systems other than Debian. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type Lab, type Host as LabHost, openLab } from '../../../src/lab/lab.js';
import { open } from '../change.js';
import { policyHost, type TestClient, testClient, waitUntilIdle } from '../hosts.js';

jest.setTimeout(120_000);

let lab: Lab;
let host: LabHost;
let client: TestClient;
beforeAll(async () => {
  lab = await openLab();
  host = await lab.light({ name: 'other-1' });
  client = testClient(lab);
  await host.must('rm -r /usr/share/netfilter-persistent');
});
afterAll(async () => {
  await client.close();
  await lab.close();
});

/** The files that each distribution's packages install. */
const SYSTEMS: readonly (readonly [
  loader: string,
  install: string,
  enable: string,
  paths: Readonly<Record<'v4' | 'v6' | 'sets', string>>,
])[] = [
  [
    'iptables-services',
    'mkdir -p /usr/libexec/iptables /etc/sysconfig; touch /usr/libexec/iptables/iptables.init',
    `mkdir -p /etc/systemd/system/basic.target.wants; cd /etc/systemd/system/basic.target.wants
     for unit in iptables ip6tables ipset; do ln -s /usr/lib/systemd/system/$unit.service $unit.service; done`,
    { v4: '/etc/sysconfig/iptables', v6: '/etc/sysconfig/ip6tables', sets: '/etc/sysconfig/ipset' },
  ],
  [
    'openrc',
    `rm -rf /usr/libexec/iptables /etc/systemd/system/basic.target.wants
     touch /etc/init.d/iptables /usr/local/sbin/openrc-run; chmod +x /usr/local/sbin/openrc-run; mkdir -p /etc/conf.d
     echo 'IPTABLES_SAVE="/etc/iptables/rules-save"' >/etc/conf.d/iptables
     echo 'IP6TABLES_SAVE="/etc/iptables/rules6-save"' >/etc/conf.d/ip6tables`,
    'mkdir -p /etc/runlevels/default; cd /etc/runlevels/default; touch iptables ip6tables ipset',
    { v4: '/etc/iptables/rules-save', v6: '/etc/iptables/rules6-save', sets: '/var/lib/ipset/rules-save' },
  ],
  [
    'systemd-iptables',
    `rm -rf /etc/init.d/iptables /etc/runlevels
     rm -f /usr/lib/systemd/system/iptables.service; echo '[Unit]' >/usr/lib/systemd/system/iptables.service`,
    `mkdir -p /etc/systemd/system/multi-user.target.wants; cd /etc/systemd/system/multi-user.target.wants
     for unit in iptables ip6tables ipset; do ln -sf /usr/lib/systemd/system/$unit.service $unit.service; done`,
    { v4: '/etc/iptables/iptables.rules', v6: '/etc/iptables/ip6tables.rules', sets: '/etc/ipset.conf' },
  ],
];

test.each(SYSTEMS)(
  '%s: detected, with whether it is enabled; its files are written',
  async (loader, install, enable, paths) => {
    await host.must(install);
    expect((await client.state(host)).boot).toMatchObject({
      loader,
      enabled: false,
      paths: { v4: paths.v4, v6: paths.v6 },
    });
    await host.must(enable);
    expect((await client.state(host)).boot).toEqual({ loader, enabled: true, paths });
    const port = 8000 + SYSTEMS.findIndex(([name]) => name === loader);
    const wanted = { ...open(port), office: ['192.0.2.0/24'] };
    expect((await client.deploy(host, wanted)).result).toMatchObject({ outcome: 'confirmed', reason: '' });
    await waitUntilIdle(host);
    expect(await host.readFile(paths.v4)).toContain(`--dport ${port} -j ACCEPT`);
    expect(await host.readFile(paths.v6)).toContain(`--dport ${port} -j ACCEPT`);
    expect(await host.readFile(paths.sets)).toContain('add SALLYPORT-office-4 192.0.2.0/24');
  },
);

test('a native nft table that filters is noted', async () => {
  await host.must(
    "nft add table inet guard; nft 'add chain inet guard in { type filter hook input priority -5; policy accept; }'",
  );
  expect((await client.state(host)).notes).toMatchObject([
    { id: 'native-nft-chains', message: expect.stringContaining('"inet guard"') },
  ]);
  await host.must('nft delete table inet guard');
});

test('reverify() returns the outcome of the run and reports an unreachable host', async () => {
  const { change } = await client.deploy(host, { ...open(9000), office: ['192.0.2.0/24'] });

  expect(await client.hosts.reverify(policyHost(host), change)).toMatchObject({
    outcome: 'confirmed',
    phase: 'soak',
  });
  expect(await client.hosts.reverify(policyHost(host), { ...change, run: 'other' })).toMatchObject({
    outcome: 'unknown',
  });
  const repair = await host.blockNewSsh();
  expect(await client.hosts.reverify(policyHost(host), change)).toMatchObject({ outcome: 'unreachable' });
  await repair();
});

test('ten known-good states are kept, newest first, and any of them can be read', async () => {
  for (let port = 9001; port <= 9012; port++)
    expect((await client.deploy(host, { ...open(port), office: ['192.0.2.0/24'] })).result.outcome).toBe(
      'confirmed',
    );

  const reading = await client.hosts.read(policyHost(host), { knownGood: 3 });
  if (reading.status !== 'read') throw new Error(reading.problem.message);
  const { history } = reading.state.record;
  expect(history.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(history[2]?.rules?.v4).toContain('--dport 9010 -j ACCEPT');
  expect(history[2]?.rules?.sets).toContain('SALLYPORT-office-4');
  expect(history[0]).toMatchObject({
    digest: expect.stringMatching(/^sha256:/),
    commit: expect.stringMatching(/^0123/),
  });
});
