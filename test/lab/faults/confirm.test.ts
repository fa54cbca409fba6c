/** Group F: the moment of the confirmation, and what makes a change last. */
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import type { Change } from '../../../src/host/port.js';
import { changeTo, open } from '../host/change.js';
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
const ROUNDS = Number(process.env.SALLYPORT_RACES ?? 16);
const LANES = 4;

fault(
  'F1',
  'the confirmation arrives in the moment of the deadline',
  'either confirmed or rolled back, never both',
  async () => {
    const race = async (lane: number): Promise<void> => {
      const { host, client } = await scenes.host();
      for (let round = 0; round < ROUNDS / LANES; round++) {
        const before = await standOf(host);
        const port = 1000 + round;
        const change = changeTo(await client.state(host), open(port));
        const armed = await askHost(scenes.lab, host, 'begin', { change, token: 'token', seconds: 2 });
        expect(armed).toMatch(/^applied /);
        // Hundredths of a second around the deadline, by the host's own clock; asking takes some 20 of them.
        const offset = ((round * LANES + lane) % 16) * 4 - 50;
        await host.must(`deadline=$(($(cat /var/lib/sallyport/pending/deadline) + ${offset}))
          while read -r now rest </proc/uptime; [ "\${now%.*}\${now#*.}" -lt "$deadline" ]; do sleep 0.01; done`);
        const said = await askHost(scenes.lab, host, 'confirm', { change, token: 'token' });
        const [, outcome = ''] = said.split(' ');
        expect(outcome).toMatch(/^(confirmed|rolled-back)$/);
        if (outcome === 'confirmed') await expectNew(host, port);
        else await expectOld(host, before);
        expect([round, await lastOutcome(client, host)]).toEqual([round, outcome]);
      }
    };
    await Promise.all(Array.from({ length: LANES }, (_, lane) => race(lane)));
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
    // As far as a process comes that is killed right after its first step.
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
