/** Groups F and R: the moment of the confirmation, what makes a change last, and the way back. */
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import type { Change } from '../../../src/host/port.js';
import { until } from '../../../src/lab/shell.js';
import { changeTo, lockedOut, open } from '../host/change.js';
import { policyHost, quiet } from '../host/hosts.js';
import { expectNew, expectOld, fault, lastOutcome, openScenes, type Scenes, standOf } from './faults.js';
import { askHost } from './questions.js';

jest.setTimeout(240_000);

let scenes: Scenes;
beforeAll(async () => {
  scenes = await openScenes();
});
afterAll(() => scenes.close());

const BRIEF: { readonly change: Partial<Change> } = { change: { confirmWithinSeconds: 5 } };

/** How often the race is run; a longer script sets it higher. */
const ROUNDS = Number(process.env.SALLYPORT_RACES ?? 12);

fault(
  'F1',
  'the confirmation arrives in the moment of the deadline',
  'either confirmed or rolled back, never both',
  async () => {
    const { host, client } = await scenes.host();
    const seen = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      const before = await standOf(host);
      const port = 1000 + round;
      const change = changeTo(await client.state(host), open(port));
      const token = 'token';
      const armed = await askHost(scenes.lab, host, 'begin', { change, token, seconds: 2 });
      expect(armed).toMatch(/^applied /);
      // Spread over the tenths of a second around the deadline, by the host's own clock.
      const offset = (round % 12) * 2 - 12;
      await host.must(`deadline=$(($(cat /var/lib/sallyport/pending/deadline) + ${offset}))
      while read -r now rest </proc/uptime; [ "\${now%.*}\${now#*.}" -lt "$deadline" ]; do sleep 0.01; done`);
      const said = await askHost(scenes.lab, host, 'confirm', { change, token });
      const [, outcome = ''] = said.split(' ');
      seen.add(outcome);
      if (outcome === 'confirmed') await expectNew(host, port);
      else await expectOld(host, before);
      expect([round, await lastOutcome(client, host)]).toEqual([round, outcome]);
    }
    expect([...seen].every((outcome) => /^(confirmed|rolled-back)$/.test(outcome))).toBe(true);
  },
);

fault(
  'F2',
  'the confirmation comes after the rollback',
  'the host says rolled-back, and so does the client',
  async () => {
    const { host, client } = await scenes.host();
    const before = await standOf(host);
    const change = changeTo(await client.state(host), open(81));
    await askHost(scenes.lab, host, 'begin', { change, token: 'token', seconds: 1 });
    await quiet(host, 15);
    expect(await askHost(scenes.lab, host, 'confirm', { change, token: 'token' })).toMatch(
      /^ended rolled-back verify nobody confirmed/,
    );
    await expectOld(host, before);
  },
);

fault(
  'F3',
  'the confirmation is heard and its answer lost',
  'asked again by run id: confirmed; asking twice changes nothing',
  async () => {
    const { host, client } = await scenes.host();
    const change = changeTo(await client.state(host), open(81));
    await askHost(scenes.lab, host, 'begin', { change, token: 'token', seconds: 20 });
    const first = await askHost(scenes.lab, host, 'confirm', { change, token: 'token' });
    expect(first).toMatch(/^ended confirmed/);
    expect(await askHost(scenes.lab, host, 'confirm', { change, token: 'token' })).toBe(first);
    expect(await askHost(scenes.lab, host, 'probe', { change, token: 'token' })).toBe(first);
    expect(await askHost(scenes.lab, host, 'begin', { change, token: 'token', seconds: 20 })).toBe(first);
    await expectNew(host, 81);
  },
);

fault(
  'F5',
  'a confirmation with another token, or of another run',
  'refused; the host goes back',
  async () => {
    const { host, client } = await scenes.host();
    const before = await standOf(host);
    const change = changeTo(await client.state(host), open(81));
    await askHost(scenes.lab, host, 'begin', { change, token: 'token', seconds: 3 });
    expect(await askHost(scenes.lab, host, 'confirm', { change, token: 'other' })).toMatch(
      /^refuse bad-token/,
    );
    expect(
      await askHost(scenes.lab, host, 'confirm', { change: { ...change, run: 'other' }, token: 'token' }),
    ).toBe('none');
    expect(await host.exec('su -s /bin/sh deploy -c "ls /var/lib/sallyport"')).not.toMatchObject({ code: 0 });
    await quiet(host, 15);
    await expectOld(host, before);
  },
);

fault(
  'F6',
  'the saved file cannot be written once the change is confirmed',
  'rolled back, in the kernel too',
  async () => {
    const { host, client } = await scenes.host();
    const before = await standOf(host);
    let mend = async (): Promise<void> => {};
    const { result } = await client.deploy(host, open(81), {
      onPhase: async (phase) => {
        if (phase === 'arm') mend = await host.readOnly('/etc/iptables');
      },
    });
    expect(result).toMatchObject({
      outcome: 'rolled-back',
      reason: expect.stringContaining('could not be saved'),
    });
    await mend();
    await host.must('rm -f /etc/iptables/*.sallyport');
    await expectOld(host, before);
  },
);

fault(
  'F7',
  'the confirming process is killed while it saves',
  'the supervisor finishes: the new rules stand and are saved',
  async () => {
    const { host, client } = await scenes.host();
    // Writing takes its time, once.
    await host.must(
      `printf '#!/bin/sh\\n[ -e /run/slow ] || { touch /run/slow; sleep 4; }\\nexec /usr/bin/mv "$@"\\n' >/usr/local/sbin/mv.slow; chmod +x /usr/local/sbin/mv.slow`,
    );
    const change = changeTo(await client.state(host), open(81));
    await askHost(scenes.lab, host, 'begin', { change, token: 'token', seconds: 4 });
    await host.must('mv /var/lib/sallyport/pending/state.pending /var/lib/sallyport/pending/state.confirmed');
    await quiet(host, 20);
    await expectNew(host, 81);
    expect(await lastOutcome(client, host)).toBe('confirmed');
  },
);

