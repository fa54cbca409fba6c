/** Faults during a rollback (group R). */
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import type { Change } from '../../../src/host/client.js';
import { until } from '../../../src/lab/shell.js';
import { changeTo, lockedOut, open } from '../change.js';
import { policyHost, waitUntilIdle } from '../hosts.js';
import { openSession, openssh } from '../ssh/openssh.js';
import { expectOld, fault, lastOutcome, openTestLab, rulesetsOf, type TestLab } from './faults.js';
import { sendRequest } from './requests.js';

jest.setTimeout(240_000);

let testLab: TestLab;
beforeAll(async () => {
  testLab = await openTestLab();
});
afterAll(() => testLab.close());

const BRIEF: { readonly change: Partial<Change> } = { change: { confirmWithinSeconds: 5 } };

fault('R1', 'the snapshot is damaged', 'the saved rules are loaded, with a note in the reason', async () => {
  const { host, client } = await testLab.host();
  const before = await rulesetsOf(host);
  const { result } = await client.deploy(host, lockedOut, {
    ...BRIEF,
    onPhase: (phase) =>
      phase === 'verify' ? host.must('echo garbage >/var/lib/sallyport/pending/snapshot.v4') : undefined,
  });
  expect(result).toMatchObject({
    outcome: 'rolled-back',
    reason: expect.stringContaining('the snapshot was damaged'),
  });
  await expectOld(host, before);
});

