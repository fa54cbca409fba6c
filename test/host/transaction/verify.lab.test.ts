/** Faults while new connections are verified, and conditions that must not fail it (group V). */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import { until } from '../../../src/lab/shell.js';
import type { Check, Fleet, Host } from '../../../src/policy/fleet.js';
import { loadFleet } from '../../../src/policy/load.js';
import { deployFleet } from '../../../src/rollout/deploy/deploy.js';
import { writePolicy } from '../../cli/lab-program.js';
import { lockedOut, lockedOutOfV6, open } from '../change.js';
import { diallingClient, policyHost, testClient, waitUntilIdle } from '../hosts.js';
import { openssh } from '../ssh/openssh.js';
import {
  expectNew,
  expectOld,
  fault,
  lastOutcome,
  openTestLab,
  rulesetsOf,
  type TestLab,
  watch,
} from './faults.js';

jest.setTimeout(120_000);

let testLab: TestLab;
beforeAll(async () => {
  testLab = await openTestLab();
});
afterAll(() => testLab.close());

const BRIEF = { change: { confirmWithinSeconds: 5 } };
const rolledBackBecause = (reason: string) => ({
  outcome: 'rolled-back',
  reason: expect.stringContaining(reason),
});

fault(
  'V1',
  'new SSH connections are dropped while the established session continues',
  'rolled back at once over the old session',
  async () => {
    const { host, client } = await testLab.host();
    const before = await rulesetsOf(host);
    const { result } = await client.deploy(host, lockedOut, BRIEF);
    expect(result).toMatchObject(rolledBackBecause('no new connection'));
    await expectOld(host, before);
    // The client sent this reason over the old session; the host did not wait for the deadline.
    expect((await client.state(host)).record.last?.reason).toContain('no new connection');
  },
);

fault('V3', 'the new rules limit the rate of new connections', 'confirmed: one probe is enough', async () => {
  const { host, client } = await testLab.host();
  const limited = {
    rules: [
      '-i lo -j ACCEPT',
      '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      '-p ipv6-icmp -j ACCEPT',
      '-p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -m limit --limit 6/min --limit-burst 1 -j ACCEPT',
      '-p tcp -m tcp --dport 81 -j ACCEPT',
    ],
  };
  expect((await client.deploy(host, limited)).result).toMatchObject({ outcome: 'confirmed' });
  await expectNew(host, 81);
});

fault(
  'V4',
  'new connections over one family get no answer for a while',
  'retried within the window; confirmed',
  async () => {
    const { host } = await testLab.host();
    const { client: counting, dials } = diallingClient(testLab.lab);
    watch({ lab: testLab.lab, host, client: counting });
    let repaired: Promise<void> | undefined;
    const { result } = await counting.deploy(host, open(81), {
      change: { confirmWithinSeconds: 25 },
      // One family only, so that the other is found to work; the first connection is already established.
      between: async () => {
        const [repair, earlier] = [await host.blockNewSsh('v4'), dials.length];
        const tried = (): number => dials.slice(earlier).filter((to) => to === host.addresses.v4).length;
        repaired = until('A second attempt', () => (tried() >= 2 ? true : undefined), 60).then(repair);
      },
    });
    await repaired;
    expect(result).toMatchObject({ outcome: 'confirmed' });
    await counting.close();
    await expectNew(host, 81);
  },
);

fault(
  'V4b',
  'a third of all packets is lost, so that a connection may or may not be established in time',
  'confirmed or rolled back; client and host report the same',
  async () => {
    const { host, client } = await testLab.host();
    const before = await rulesetsOf(host);
    let repair = async (): Promise<void> => {};
    const { result } = await client.deploy(host, open(81), {
      change: { confirmWithinSeconds: 20 },
      onPhase: async (phase) => {
        if (phase === 'arm') repair = await host.losePackets(0.3);
        // Asking for the outcome may fail as well with such losses; A3 covers that.
        if (phase === 'rollback') await repair();
      },
    });
    await repair().catch(() => {});
    await waitUntilIdle(host, 30);
    expect(result.outcome).toMatch(/^(confirmed|rolled-back)$/);
    expect(await lastOutcome(client, host)).toBe(result.outcome);
    if (result.outcome === 'confirmed') await expectNew(host, 81);
    else await expectOld(host, before);
  },
);

