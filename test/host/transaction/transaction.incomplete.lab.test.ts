/** Incomplete scripts, output and runs, and a clock that is set (groups C and U). */
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import { script } from '../../../src/host/agent/agent.js';
import { beginVariables } from '../../../src/host/agent/variables.js';
import type { Change } from '../../../src/host/client.js';
import type { Host as LabHost } from '../../../src/lab/lab.js';
import { readFleet } from '../../../src/policy/resolve/fleet.js';
import { changeTo, lockedOut, open } from '../change.js';
import { policyHost, waitUntilIdle } from '../hosts.js';
import { expectNew, expectOld, fault, lastOutcome, openTestLab, rulesetsOf, type TestLab } from './faults.js';
import { sendRequest, sshArguments } from './requests.js';

jest.setTimeout(180_000);

let testLab: TestLab;
beforeAll(async () => {
  testLab = await openTestLab();
});
afterAll(() => testLab.close());

const refusedBecause = (reason: string) => ({ outcome: 'refused', reason: expect.stringContaining(reason) });
const scriptOf = (host: LabHost, change: Change, changes: Readonly<Record<string, string>> = {}): string =>
  script('MARK', {
    verb: 'begin',
    variables: { ...beginVariables(policyHost(host), change, 'token'), ...changes },
  });

