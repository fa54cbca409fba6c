/** Faults while a change is applied (group A). */
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import type { Change } from '../../../src/host/client.js';
import { until } from '../../../src/lab/shell.js';
import { shellQuote } from '../../../src/lib/text.js';
import { DOCKER_AND_FAIL2BAN, KUBE, LIBVIRT } from '../../compile/foreign.js';
import { changeTo, open } from '../change.js';
import { policyHost, waitUntilIdle } from '../hosts.js';
import { expectOld, fault, lastOutcome, openTestLab, rulesetsOf, type TestLab } from './faults.js';

jest.setTimeout(120_000);

let testLab: TestLab;
beforeAll(async () => {
  testLab = await openTestLab();
});
afterAll(() => testLab.close());

const refusedBecause = (reason: string) => ({ outcome: 'refused', reason: expect.stringContaining(reason) });
const BRIEF = { change: { confirmWithinSeconds: 5 } };

/** Replaces a tool: it works in the namespace of the rehearsal, and runs `script` in the host's, which has eth0. */
const replaceTool = (tool: string, script: string): string => `mv /usr/sbin/${tool} /usr/sbin/${tool}.real
  printf '#!/bin/sh\\n! grep -q eth0 /proc/net/dev || { %s; }\\nexec xtables-nft-multi ${tool} "$@"\\n' ${shellQuote(script)} >/usr/sbin/${tool}
  chmod +x /usr/sbin/${tool}`;
const restoreTool = (tool: string): string => `mv /usr/sbin/${tool}.real /usr/sbin/${tool}`;

fault(
  'A5a',
  'the supervisor is killed once the rules are applied',
  'rolled back by the backup timer',
  async () => {
    const check = async (kind: 'light' | 'systemd'): Promise<void> => {
      const { host, client } = await testLab.host({}, kind);
      const before = await rulesetsOf(host);
      // Neither a confirmation nor an abort may reach the host.
      const { result } = await client.deploy(host, open(81), {
        ...BRIEF,
        onPhase: async (phase) => {
          if (phase !== 'verify') return;
          const repair = await host.cutLink();
          await host.must("kill -9 $(pgrep -f 'agent.sh [s]upervise')");
          await until(
            'The backup timer acts',
            async () =>
              (await host.exec('[ ! -d /var/lib/sallyport/pending ]')).code === 0 ? true : undefined,
            15,
          );
          await repair();
        },
      });
      expect(result).toMatchObject({
        outcome: 'rolled-back',
        reason: expect.stringMatching(/no new connection.*; not confirmed in time$/),
      });
      await expectOld(host, before);
    };
    await Promise.all([check('light'), check('systemd')]);
  },
);

fault('A5b', 'the backup timer is stopped', 'rolled back by the supervisor', async () => {
  const check = async (kind: 'light' | 'systemd'): Promise<void> => {
    const { host, client } = await testLab.host({}, kind);
    const before = await rulesetsOf(host);
    const { result } = await client.deploy(host, open(81), {
      ...BRIEF,
      onPhase: async (phase) => {
        if (phase !== 'verify') return;
        const repair = await host.cutLink();
        await host.must(
          kind === 'systemd'
            ? "systemctl stop 'sallyport-*-late.timer'"
            : "kill -9 $(pgrep -f 'agent.sh [l]ate')",
        );
        await until(
          'The supervisor acts',
          async () =>
            (await host.exec('[ ! -d /var/lib/sallyport/pending ]')).code === 0 ? true : undefined,
          15,
        );
        await repair();
      },
    });
    expect(result).toMatchObject({
      outcome: 'rolled-back',
      reason: expect.stringMatching(/no new connection.*; not confirmed in time$/),
    });
    await expectOld(host, before);
  };
  await Promise.all([check('light'), check('systemd')]);
});