fault(
  'R1b',
  'the snapshot is damaged, and no rules were ever saved',
  "after ten tries Sallyport's rules are removed, with a note in the reason; foreign rules stay, and the host is reachable",
  async () => {
    const { host, client } = await testLab.host({}, 'light', false);
    await host.must(
      'iptables -A INPUT -p tcp --dport 9 -j DROP; ip6tables -A INPUT -p tcp --dport 9 -j DROP',
    );
    await client.deploy(host, lockedOut, {
      ...BRIEF,
      onPhase: (phase) =>
        phase === 'verify' ? host.must('echo garbage >/var/lib/sallyport/pending/snapshot.v4') : undefined,
    });
    const last = await until(
      'The host has ended the change',
      async () => {
        const text = await host.readFile('/var/lib/sallyport/last');
        return text?.includes('outcome rolled-back') ? text : undefined;
      },
      60,
    );
    expect(last).toContain(
      "the snapshot was damaged and no saved rules load, so all of Sallyport's rules were removed",
    );
    const { v4, v6 } = await host.liveRules();
    for (const text of [v4, v6]) {
      expect(text).not.toMatch(/SALLYPORT|DROP \[/);
      expect(text).toContain('-A INPUT -p tcp -m tcp --dport 9 -j DROP');
    }
  },
);

fault('R2', 'the rollback fails at first', 'retried until it succeeds, and recorded', async () => {
  const { host, client } = await testLab.host({ backend: 'legacy' });
  const before = await rulesetsOf(host);
  let repair = async (): Promise<void> => {};
  const { result } = await client.deploy(host, lockedOut, {
    ...BRIEF,
    onPhase: async (phase) => {
      if (phase !== 'rollback') return;
      repair = await host.holdXtablesLock();
      await until('The rollback has failed once', async () =>
        (await host.readFile('/var/lib/sallyport/pending/error'))?.includes('lock') ? true : undefined,
      );
      await repair();
    },
  });
  expect(result).toMatchObject({ outcome: 'rolled-back' });
  await expectOld(host, before);
  expect(await lastOutcome(client, host)).toBe('rolled-back');
});

fault(
  'R3',
  "one of Sallyport's sets is destroyed within the window",
  'restored together with the rules that reference it',
  async () => {
    const { host, client } = await testLab.host({}, 'light', false);
    const office = ['192.0.2.0/28', '198.51.100.0/24'];
    const named = { ...open(81), rules: [...open(81).rules], office };
    expect((await client.deploy(host, named)).result).toMatchObject({ outcome: 'confirmed' });
    const before = await rulesetsOf(host);
    expect(before.live.sets).toContain('add SALLYPORT-office-4 192.0.2.0/28');
    expect(before.saved.sets).toContain('add SALLYPORT-office-4 192.0.2.0/28');
    const { result } = await client.deploy(
      host,
      { ...lockedOut, office },
      {
        ...BRIEF,
        onPhase: (phase) => (phase === 'verify' ? host.must('ipset destroy SALLYPORT-office-4') : undefined),
      },
    );
    expect(result).toMatchObject({ outcome: 'rolled-back' });
    await waitUntilIdle(host);
    expect((await host.liveRules()).v4).toBe(before.live.v4);
    expect((await host.liveRules()).sets.split('\n').sort()).toEqual(before.live.sets.split('\n').sort());
  },
);

fault('R4', 'a ban is added within the window', 'it survives the rollback', async () => {
  const { host, client } = await testLab.host();
  const { result } = await client.deploy(host, lockedOut, {
    ...BRIEF,
    onPhase: (phase) =>
      phase === 'verify'
        ? host.must(
            'iptables -N f2b-sshd; iptables -A f2b-sshd -s 192.0.2.9 -j DROP; iptables -I INPUT 1 -j f2b-sshd',
          )
        : undefined,
  });
  expect(result).toMatchObject({ outcome: 'rolled-back' });
  const { v4 } = await host.liveRules();
  expect(v4).toContain('-A f2b-sshd -s 192.0.2.9/32 -j DROP');
  expect(v4).toContain('-A INPUT -j f2b-sshd\n-A INPUT -j SALLYPORT-INPUT');
  expect(v4).toContain('--dport 22 -j ACCEPT');
});

fault('R5', 'the client is gone when the host rolls back', 'the next reading reports it', async () => {
  const { host, client } = await testLab.host();
  const change = changeTo(await client.state(host), lockedOut);
  await sendRequest(testLab.lab, host, 'begin', { change, token: 'token', seconds: 1 });
  await waitUntilIdle(host, 15);
  expect((await client.state(host)).record.last).toMatchObject({
    run: change.run,
    outcome: 'rolled-back',
    reason: 'not confirmed in time',
  });
});

fault('R6', 'the rollback is requested twice', 'it happens once', async () => {
  const { host, client } = await testLab.host();
  const before = await rulesetsOf(host);
  const change = changeTo(await client.state(host), open(81));
  await sendRequest(testLab.lab, host, 'begin', { change, token: 'token', seconds: 20 });
  const answers = await Promise.all(
    [1, 2].map(() =>
      sendRequest(testLab.lab, host, 'abort', { change, token: 'token', reason: 'a check failed' }),
    ),
  );
  expect(answers).toEqual([
    'ended rolled-back verify a check failed',
    'ended rolled-back verify a check failed',
  ]);
  await until('It is over', async () =>
    (await host.exec('[ ! -d /var/lib/sallyport/pending ]')).code === 0 ? true : undefined,
  );
  await expectOld(host, before);
});

fault(
  'R7',
  'the change is known to be bad at once',
  'the host rolls back long before the deadline',
  async () => {
    const { host, client } = await testLab.host();
    const location = { kind: 'policy' as const, file: 'policies/fleet.yml', line: 1, column: 1 };
    const policy = policyHost(host, { checks: [{ kind: 'command', command: 'false', location }] });
    const { result } = await client.deploy(host, open(81), { policy, change: { confirmWithinSeconds: 60 } });
    expect(result).toMatchObject({ outcome: 'rolled-back' });
    expect(result.seconds).toBeLessThan(20);
  },
);

fault(
  'R8',
  'a connection was accepted by rules that have since been removed or rolled back',
  'new connections are blocked; the established one continues until it ends',
  async () => {
    const { host, client } = await testLab.host();
    const { lab } = testLab;
    await host.must('/usr/sbin/sshd -p 81 -o PidFile=none');
    const known = `${lab.directory}/known_hosts_81`;
    writeFileSync(known, host.hostKeys.map((key) => `[${host.addresses.v4}]:81 ${key}\n`).join(''));
    const there = { port: 81, knownHosts: known, connectSeconds: 2 };
    const accepted = async (): Promise<boolean> => (await openssh(lab, host, 'true', there)).code === 0;

    expect((await client.deploy(host, open(81))).result).toMatchObject({ outcome: 'confirmed' });
    const kept = await openSession(lab, host, there);
    expect((await client.deploy(host, open(82))).result).toMatchObject({ outcome: 'confirmed' });
    await kept.echoes('closed');
    expect(await accepted()).toBe(false);

    // Accepted by a change that was never confirmed.
    const change = changeTo(await client.state(host), open(81, 82));
    await sendRequest(lab, host, 'begin', { change, token: 'token', seconds: 20 });
    const inside = await openSession(lab, host, there);
    await sendRequest(lab, host, 'abort', { change, token: 'token', reason: 'a check failed' });
    await waitUntilIdle(host);
    await inside.echoes('back');
    expect(await accepted()).toBe(false);
    for (const session of [kept, inside]) session.end();
  },
);
