/** Group A: while the change is applied. */
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import { until } from '../../../src/lab/shell.js';
import { open } from '../host/change.js';
import { quiet } from '../host/hosts.js';
import { expectOld, fault, lastOutcome, openScenes, type Scenes, standOf } from './faults.js';

jest.setTimeout(120_000);

let scenes: Scenes;
beforeAll(async () => {
  scenes = await openScenes();
});
afterAll(() => scenes.close());

const refusedBecause = (reason: string) => ({ outcome: 'refused', reason: expect.stringContaining(reason) });
const BRIEF = { change: { confirmWithinSeconds: 5 } };

fault('A5a', 'the supervisor is killed once the rules stand', 'rolled back by the second timer', async () => {
  const check = async (kind: 'light' | 'whole'): Promise<void> => {
    const { host, client } = await scenes.host({}, kind);
    const before = await standOf(host);
    // Neither the confirmation nor the order to go back may reach it.
    const { result } = await client.deploy(host, open(81), {
      ...BRIEF,
      onPhase: async (phase) => {
        if (phase !== 'verify') return;
        const mend = await host.cutWire();
        await host.must("kill -9 $(pgrep -f 'agent.sh [s]upervise')");
        await until(
          'The second timer acts',
          async () =>
            (await host.exec('[ ! -d /var/lib/sallyport/pending ]')).code === 0 ? true : undefined,
          15,
        );
        await mend();
      },
    });
    expect(result).toMatchObject({ outcome: 'rolled-back', reason: 'nobody confirmed it in time' });
    await expectOld(host, before);
  };
  await Promise.all([check('light'), check('whole')]);
});

fault('A5b', 'the second timer is stopped', 'rolled back by the supervisor', async () => {
  const check = async (kind: 'light' | 'whole'): Promise<void> => {
    const { host, client } = await scenes.host({}, kind);
    const before = await standOf(host);
    const { result } = await client.deploy(host, open(81), {
      ...BRIEF,
      onPhase: async (phase) => {
        if (phase !== 'verify') return;
        const mend = await host.cutWire();
        await host.must(
          kind === 'whole'
            ? "systemctl stop 'sallyport-*-late.timer'"
            : "kill -9 $(pgrep -f 'agent.sh [l]ate')",
        );
        await until(
          'The supervisor acts',
          async () =>
            (await host.exec('[ ! -d /var/lib/sallyport/pending ]')).code === 0 ? true : undefined,
          15,
        );
        await mend();
      },
    });
    expect(result).toMatchObject({ outcome: 'rolled-back', reason: 'nobody confirmed it in time' });
    await expectOld(host, before);
  };
  await Promise.all([check('light'), check('whole')]);
});

fault('A6', 'v4 is applied and v6 fails', 'both families rolled back at once', async () => {
  const { host, client } = await scenes.host();
  const before = await standOf(host);
  // Works in the rehearsal's namespace, and fails in the host's own, where eth0 is.
  await host.must(`mv /usr/sbin/ip6tables-restore /usr/sbin/ip6tables-restore.real
    printf '#!/bin/sh\\n! grep -q eth0 /proc/net/dev || { echo broken >&2; exit 1; }\\nexec xtables-nft-multi ip6tables-restore "$@"\\n' >/usr/sbin/ip6tables-restore
    chmod +x /usr/sbin/ip6tables-restore`);
  const { result } = await client.deploy(host, open(81), BRIEF);
  expect(result).toMatchObject({
    outcome: 'rolled-back',
    reason: expect.stringContaining('broken'),
  });
  await host.must('mv /usr/sbin/ip6tables-restore.real /usr/sbin/ip6tables-restore');
  await expectOld(host, before);
  expect(await lastOutcome(client, host)).toBe('rolled-back');
});

fault('A6b', 'the sets are filled and then v4 fails', 'rolled back, the new sets gone as well', async () => {
  const { host, client } = await scenes.host();
  const before = await standOf(host);
  await host.must(`mv /usr/sbin/iptables-restore /usr/sbin/iptables-restore.real
    printf '#!/bin/sh\\n! grep -q eth0 /proc/net/dev || [ -e /run/mended ] || { echo broken >&2; exit 1; }\\nexec xtables-nft-multi iptables-restore "$@"\\n' >/usr/sbin/iptables-restore
    chmod +x /usr/sbin/iptables-restore`);
  const office = ['192.0.2.0/28'];
  const { result } = await client.deploy(host, { ...open(81), office }, BRIEF);
  expect(result).toMatchObject({ outcome: 'rolled-back', reason: expect.stringContaining('broken') });
  await host.must('mv /usr/sbin/iptables-restore.real /usr/sbin/iptables-restore');
  await expectOld(host, before);
  expect((await host.liveRules()).sets).toBe('');
});

fault(
  'A7',
  "Docker's and fail2ban's chains are there",
  'byte for byte the same after a deploy and after a rollback',
  async () => {
    const { host, client } = await scenes.host(
      {
        rules: {
          v4: DOCKER,
          sets: 'create f2b-sshd hash:ip family inet timeout 600\nadd f2b-sshd 192.0.2.9 timeout 500\n',
        },
      },
      'light',
      false,
    );
    const foreign = async (): Promise<string> =>
      (await host.liveRules()).v4
        .split('\n')
        .filter((line) => !/SALLYPORT|^:INPUT|^[*C]/.test(line))
        .join('\n');
    const before = await foreign();
    expect((await client.deploy(host, open(81))).result).toMatchObject({ outcome: 'confirmed' });
    expect(await foreign()).toBe(before);
    const { result } = await client.deploy(
      host,
      { rules: ['-i lo -j ACCEPT', '-m conntrack --ctstate ESTABLISHED -j ACCEPT'] },
      BRIEF,
    );
    expect(result).toMatchObject({ outcome: 'rolled-back' });
    expect(await foreign()).toBe(before);
    expect((await host.savedRules()).v4).not.toContain('DOCKER');
    await quiet(host);
  },
);

fault('A9', 'a window too short for a connection and its retry', 'refused before the change', async () => {
  const { host, client } = await scenes.host();
  const before = await standOf(host);
  const { result } = await client.deploy(host, open(81), { change: { confirmWithinSeconds: 2 } });
  expect(result).toMatchObject(refusedBecause('confirm_within is 2 seconds'));
  await expectOld(host, before);
});

const DOCKER = `*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
:f2b-sshd - [0:0]
-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd
-A INPUT -p tcp -m set --match-set f2b-sshd src -j DROP
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
-A f2b-sshd -s 192.0.2.8/32 -j REJECT --reject-with icmp-port-unreachable
-A f2b-sshd -j RETURN
COMMIT
`;