fault(
  'U1',
  'the connection is cut while the script is sent, at any byte',
  'a truncated script does nothing, under dash, bash and busybox; a truncated text is refused',
  async () => {
    const { host, client } = await testLab.host();
    const before = await rulesetsOf(host);
    const change = changeTo(await client.state(host), open(81));
    const sent = scriptOf(host, change);
    // Ends of lines, the last bytes one by one, and some positions in between.
    const end = sent.length - 'E"\n'.length;
    const cuts = [
      // Without its last line end the script is whole.
      ...[...sent.matchAll(/\n/g)]
        .map(({ index }) => index)
        .filter((index, at) => at % 12 === 0 && index <= end),
      ...Array.from({ length: 40 }, (_, at) => end - at),
      ...Array.from({ length: 20 }, (_, at) => Math.floor((end * at) / 20)),
    ];
    await host.writeFile('/root/script', sent);
    const done = await host.must(`
      state() { find /var/lib/sallyport /etc/iptables -printf '%p %s %T@\\n' | sort | sha256sum; iptables-save | grep -v '^[#:]'; }
      before=$(state)
      for shell in dash bash 'busybox sh'; do
        for cut in ${cuts.join(' ')}; do
          head -c "$cut" /root/script | $shell -s -- '' >/root/answer 2>/dev/null || true
          if grep '^MARK ' /root/answer; then exit 1; fi
        done
        [ "$(state)" = "$before" ] || { echo "changed by $shell"; exit 1; }
      done
      echo unchanged`);
    expect(done).toBe('unchanged\n');
    // The same over a real connection, whose client is killed.
    const ssh = testLab.lab.spawn('ssh', [...sshArguments(testLab.lab, host)], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const gone = new Promise((resolve) => ssh.once('close', resolve));
    await new Promise<void>((resolve) => ssh.stdin?.write(sent.slice(0, sent.length / 2), () => resolve()));
    ssh.kill('SIGKILL');
    await gone;
    const half = change.forward.v4.slice(0, change.forward.v4.indexOf('COMMIT'));
    const answer = await host.must(
      'sh -s -- ""',
      scriptOf(host, { ...change, run: 'half' }, { FORWARD_V4: half }),
    );
    expect(answer).toContain('MARK refuse disk-full /var/lib/sallyport cannot store the change');
    await expectOld(host, before);
  },
);

fault(
  'U4',
  'a rule contains a host name',
  'an error in the policy; on the host refused in the rehearsal, without waiting for DNS',
  async () => {
    const raw = '-s office.example.com -p tcp -m tcp --dport 443 -j ACCEPT';
    const read = readFleet(
      new Map([
        ['policies/fleet.yml', 'version: 1\nssh: {user: deploy, known_hosts: known_hosts}\nadmin: [admin]\n'],
        ['policies/networks.yml', 'networks:\n  admin: 203.0.113.0/28\n'],
        [
          'policies/hosts/web-1.yml',
          `address: 192.0.2.1\nraw:\n  - {rule: "${raw}", table: filter, chain: INPUT, family: v4, reason: A name}\n`,
        ],
      ]),
      'policies',
    );
    expect(read.problems.map(({ message }) => message)).toEqual([
      expect.stringContaining('"office.example.com"'),
    ]);
    const { host, client } = await testLab.host();
    const before = await rulesetsOf(host);
    // A name server that never answers: resolving takes ten seconds or more.
    await host.must('echo nameserver 10.88.255.1 >/etc/resolv.conf');
    const { result } = await client.deploy(host, { rules: [...open(81).rules, raw] });
    expect(result).toMatchObject(refusedBecause('the new rules do not load'));
    expect(result.seconds).toBeLessThan(9);
    await expectOld(host, before);
  },
);

fault(
  'C8b',
  'iptables-save fails or prints only a part',
  'an error while reading; refused if it happens later',
  async () => {
    const { host, client } = await testLab.host();
    const before = await rulesetsOf(host);
    const instead = (script: string): Promise<string> =>
      host.must(
        `printf '#!/bin/sh\\n%s\\n' '${script}' >/usr/local/sbin/iptables-save; chmod +x /usr/local/sbin/iptables-save`,
      );
    const faults = [
      'echo "*filter"; exit 0',
      'xtables-nft-multi iptables-save; echo "no such module" >&2; exit 1',
      'kill -9 $$',
    ];
    for (const script of faults) {
      await instead(script);
      expect(await client.hosts.read(policyHost(host))).toMatchObject({
        status: 'error',
        problem: { id: 'state-unreadable' },
      });
      await host.must('rm /usr/local/sbin/iptables-save');
      const { result } = await client.deploy(host, open(81), { between: () => instead(script) });
      expect(result).toMatchObject({
        outcome: 'refused',
        reason: expect.stringMatching(/cannot save the current rules|output of iptables-save is incomplete/),
      });
      await host.must('rm /usr/local/sbin/iptables-save');
      await expectOld(host, before);
    }
  },
);

fault(
  'C6',
  'the clock is set a year ahead and back inside the window',
  'no effect: all deadlines use the monotonic clock',
  async () => {
    const check = async (kind: 'light' | 'systemd'): Promise<void> => {
      const { host, client } = await testLab.host({}, kind);
      const before = await rulesetsOf(host);
      // Every call of date returns another year. Otherwise only systemd reads the clock; its timer is checked below.
      await host.must(`printf '#!/bin/sh\\n%s\\n' 'read -r n 2>/dev/null </run/looks || n=0; echo $((n + 1)) >/run/looks
        echo $((2020 + 20 * (n % 2)))-01-01T00:00:00Z' >/usr/local/sbin/date; chmod +x /usr/local/sbin/date`);
      const change = changeTo(await client.state(host), lockedOut);
      const now = async (): Promise<number> => Number((await host.must('cat /proc/uptime')).split(' ')[0]);
      const began = await now();
      await sendRequest(testLab.lab, host, 'begin', { change, token: 'token', seconds: 3 });
      if (kind === 'systemd')
        expect(
          await host.must(
            "systemctl show 'sallyport-*-late.timer' --property=TimersMonotonic,TimersCalendar,NextElapseUSecRealtime",
          ),
        ).toMatch(/^TimersMonotonic=\{ OnActiveUSec=5s .*\n(TimersCalendar=\n)?NextElapseUSecRealtime=\n/);
      await waitUntilIdle(host, 20);
      const took = (await now()) - began;
      expect(took).toBeGreaterThan(3);
      expect(took).toBeLessThan(12);
      await expectOld(host, before);
      expect((await client.state(host)).record.last).toMatchObject({
        run: change.run,
        outcome: 'rolled-back',
        time: expect.stringMatching(/^20[24]0-01-01/),
      });
      expect((await client.deploy(host, open(81))).result).toMatchObject({ outcome: 'confirmed' });
      await expectNew(host, 81);
    };
    await Promise.all([check('light'), check('systemd')]);
  },
);

fault(
  'C11',
  'a dead run left a change behind, and both its watchdogs are dead as well',
  'the change is finished before anything else is read; the next deploy is confirmed',
  async () => {
    const leave = async (host: LabHost, change: Change): Promise<void> => {
      await sendRequest(testLab.lab, host, 'begin', { change, token: 'token', seconds: 2 });
      await host.must("kill -9 $(pgrep -f 'pending/[a]gent.sh')");
    };
    const overdue = (host: LabHost): Promise<string> =>
      host.must(`deadline=$(cat /var/lib/sallyport/pending/deadline)
        while read -r now rest </proc/uptime; [ "\${now%.*}\${now#*.}" -le "$deadline" ]; do sleep 0.05; done`);
    const unconfirmed = async (): Promise<void> => {
      const { host, client } = await testLab.host();
      const before = await rulesetsOf(host);
      const change = changeTo(await client.state(host), lockedOut);
      await leave(host, change);
      await overdue(host);
      expect((await client.state(host)).record).toMatchObject({
        last: { run: change.run, outcome: 'rolled-back', reason: 'not confirmed in time' },
      });
      await expectOld(host, before);
      expect((await client.deploy(host, open(81))).result).toMatchObject({ outcome: 'confirmed' });
      await expectNew(host, 81);
    };
    const confirmed = async (): Promise<void> => {
      const { host, client } = await testLab.host();
      await leave(host, changeTo(await client.state(host), open(81)));
      await host.must(
        'mv /var/lib/sallyport/pending/state.pending /var/lib/sallyport/pending/state.confirmed',
      );
      await overdue(host);
      expect(await lastOutcome(client, host)).toBe('confirmed');
      await expectNew(host, 81);
    };
    // A run that begins without reading the host, on which another program has created a set in the meantime.
    const begun = async (): Promise<void> => {
      const { host, client } = await testLab.host();
      const state = await client.state(host);
      const change = { ...changeTo(state, open(81)), run: 'next' };
      await leave(host, changeTo(state, open(82)));
      await overdue(host);
      await host.must(
        'ipset create others hash:ip && ipset add others 192.0.2.9 && iptables -A INPUT -m set --match-set others src -j DROP',
      );
      expect(await sendRequest(testLab.lab, host, 'begin', { change, token: 'token' })).toMatch(/^applied/);
      expect(await sendRequest(testLab.lab, host, 'confirm', { change, token: 'token' })).toMatch(
        /^ended confirmed/,
      );
      const { v4, sets } = await host.liveRules();
      expect([v4, sets]).toEqual([
        expect.stringContaining('--match-set others src -j DROP'),
        expect.stringContaining('add others 192.0.2.9'),
      ]);
      expect(v4).toContain('--dport 81 -j ACCEPT');
      expect((await host.savedRules()).v4).toContain('--dport 81 -j ACCEPT');
    };
    await Promise.all([unconfirmed(), confirmed(), begun()]);
  },
);