fault(
  'V5',
  'new connections are dropped silently, so that each attempt hangs',
  'each attempt times out long before the deadline; several attempts, then rolled back within the window',
  async () => {
    const { host } = await testLab.host();
    const before = await rulesetsOf(host);
    const { client: counting, dials } = diallingClient(testLab.lab);
    watch({ lab: testLab.lab, host, client: counting });
    let earlier = 0;
    const { result } = await counting.deploy(host, lockedOut, {
      change: { confirmWithinSeconds: 12 },
      onPhase: (phase) => {
        if (phase === 'verify') earlier = dials.length;
      },
    });
    await counting.close();
    expect(result).toMatchObject(rolledBackBecause('no new connection'));
    expect(result.seconds).toBeLessThan(12);
    const tries = dials.slice(earlier);
    for (const address of Object.values(host.addresses))
      expect(tries.filter((dialled) => dialled === address).length).toBeGreaterThanOrEqual(2);
    await expectOld(host, before);
  },
);

fault(
  'V6',
  "the rules accept the runner's address and block another network in admin",
  'refused before anything is changed: access of the runner proves nothing for others',
  async () => {
    const { lab } = testLab;
    const { host } = await testLab.host({}, 'light', false);
    const client = testClient(lab);
    watch({ lab, host, client });
    const policy = async (own: string): Promise<Fleet> => {
      writePolicy(lab, [host], { own: { [host.name]: own } });
      writeFileSync(
        join(lab.directory, 'policies/networks.yml'),
        `networks:\n  admin: [${lab.client.v4}, "${lab.client.v6}", ${lab.otherClient.v4}]\n`,
      );
      const read = await loadFleet(join(lab.directory, 'policies'));
      if (!read.ok) throw new Error(read.problems.map(({ message }) => message).join('\n'));
      return read.value;
    };
    const deploy = async (fleet: Fleet, acceptLockoutRisk: readonly string[] = []) =>
      (await deployFleet(fleet, fleet.hosts, client.hosts, { owner: 'test', acceptLockoutRisk })).hosts[0];
    expect(await deploy(await policy(''))).toMatchObject({ outcome: 'confirmed' });
    const before = await rulesetsOf(host);
    const locked = await policy(`    raw:
      - table: mangle
        chain: PREROUTING
        family: v4
        rule: -s ${lab.otherClient.v4} -p tcp -m tcp --dport 22 -j DROP
        reason: Login attempts from there
`);
    const refused = await deploy(locked);
    expect(refused).toMatchObject({ outcome: 'refused', phase: 'preflight' });
    expect(refused?.reason).toContain(lab.otherClient.v4);
    await expectOld(host, before);
    // The runner alone would not have noticed.
    expect(await deploy(locked, [host.name])).toMatchObject({ outcome: 'confirmed' });
    const stranger = { from: lab.otherClient.v4, connectSeconds: 2 };
    expect((await openssh(lab, host, 'true', stranger)).code).not.toBe(0);
    expect(await deploy(await policy(''))).toMatchObject({ outcome: 'confirmed' });
    expect((await openssh(lab, host, 'true', stranger)).code).toBe(0);
    await client.close();
  },
);

fault(
  'V11b',
  'the rules accept SSH for a while only, by a list whose entries expire',
  'confirmed; found by the connection after the soak',
  async () => {
    const { host, client } = await testLab.host();
    const listed = '-m recent --rcheck --seconds 8 --name knock';
    const [essential, sshRule] = [lockedOut.rules, `-p tcp -m tcp --dport 22 ${listed} -j ACCEPT`];
    const knock = (): Promise<string> =>
      host.must(
        `for from in ${testLab.lab.client.v4} ${testLab.lab.client.v6}; do echo "+$from" >/proc/net/xt_recent/knock; done`,
      );
    const { result, change } = await client.deploy(
      host,
      { rules: [...essential, sshRule] },
      { onPhase: (phase) => (phase === 'verify' ? knock() : undefined) },
    );
    expect(result).toMatchObject({ outcome: 'confirmed' });
    await until(
      'The entries have run out',
      async () =>
        (await openssh(testLab.lab, host, 'true', { connectSeconds: 1 })).code === 0 ? undefined : true,
      30,
    );
    expect(await client.hosts.reverify(policyHost(host), change)).toMatchObject({
      outcome: 'unreachable',
      phase: 'soak',
    });
    await knock();
    expect((await client.deploy(host, open(81))).result).toMatchObject({ outcome: 'confirmed' });
  },
);