fault('A6', 'IPv4 is applied and IPv6 fails', 'both families rolled back at once', async () => {
  const { host, client } = await testLab.host();
  const before = await rulesetsOf(host);
  await host.must(replaceTool('ip6tables-restore', 'echo broken >&2; exit 1'));
  const { result } = await client.deploy(host, open(81), BRIEF);
  expect(result).toMatchObject({
    outcome: 'rolled-back',
    reason: expect.stringContaining('broken'),
  });
  await host.must(restoreTool('ip6tables-restore'));
  await expectOld(host, before);
  expect(await lastOutcome(client, host)).toBe('rolled-back');
});

fault('A6b', 'the sets are filled and then IPv4 fails', 'rolled back, new sets included', async () => {
  const { host, client } = await testLab.host();
  const before = await rulesetsOf(host);
  await host.must(replaceTool('iptables-restore', 'echo broken >&2; exit 1'));
  const office = ['192.0.2.0/28'];
  const { result } = await client.deploy(host, { ...open(81), office }, BRIEF);
  expect(result).toMatchObject({ outcome: 'rolled-back', reason: expect.stringContaining('broken') });
  await host.must(restoreTool('iptables-restore'));
  await expectOld(host, before);
  expect((await host.liveRules()).sets).toBe('');
});

/** Rules of other programs, each on a host of its own. */
const OTHERS: readonly (readonly [rules: string, names: RegExp])[] = [
  [
    DOCKER_AND_FAIL2BAN.replace(
      '-j f2b-sshd\n',
      '$&-A INPUT -p tcp -m set --match-set f2b-sshd src -j DROP\n',
    ),
    /DOCKER|f2b/,
  ],
  [KUBE, /KUBE/],
  [LIBVIRT, /LIBVIRT/],
];

fault(
  'A7',
  'chains of Docker, fail2ban, kube-proxy or libvirt exist',
  'byte for byte the same after a deploy and after a rollback',
  async () => {
    const check = async (v4: string, names: RegExp): Promise<void> => {
      const sets = 'create f2b-sshd hash:ip family inet timeout 600\nadd f2b-sshd 192.0.2.9 timeout 500\n';
      const { host, client } = await testLab.host({ rules: { v4, sets } }, 'light', false);
      const foreign = async (): Promise<string> =>
        (await host.liveRules()).v4
          .split('\n')
          .filter((line) => !/SALLYPORT|^:INPUT|^[*C]/.test(line))
          .join('\n');
      const before = await foreign();
      for (const line of v4.match(/^-A .*/gm) ?? []) expect(before).toContain(line);
      expect((await client.deploy(host, open(81))).result).toMatchObject({ outcome: 'confirmed' });
      expect(await foreign()).toBe(before);
      const { result } = await client.deploy(
        host,
        { rules: ['-i lo -j ACCEPT', '-m conntrack --ctstate ESTABLISHED -j ACCEPT'] },
        BRIEF,
      );
      expect(result).toMatchObject({ outcome: 'rolled-back', reason: expect.stringContaining('no new') });
      expect(await foreign()).toBe(before);
      expect((await host.liveRules()).sets).toContain('add f2b-sshd 192.0.2.9');
      expect((await host.savedRules()).v4).not.toMatch(names);
      await waitUntilIdle(host);
    };
    await Promise.all(OTHERS.map(([v4, names]) => check(v4, names)));
  },
);

fault('A9', 'a window too short for a connection and its retry', 'refused before the change', async () => {
  const { host, client } = await testLab.host();
  const before = await rulesetsOf(host);
  const { result } = await client.deploy(host, open(81), { change: { confirmWithinSeconds: 2 } });
  expect(result).toMatchObject(refusedBecause('confirm_within is 2 seconds'));
  await expectOld(host, before);
});

