/** Faults during the confirmation and while the rules are saved (group F). */
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import type { Change } from '../../../src/host/client.js';
import { until } from '../../../src/lab/shell.js';
import { changeTo, open } from '../change.js';
import { policyHost, waitUntilIdle } from '../hosts.js';
import { expectNew, expectOld, fault, lastOutcome, openTestLab, rulesetsOf, type TestLab } from './faults.js';
import { sendRequest } from './requests.js';

jest.setTimeout(240_000);

let testLab: TestLab;
beforeAll(async () => {
  testLab = await openTestLab();
});
afterAll(() => testLab.close());

const BRIEF: { readonly change: Partial<Change> } = { change: { confirmWithinSeconds: 8 } };

fault('F2', 'the confirmation comes after the rollback', 'host and client report rolled-back', async () => {
  const { host, client } = await testLab.host();
  const before = await rulesetsOf(host);
  const change = changeTo(await client.state(host), open(81));
  await sendRequest(testLab.lab, host, 'begin', { change, token: 'token', seconds: 1 });
  await waitUntilIdle(host, 15);
  expect(await sendRequest(testLab.lab, host, 'confirm', { change, token: 'token' })).toMatch(
    /^ended rolled-back verify not confirmed in time/,
  );
  await expectOld(host, before);
});

fault(
  'F3',
  'the confirmation is received and its answer lost',
  'asking again by run id returns confirmed; asking twice changes nothing',
  async () => {
    const { host, client } = await testLab.host();
    const change = changeTo(await client.state(host), open(81));
    await sendRequest(testLab.lab, host, 'begin', { change, token: 'token', seconds: 20 });
    const first = await sendRequest(testLab.lab, host, 'confirm', { change, token: 'token' });
    expect(first).toMatch(/^ended confirmed/);
    expect(await sendRequest(testLab.lab, host, 'confirm', { change, token: 'token' })).toBe(first);
    expect(await sendRequest(testLab.lab, host, 'probe', { change, token: 'token' })).toBe(first);
    expect(await sendRequest(testLab.lab, host, 'begin', { change, token: 'token', seconds: 20 })).toBe(
      first,
    );
    await expectNew(host, 81);
  },
);

fault(
  'F5',
  'a confirmation with another token, or of another run',
  'refused; the host rolls back',
  async () => {
    const { host, client } = await testLab.host();
    const before = await rulesetsOf(host);
    const change = changeTo(await client.state(host), open(81));
    await sendRequest(testLab.lab, host, 'begin', { change, token: 'token', seconds: 3 });
    expect(await sendRequest(testLab.lab, host, 'confirm', { change, token: 'other' })).toMatch(
      /^refuse bad-token/,
    );
    expect(
      await sendRequest(testLab.lab, host, 'confirm', {
        change: { ...change, run: 'other' },
        token: 'token',
      }),
    ).toBe('none');
    expect(await host.exec('su -s /bin/sh deploy -c "ls /var/lib/sallyport"')).not.toMatchObject({ code: 0 });
    await waitUntilIdle(host, 15);
    await expectOld(host, before);
  },
);

fault(
  'F6',
  'the saved file cannot be written after the confirmation',
  'rolled back, in the kernel too',
  async () => {
    const { host, client } = await testLab.host();
    const before = await rulesetsOf(host);
    let repair = async (): Promise<void> => {};
    const { result } = await client.deploy(host, open(81), {
      onPhase: async (phase) => {
        if (phase === 'arm') repair = await host.readOnly('/etc/iptables');
      },
    });
    expect(result).toMatchObject({
      outcome: 'rolled-back',
      reason: expect.stringContaining('could not be saved'),
    });
    await repair();
    await host.must('rm -f /etc/iptables/*.sallyport');
    await expectOld(host, before);
  },
);