fault('F8', 'foreign rules and sets live in the kernel', 'they are not saved', async () => {
  const { host, client } = await scenes.host();
  await host.must('iptables -N f2b-sshd; iptables -A INPUT -j f2b-sshd; ipset create bans hash:ip');
  expect((await client.deploy(host, open(81))).result).toMatchObject({ outcome: 'confirmed' });
  const { v4, sets } = await host.savedRules();
  expect(v4).not.toContain('f2b');
  expect(sets ?? '').not.toContain('bans');
});

fault(
  'F10',
  'the boot loader is not enabled',
  'said with the confirmation; enabled where the policy says so',
  async () => {
    const { host, client } = await scenes.host({}, 'whole');
    await host.must('systemctl disable --quiet netfilter-persistent');
    expect((await client.deploy(host, open(81))).result).toMatchObject({
      outcome: 'confirmed',
      reason: expect.stringContaining('netfilter-persistent is not enabled'),
    });
    const policy = policyHost(host, { boot: { enable: true } });
    expect((await client.deploy(host, open(82), { policy })).result).toMatchObject({
      outcome: 'confirmed',
      reason: '',
    });
    await host.powerCut();
    await host.boot();
    await expectNew(host, 82);
  },
);

fault(
  'F11',
  'a timer that was not really stopped',
  'there is none: after the window the new rules stand',
  async () => {
    for (const kind of ['light', 'whole'] as const) {
      const { host, client } = await scenes.host({}, kind);
      const { result } = await client.deploy(host, open(81), BRIEF);
      expect(result).toMatchObject({ outcome: 'confirmed' });
      expect(await host.must("pgrep -f 'pending/[a]gent.sh' || true")).toBe('');
      await expectNew(host, 81);
    }
  },
);

fault('R1', 'the snapshot is damaged', 'the saved rules are loaded, and it is said', async () => {
  const { host, client } = await scenes.host();
  const before = await standOf(host);
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

fault('R2', 'the way back fails at first', 'tried again until it succeeds, and recorded', async () => {
  const { host, client } = await scenes.host({ backend: 'legacy' });
  const before = await standOf(host);
  let mend = async (): Promise<void> => {};
  const { result } = await client.deploy(host, lockedOut, {
    ...BRIEF,
    onPhase: async (phase) => {
      if (phase !== 'rollback') return;
      mend = await host.holdXtablesLock();
      await new Promise((resolve) => setTimeout(resolve, 7_000));
      await mend();
    },
  });
  expect(result).toMatchObject({ outcome: 'rolled-back' });
  await expectOld(host, before);
});

fault(
  'R3',
  'a set of ours is destroyed inside the window',
  'restored with the rules that name it',
  async () => {
    const { host, client } = await scenes.host({}, 'light', false);
    const office = ['192.0.2.0/28', '198.51.100.0/24'];
    const named = { ...open(81), rules: [...open(81).rules], office };
    expect((await client.deploy(host, named)).result).toMatchObject({ outcome: 'confirmed' });
    const before = await standOf(host);
    expect(before.live.sets).toContain('add sallyport-office 192.0.2.0/28');
    expect(before.saved.sets).toContain('add sallyport-office 192.0.2.0/28');
    const { result } = await client.deploy(
      host,
      { ...lockedOut, office },
      {
        ...BRIEF,
        onPhase: (phase) => (phase === 'verify' ? host.must('ipset destroy sallyport-office') : undefined),
      },
    );
    expect(result).toMatchObject({ outcome: 'rolled-back' });
    await quiet(host);
    expect((await host.liveRules()).v4).toBe(before.live.v4);
    expect((await host.liveRules()).sets.split('\n').sort()).toEqual(before.live.sets.split('\n').sort());
  },
);

fault('R4', 'a ban is added inside the window', 'it survives the rollback', async () => {
  const { host, client } = await scenes.host();
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

fault('R5', 'the client is gone when the host goes back', 'the next reading tells of it', async () => {
  const { host, client } = await scenes.host();
  const change = changeTo(await client.state(host), lockedOut);
  await askHost(scenes.lab, host, 'begin', { change, token: 'token', seconds: 1 });
  await quiet(host, 15);
  expect((await client.state(host)).record.last).toMatchObject({
    run: change.run,
    outcome: 'rolled-back',
    reason: 'nobody confirmed it in time',
  });
});

fault('R6', 'the rollback is asked for twice', 'it happens once', async () => {
  const { host, client } = await scenes.host();
  const before = await standOf(host);
  const change = changeTo(await client.state(host), open(81));
  await askHost(scenes.lab, host, 'begin', { change, token: 'token', seconds: 20 });
  const said = await Promise.all(
    [1, 2].map(() =>
      askHost(scenes.lab, host, 'abort', { change, token: 'token', reason: 'a check failed' }),
    ),
  );
  expect(said).toEqual([
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
  'the host goes back long before the deadline',
  async () => {
    const { host, client } = await scenes.host();
    const place = { file: 'policies/fleet.yml', line: 1, column: 1 };
    const policy = policyHost(host, { checks: [{ kind: 'command', command: 'false', place }] });
    const { result } = await client.deploy(host, open(81), { policy, change: { confirmWithinSeconds: 60 } });
    expect(result).toMatchObject({ outcome: 'rolled-back' });
    expect(result.seconds).toBeLessThan(20);
  },
);
