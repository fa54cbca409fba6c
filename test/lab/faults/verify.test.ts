/** Group V: what must not pass for a proof, and what must not fail one. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import type { Check, Host } from '../../../src/policy/fleet.js';
import { lockedOut, lockedOutOfV6, open } from '../host/change.js';
import { clientOf, policyHost } from '../host/hosts.js';
import { expectNew, expectOld, fault, openScenes, type Scenes, standOf } from './faults.js';

jest.setTimeout(120_000);

let scenes: Scenes;
beforeAll(async () => {
  scenes = await openScenes();
});
afterAll(() => scenes.close());

const BRIEF = { change: { confirmWithinSeconds: 5 } };
const rolledBackBecause = (reason: string) => ({
  outcome: 'rolled-back',
  reason: expect.stringContaining(reason),
});

fault(
  'V1',
  'new SSH is dropped while the established session lives',
  'rolled back at once over the old session',
  async () => {
    const { host, client } = await scenes.host();
    const before = await standOf(host);
    const { result } = await client.deploy(host, lockedOut, BRIEF);
    expect(result).toMatchObject(rolledBackBecause('no new connection'));
    await expectOld(host, before);
  },
);

fault('V3', 'the new rules limit the rate of new connections', 'confirmed: one probe is enough', async () => {
  const { host, client } = await scenes.host();
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
  'new connections get no answer for a while',
  'tried again inside the window, and confirmed',
  async () => {
    const { host, client } = await scenes.host();
    const { result } = await client.deploy(host, open(81), {
      change: { confirmWithinSeconds: 20 },
      onPhase: async (phase) => {
        if (phase !== 'arm') return;
        const mend = await host.blockNewSsh();
        await new Promise((resolve) => setTimeout(resolve, 3_000));
        await mend();
      },
    });
    expect(result).toMatchObject({ outcome: 'confirmed' });
    await expectNew(host, 81);
  },
);

fault('V4b', 'a third of all packets is lost', 'ends as the host says', async () => {
  const { host, client } = await scenes.host();
  const before = await standOf(host);
  const mend = await host.losePackets(0.3);
  const { result } = await client
    .deploy(host, open(81), { change: { confirmWithinSeconds: 20 } })
    .finally(mend);
  if (result.outcome === 'confirmed') await expectNew(host, 81);
  else await expectOld(host, before);
});

fault(
  'V7',
  'v6 is dead under the new rules and v4 lives',
  'rolled back: every family that worked must work',
  async () => {
    const { host, client } = await scenes.host();
    const before = await standOf(host);
    const { result } = await client.deploy(host, lockedOutOfV6, BRIEF);
    expect(result).toMatchObject(rolledBackBecause(`no new connection over ${host.addresses.v6}`));
    await expectOld(host, before);
  },
);

fault('V8', 'sshd lets nobody log in any more', 'rolled back: an open port is no proof', async () => {
  const { host, client } = await scenes.host();
  const before = await standOf(host);
  const { result } = await client.deploy(host, open(81), {
    ...BRIEF,
    onPhase: (phase) =>
      phase === 'arm'
        ? host.must('chmod 700 /home; chown root /home/deploy/.ssh; mv /home/deploy/.ssh /home/deploy/gone')
        : undefined,
  });
  expect(result).toMatchObject(rolledBackBecause('accepts none of the keys'));
  await host.must('mv /home/deploy/gone /home/deploy/.ssh; chown deploy /home/deploy/.ssh; chmod 755 /home');
  await expectOld(host, before);
});

fault(
  'V9',
  'a check of the policy does not hold',
  'rolled back at once, and the check is named',
  async () => {
    const { host, client } = await scenes.host();
    const before = await standOf(host);
    const checked = (...checks: Check[]): Host => policyHost(host, { checks });
    const place = { file: 'policies/fleet.yml', line: 1, column: 1 };
    const wrong: readonly (readonly [Check, string])[] = [
      [{ kind: 'tcp', port: 81, open: true, place }, 'port 81 does not answer'],
      [{ kind: 'tcp', port: 22, open: false, place }, 'port 22 answers, and must not'],
      [{ kind: 'command', command: 'exit 3', place }, 'the check "exit 3" ended with status 3'],
    ];
    for (const [check, reason] of wrong) {
      const { result } = await client.deploy(host, open(81), { policy: checked(check) });
      expect(result).toMatchObject(rolledBackBecause(reason));
      await expectOld(host, before);
    }
    const right = checked(
      { kind: 'tcp', port: 22, open: true, place },
      { kind: 'tcp', port: 81, open: false, place },
      { kind: 'command', command: 'test "$(hostname)" != other', place },
    );
    expect((await client.deploy(host, open(81), { policy: right })).result).toMatchObject({
      outcome: 'confirmed',
    });
  },
);

fault(
  'V10',
  'another machine answers at the address after the change',
  'rolled back: its host key is not the one',
  async () => {
    const { host, client } = await scenes.host();
    const { host: other } = await scenes.host();
    const before = await standOf(host);
    // Its key is even pinned for the host's address: the first connection saw the other one.
    const knownHosts = `${readFileSync(scenes.lab.knownHosts, 'utf8')}${other.hostKeys.map((key) => `${host.addresses.v4} ${key}\n`).join('')}`;
    let swapped = false;
    const fooled = clientOf(scenes.lab, {
      knownHosts: [knownHosts],
      connect: (address, port) =>
        scenes.lab.connect(swapped && address === host.addresses.v4 ? other.addresses.v4 : address, port),
    });
    const { result } = await fooled.deploy(host, open(81), {
      ...BRIEF,
      onPhase: (phase) => {
        if (phase === 'arm') swapped = true;
      },
    });
    expect(result).toMatchObject(rolledBackBecause('another of its pinned host keys'));
    await fooled.close();
    await client.close();
    await expectOld(host, before);
  },
);