fault(
  'V7',
  'IPv6 stops working under the new rules and IPv4 works',
  'rolled back: every family that worked before must work',
  async () => {
    const { host, client } = await testLab.host();
    const before = await rulesetsOf(host);
    const { result } = await client.deploy(host, lockedOutOfV6, BRIEF);
    expect(result).toMatchObject(rolledBackBecause(`no new connection over ${host.addresses.v6}`));
    await expectOld(host, before);
  },
);

fault('V8', 'sshd accepts no login any more', 'rolled back: an open port is not enough', async () => {
  const { host, client } = await testLab.host();
  const before = await rulesetsOf(host);
  const { result } = await client.deploy(host, open(81), {
    ...BRIEF,
    onPhase: (phase) =>
      phase === 'arm'
        ? host.must('chmod 700 /home; chown root /home/deploy/.ssh; mv /home/deploy/.ssh /home/deploy/gone')
        : undefined,
  });
  expect(result).toMatchObject(rolledBackBecause('accepts none of the offered keys'));
  await host.must('mv /home/deploy/gone /home/deploy/.ssh; chown deploy /home/deploy/.ssh; chmod 755 /home');
  await expectOld(host, before);
});

fault('V9', 'a check of the policy fails', 'rolled back at once, with the check in the reason', async () => {
  const { host, client } = await testLab.host();
  const before = await rulesetsOf(host);
  const checked = (...checks: Check[]): Host => policyHost(host, { checks });
  const location = { kind: 'policy' as const, file: 'policies/fleet.yml', line: 1, column: 1 };
  const wrong: readonly (readonly [Check, string])[] = [
    [{ kind: 'tcp', port: 81, open: true, location }, 'port 81 does not answer'],
    [{ kind: 'tcp', port: 22, open: false, location }, 'port 22 answers but must not'],
    [{ kind: 'command', command: 'exit 3', location }, 'check "exit 3" exited with status 3'],
  ];
  for (const [check, reason] of wrong) {
    const { result } = await client.deploy(host, open(81), { policy: checked(check) });
    expect(result).toMatchObject(rolledBackBecause(reason));
    await expectOld(host, before);
  }
  const right = checked(
    { kind: 'tcp', port: 22, open: true, location },
    { kind: 'tcp', port: 81, open: false, location },
    { kind: 'command', command: 'test "$(hostname)" != other', location },
  );
  expect((await client.deploy(host, open(81), { policy: right })).result).toMatchObject({
    outcome: 'confirmed',
  });
});

fault(
  'V10',
  'another machine answers at the address after the change',
  'rolled back: the host key is a different one',
  async () => {
    const { host, client } = await testLab.host();
    const { host: other } = await testLab.host();
    const before = await rulesetsOf(host);
    // Its key is pinned for the host's address as well, but the first connection saw the other key.
    const knownHosts = `${readFileSync(testLab.lab.knownHosts, 'utf8')}${other.hostKeys.map((key) => `${host.addresses.v4} ${key}\n`).join('')}`;
    let swapped = false;
    const fooled = testClient(testLab.lab, {
      knownHosts: [knownHosts],
      connect: (address, port) =>
        testLab.lab.connect(swapped && address === host.addresses.v4 ? other.addresses.v4 : address, port),
    });
    const { result } = await fooled.deploy(host, open(81), {
      ...BRIEF,
      onPhase: (phase) => {
        if (phase === 'arm') swapped = true;
      },
    });
    expect(result).toMatchObject(rolledBackBecause('a different pinned host key'));
    await fooled.close();
    await client.close();
    await expectOld(host, before);
  },
);