fault(
  'F4',
  'the confirmation is sent repeatedly, from before the rules are applied',
  'answered as pending until the new rules are applied, then confirmed',
  async () => {
    const { host, client } = await testLab.host();
    const change = changeTo(await client.state(host), open(81));
    const beginning = sendRequest(testLab.lab, host, 'begin', { change, token: 'token', seconds: 20 });
    const answers: string[] = [];
    await until(
      'The confirmation counts',
      async () => {
        answers.push(await sendRequest(testLab.lab, host, 'confirm', { change, token: 'token' }));
        return answers.at(-1)?.startsWith('ended') ? true : undefined;
      },
      30,
    );
    expect(await beginning).toMatch(/^(applied|ended confirmed)/);
    expect(answers.at(-1)).toMatch(/^ended confirmed/);
    for (const answer of answers.slice(0, -1)) expect(answer).toMatch(/^(none|pending (arm|apply) \d+)/);
    expect(answers.length).toBeGreaterThan(1);
    await expectNew(host, 81);
  },
);

fault(
  'F7b',
  'the confirming process is killed between saving and disarming, with the client connected',
  'the supervisor finishes; the client asks again and reports confirmed',
  async () => {
    const { host, client } = await testLab.host();
    // The new rules are moved to the history after the files are written and before the watchdogs are stopped.
    await host.must(`cat >/usr/local/sbin/mv <<'END'
#!/bin/sh
case "$*" in */known-good/*) if [ ! -e /run/killed ]; then : >/run/killed; kill -9 $PPID; fi ;; esac
exec /usr/bin/mv "$@"
END
      chmod +x /usr/local/sbin/mv`);
    const { result } = await client.deploy(host, open(81), BRIEF);
    expect(await host.readFile('/run/killed')).toBe('');
    expect(result).toMatchObject({ outcome: 'confirmed' });
    await expectNew(host, 81);
    expect(await lastOutcome(client, host)).toBe('confirmed');
  },
);

fault('F8', 'the kernel has foreign rules and sets', 'they are not saved', async () => {
  const { host, client } = await testLab.host();
  await host.must('iptables -N f2b-sshd; iptables -A INPUT -j f2b-sshd; ipset create bans hash:ip');
  expect((await client.deploy(host, open(81))).result).toMatchObject({ outcome: 'confirmed' });
  const { v4, sets } = await host.savedRules();
  expect(v4).not.toContain('f2b');
  expect(sets ?? '').not.toContain('bans');
});

fault(
  'F10',
  'the boot loader is not enabled',
  'reported with the confirmation; enabled if the policy says so',
  async () => {
    const { host, client } = await testLab.host({}, 'systemd');
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
  'F10b',
  'the rules need sets, and nothing on the host loads sets at boot',
  'refused: the rules would not load there',
  async () => {
    const { host, client } = await testLab.host();
    const before = await rulesetsOf(host);
    await host.must('rm /usr/share/netfilter-persistent/plugins.d/*ipset');
    const { result } = await client.deploy(host, { ...open(81), office: ['192.0.2.0/28'] });
    expect(result).toMatchObject({
      outcome: 'refused',
      reason: 'nothing on this host loads ipsets at boot, which the rules need',
    });
    await expectOld(host, before);
  },
);

fault(
  'F11',
  'a timer that was not really stopped',
  'there is none: after the window the new rules are still applied',
  async () => {
    const check = async (kind: 'light' | 'systemd'): Promise<void> => {
      const { host, client } = await testLab.host({}, kind);
      let deadline = '';
      const { result } = await client.deploy(host, open(81), {
        ...BRIEF,
        onPhase: async (phase) => {
          if (phase === 'verify') deadline = await host.must('cat /var/lib/sallyport/pending/deadline');
        },
      });
      expect(result).toMatchObject({ outcome: 'confirmed' });
      await expectNew(host, 81);
      // Wait past both watchdogs, the backup timer two seconds after the supervisor.
      await host.must(`over=$((${deadline} + 300))
        while read -r now rest </proc/uptime; [ "\${now%.*}\${now#*.}" -lt "$over" ]; do sleep 0.1; done`);
      await expectNew(host, 81);
    };
    await Promise.all([check('light'), check('systemd')]);
  },
);