fault(
  'A2',
  'a watchdog cannot be armed, or dies at once',
  'nothing is changed unless both watchdogs are running',
  async () => {
    const check = async (kind: 'light' | 'systemd', breakIt: string, repair: string, reason: RegExp) => {
      const { host, client } = await testLab.host({}, kind);
      const before = await rulesetsOf(host);
      await host.must(breakIt);
      const { result } = await client.deploy(host, open(81), { change: { confirmWithinSeconds: 12 } });
      await host.must(repair);
      expect(result).toMatchObject({ outcome: 'refused', reason: expect.stringMatching(reason) });
      await expectOld(host, before);
    };
    const none = 'backup timer could not be armed, so nothing was changed';
    const wrap = (tool: string, test: string): string =>
      `mv ${tool} ${tool}.real; printf '#!/bin/sh\\n%s\\nexec ${tool}.real "$@"\\n' ${shellQuote(test)} >${tool}; chmod +x ${tool}`;
    const unwrap = (tool: string): string => `mv ${tool}.real ${tool}`;
    const [setsid, run] = ['/usr/bin/setsid', '/usr/bin/systemd-run'];
    await Promise.all([
      // The backup timer, then the supervisor; without systemd, and with it.
      check(
        'light',
        wrap(setsid, 'case "$*" in *" late "*) exit 1 ;; esac'),
        unwrap(setsid),
        new RegExp(none),
      ),
      // It is running for a while, as on a slow host, but exits before it waits.
      check(
        'light',
        wrap(setsid, 'case "$*" in *" late "*) sleep 2; exit 1 ;; esac'),
        unwrap(setsid),
        new RegExp(none),
      ),
      check(
        'light',
        wrap(setsid, 'case "$*" in *" supervise "*) exit 1 ;; esac'),
        unwrap(setsid),
        /still in phase arm/,
      ),
      check(
        'systemd',
        wrap(
          run,
          'case "$*" in *--on-active*) shift; "$0.real" "$@"; systemctl stop "sallyport-*-late.timer"; exit ;; esac',
        ),
        unwrap(run),
        new RegExp(none),
      ),
    ]);
  },
);

fault('A4', 'applying hangs', 'killed and rolled back: the deadline covers applying too', async () => {
  const check = async (kind: 'light' | 'systemd'): Promise<void> => {
    const { host, client } = await testLab.host({}, kind);
    const before = await rulesetsOf(host);
    await host.must(replaceTool('ip6tables-restore', '[ -e /run/hung ] || { : >/run/hung; sleep 600; }'));
    const { result } = await client.deploy(host, open(81), BRIEF);
    await host.must(restoreTool('ip6tables-restore'));
    expect(result).toMatchObject({
      outcome: 'rolled-back',
      reason: expect.stringContaining('still in phase apply'),
    });
    await expectOld(host, before);
    expect(await host.must("pgrep -f 'sleep 60[0]' || true")).toBe('');
  };
  await Promise.all([check('light'), check('systemd')]);
});

fault(
  'A8',
  'the new rules accept SSH but block what the host itself must reach',
  'found by a check that runs on the host; rolled back at once',
  async () => {
    const [{ host, client }, { host: other }] = [await testLab.host(), await testLab.host()];
    const before = await rulesetsOf(host);
    const location = { kind: 'policy' as const, file: 'policies/fleet.yml', line: 1, column: 1 };
    const command = `timeout 2 bash -c '</dev/tcp/${other.addresses.v4}/22'`;
    const policy = policyHost(host, { checks: [{ kind: 'command', command, location }] });
    expect((await client.deploy(host, open(80), { policy })).result).toMatchObject({ outcome: 'confirmed' });
    const change = changeTo(await client.state(host), open(81));
    const mute = '-A SALLYPORT-OUTPUT -m conntrack --ctstate NEW -j DROP\n-I OUTPUT 1 -j SALLYPORT-OUTPUT\n';
    const unmute = '-D OUTPUT -j SALLYPORT-OUTPUT\n-F SALLYPORT-OUTPUT\n-X SALLYPORT-OUTPUT\n';
    const { forward, backward } = change;
    const muted: Change = {
      ...change,
      forward: { ...forward, v4: `${forward.v4}*filter\n:SALLYPORT-OUTPUT - [0:0]\n${mute}COMMIT\n` },
      backward: { ...backward, v4: `${backward.v4}*filter\n${unmute}COMMIT\n` },
    };
    expect(await client.hosts.transact(policy, muted, () => {})).toMatchObject({
      outcome: 'rolled-back',
      reason: expect.stringContaining(`check "${command}" exited with status`),
    });
    await expectOld(host, before);
  },
);
