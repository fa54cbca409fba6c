/** Faults before anything is changed (groups C, P and U). */
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import { changeTo, open } from '../change.js';
import { policyHost, testClient } from '../hosts.js';
import { openSession } from '../ssh/openssh.js';
import { expectNew, expectOld, fault, openTestLab, rulesetsOf, type TestLab, watch } from './faults.js';
import { sendRequest } from './requests.js';

jest.setTimeout(120_000);

let testLab: TestLab;
beforeAll(async () => {
  testLab = await openTestLab();
});
afterAll(() => testLab.close());

const refusedBecause = (reason: string) => ({ outcome: 'refused', reason: expect.stringContaining(reason) });

fault('C4a', 'the disk under /var/lib is full', 'refused before the change', async () => {
  const { host, client } = await testLab.host();
  const before = await rulesetsOf(host);
  const repair = await host.fillDisk('/var/lib/sallyport');
  expect((await client.deploy(host, open(81))).result).toMatchObject(refusedBecause('/var/lib/sallyport'));
  await repair();
  await expectOld(host, before);
});

fault('C4b', '/etc is read-only', 'refused before the change', async () => {
  const { host, client } = await testLab.host();
  const before = await rulesetsOf(host);
  const repair = await host.readOnly('/etc/iptables');
  expect((await client.deploy(host, open(81))).result).toMatchObject(
    refusedBecause('/etc/iptables/rules.v4 cannot be written'),
  );
  await repair();
  await expectOld(host, before);
});

fault('C5', 'systemd cannot start units', 'watchdogs run as plain processes instead; confirmed', async () => {
  const { host, client } = await testLab.host({}, 'systemd');
  await host.must(
    'printf "#!/bin/sh\\nexit 1\\n" >/usr/local/sbin/systemd-run; chmod +x /usr/local/sbin/systemd-run',
  );
  await host.must(
    'mv /usr/bin/systemd-run /usr/bin/systemd-run.hidden; ln -s /usr/local/sbin/systemd-run /usr/bin/systemd-run',
  );
  expect((await client.deploy(host, open(81))).result).toMatchObject({ outcome: 'confirmed' });
  await expectNew(host, 81);
});

fault('C7', 'rules in both backends', 'an error before anything is planned', async () => {
  const { host, client } = await testLab.host();
  await host.must('iptables-legacy -A INPUT -p tcp --dport 9 -j DROP');
  expect(await client.hosts.read(policyHost(host))).toMatchObject({
    status: 'error',
    problem: { id: 'two-backends' },
  });
  await host.must('iptables-legacy -F');
});

fault(
  'C8',
  'iptables-save cannot print a native nft rule',
  'an error before anything is planned',
  async () => {
    const { host, client } = await testLab.host();
    const blind = { status: 'error', problem: { id: 'native-nft-table' } };
    await host.must("nft add rule ip filter INPUT ct state vmap '{ new : drop }'");
    expect(await client.hosts.read(policyHost(host))).toMatchObject(blind);
    await host.must('nft delete table ip filter; iptables -P INPUT ACCEPT');
    await host.must("nft 'add chain ip filter early { type filter hook input priority -5; policy accept; }'");
    expect(await client.hosts.read(policyHost(host))).toMatchObject(blind);
    await host.must('nft delete table ip filter; iptables-restore /etc/iptables/rules.v4');
  },
);

fault(
  'C8c',
  'iptables-save prints a rule created with nft as a different rule',
  'the plan warns, and the change is refused',
  async () => {
    const { host, client } = await testLab.host();
    await host.must("nft add rule ip filter INPUT 'tcp dport { 7, 9 } drop'");
    const before = await rulesetsOf(host);
    const state = await client.state(host);
    expect(state.live.v4).toContain('-A INPUT -p tcp -j DROP');
    expect(state.notes).toMatchObject([
      {
        id: 'native-nft-rules',
        level: 'warning',
        message: expect.stringContaining('INPUT (table ip filter)'),
      },
    ]);
    const { result } = await client.deploy(host, open(81));
    expect(result).toMatchObject(refusedBecause('INPUT (table ip filter) was created with nft'));
    await expectOld(host, before);
  },
);

fault(
  'C9',
  'another program holds the xtables lock',
  'refused after a wait, with the lock as the reason; the old rules are unchanged',
  async () => {
    const { host, client } = await testLab.host({ backend: 'legacy' });
    const before = await rulesetsOf(host);
    const change = changeTo(await client.state(host), open(81), { confirmWithinSeconds: 5 });
    const repair = await host.holdXtablesLock();
    const result = await client.hosts.transact(policyHost(host), change, () => {});
    expect(result).toMatchObject(refusedBecause('xtables lock'));
    await repair();
    await expectOld(host, before);
  },
);

fault(
  'C10',
  'two deploys at the same time',
  'one is confirmed; the other is refused and names the first',
  async () => {
    const { host, client } = await testLab.host();
    const other = testClient(testLab.lab);
    const state = await client.state(host);
    const [one, two] = [changeTo(state, open(81)), changeTo(state, open(81), { owner: 'ci@runner' })];
    const policy = policyHost(host);
    const results = await Promise.all([
      client.hosts.transact(policy, one, () => {}),
      other.hosts.transact(policy, two, () => {}),
    ]);
    expect(results.map(({ outcome }) => outcome).sort()).toEqual(['confirmed', 'refused']);
    expect(results.find(({ outcome }) => outcome === 'refused')?.reason).toMatch(
      /another run|not confirmed yet|changed since the plan/,
    );
    await expectNew(host, 81);
    // If the first one is waiting for its confirmation, its owner is named.
    const first = changeTo(await client.state(host), open(81, 82));
    await sendRequest(testLab.lab, host, 'begin', { change: first, token: 'token' });
    expect(
      await other.hosts.transact(policy, { ...first, run: 'run-other', owner: 'ci@runner' }, () => {}),
    ).toEqual(
      expect.objectContaining(refusedBecause(`run ${first.run} of anna@laptop is not confirmed yet`)),
    );
    await sendRequest(testLab.lab, host, 'confirm', { change: first, token: 'token' });
    await other.close();
    await expectNew(host, 82);
  },
);

fault('C13', 'a host that never had rules', 'confirmed; established sessions continue', async () => {
  const { host, client } = await testLab.host({}, 'light', false);
  expect(await host.liveRules()).toMatchObject({ v4: '', v6: '' });
  // Established before the kernel tracks connections.
  const sessions = await Promise.all(
    [host.addresses.v4, host.addresses.v6].map((address) =>
      openSession(testLab.lab, host, address === undefined ? {} : { address }),
    ),
  );
  expect((await client.deploy(host, open(81))).result).toMatchObject({ outcome: 'confirmed' });
  for (const session of sessions) await session.echoes('still here');
  for (const session of sessions) session.end();
  await expectNew(host, 81);
});

fault(
  'P1',
  "Sallyport's rules change between plan and deploy",
  'refused: the plan is for another state',
  async () => {
    const { host, client } = await testLab.host();
    const { result } = await client.deploy(host, open(81), {
      between: () => host.must('iptables -A SALLYPORT-INPUT -p tcp --dport 5 -j ACCEPT'),
    });
    expect(result).toMatchObject(refusedBecause('the rules on the host have changed since the plan'));
    const { result: saved } = await client.deploy(host, open(81), {
      between: () => host.must('echo "# hot fix" >>/etc/iptables/rules.v4'),
    });
    expect(saved).toMatchObject(refusedBecause('/etc/iptables/rules.v4 has changed since the plan'));
    await host.must('iptables -D SALLYPORT-INPUT -p tcp --dport 5 -j ACCEPT');
  },
);

fault('P2', 'a ban is added between plan and deploy', 'confirmed; the ban stays', async () => {
  const { host, client } = await testLab.host();
  await host.must(
    'iptables -N f2b-sshd; iptables -A f2b-sshd -j RETURN; iptables -A INPUT -p tcp --dport 22 -j f2b-sshd',
  );
  const { result } = await client.deploy(host, open(81), {
    between: () =>
      host.must(
        'iptables -I f2b-sshd 1 -s 192.0.2.7 -j DROP; iptables -I INPUT 1 -p tcp --dport 25 -j f2b-sshd',
      ),
  });
  expect(result).toMatchObject({ outcome: 'confirmed' });
  const { v4 } = await host.liveRules();
  expect(v4).toContain('-A f2b-sshd -s 192.0.2.7/32 -j DROP');
  expect(v4).toContain('--dport 81 -j ACCEPT');
});

fault(
  'U2',
  'a rule jumps to a missing chain, which iptables-restore --test accepts',
  'refused in the rehearsal',
  async () => {
    const { host, client } = await testLab.host();
    const before = await rulesetsOf(host);
    const broken = { rules: [...open(81).rules, '-j NOWHERE'] };
    expect((await client.deploy(host, broken)).result).toMatchObject(
      refusedBecause('the new rules do not load'),
    );
    await expectOld(host, before);
  },
);

fault('U2b', 'a rule references a missing set', 'refused in the rehearsal', async () => {
  const { host, client } = await testLab.host();
  const before = await rulesetsOf(host);
  const broken = { rules: [...open(81).rules, '-m set --match-set nobody src -j ACCEPT'] };
  expect((await client.deploy(host, broken)).result).toMatchObject(
    refusedBecause('the new rules do not load'),
  );
  await expectOld(host, before);
});

fault(
  'U3',
  'the second table of a text is invalid',
  'refused in the rehearsal; no table is changed',
  async () => {
    const { host, client } = await testLab.host();
    const before = await rulesetsOf(host);
    const change = changeTo(await client.state(host), open(81));
    const forward = { ...change.forward, v4: `${change.forward.v4}*nat\n-A NOWHERE -j ACCEPT\nCOMMIT\n` };
    const result = await client.hosts.transact(policyHost(host), { ...change, forward }, () => {});
    expect(result).toMatchObject(refusedBecause('the new rules do not load'));
    await expectOld(host, before);
  },
);

fault(
  'C14',
  'ufw or firewalld is active',
  'refused with advice, since it manages the same chains; confirmed once it is disabled',
  async () => {
    const check = async (kind: 'light' | 'systemd', manager: string, on: string, off: string) => {
      const { host, client } = await testLab.host({}, kind, false);
      const before = await rulesetsOf(host);
      await host.must(on);
      expect((await client.state(host)).facts.managers).toEqual([manager]);
      expect((await client.deploy(host, open(81))).result).toMatchObject(
        refusedBecause(`${manager} is active and manages the same chains; disable it first`),
      );
      await expectOld(host, before);
      await host.must(off);
      expect((await client.deploy(host, open(81))).result).toMatchObject({ outcome: 'confirmed' });
    };
    const ufw = (enabled: string): string => `mkdir -p /etc/ufw; echo ENABLED=${enabled} >/etc/ufw/ufw.conf`;
    await Promise.all([
      check('light', 'ufw', ufw('yes'), ufw('no')),
      check(
        'systemd',
        'firewalld',
        // It is detected by its unit.
        'systemd-run --quiet --unit=firewalld.service sleep 600',
        'systemctl stop firewalld.service',
      ),
    ]);
  },
);

fault(
  'C15',
  'nothing on the host loads rules at boot',
  'refused; confirmed with a path in the policy',
  async () => {
    const { host, client } = await testLab.host({}, 'light', false);
    await host.must('rm /usr/share/netfilter-persistent/plugins.d/*');
    expect((await client.state(host)).boot).toMatchObject({ loader: 'none', enabled: false });
    expect((await client.deploy(host, open(81))).result).toMatchObject(
      refusedBecause('nothing on this host loads rules at boot'),
    );
    const paths = { v4: '/etc/firewall/v4', v6: '/etc/firewall/v6', sets: '/etc/firewall/sets' };
    const policy = policyHost(host, { boot: { enable: false, paths } });
    expect((await client.deploy(host, open(81), { policy })).result).toMatchObject({ outcome: 'confirmed' });
    const [v4 = '', v6 = ''] = await Promise.all([host.readFile(paths.v4), host.readFile(paths.v6)]);
    expect(v4).toContain('--dport 81 -j ACCEPT');
    watch({ lab: testLab.lab, host, client, saved: async () => ({ v4, v6 }) });
  },
);

fault('C12', 'IPv6 did not work before either', 'confirmed: the change is not the cause', async () => {
  const { host, client } = await testLab.host();
  const repair = await host.cutFamily('v6');
  expect((await client.deploy(host, open(81))).result).toMatchObject({ outcome: 'confirmed' });
  await repair();
  await expectNew(host, 81);
});

fault(
  'C1',
  'the host key is unknown, changed or revoked',
  'unreachable, each with its own reason; no login is attempted',
  async () => {
    const { host } = await testLab.host({}, 'light', false);
    const [key = ''] = host.hostKeys;
    const [other = ''] = (await testLab.host()).host.hostKeys;
    // An sshd that logs login attempts.
    await host.must('/usr/sbin/sshd -p 81 -o PidFile=none -o LogLevel=VERBOSE -E /root/log');
    const name = `[${host.addresses.v4}]:81`;
    const { ssh } = policyHost(host);
    const policy = policyHost(host, { addresses: [host.addresses.v4], ssh: { ...ssh, port: 81 } });
    const read = async (text: string): Promise<string> => {
      const client = testClient(testLab.lab, { knownHosts: [text] });
      const reading = await client.hosts.read(policy);
      await client.close();
      return reading.status === 'unreachable' ? reading.problem.id : reading.status;
    };
    const attempted = async (): Promise<boolean> =>
      (await host.must('cat /root/log')).includes(host.user.name);
    const ids: string[] = [];
    for (const text of ['', `${name} ${other}\n`, `${name} ${key}\n@revoked * ${key}\n`])
      ids.push(await read(text));
    expect(ids).toEqual(['host-key-unknown', 'host-key-changed', 'host-key-revoked']);
    expect(await attempted()).toBe(false);
    expect([await read(`${name} ${key}\n`), await attempted()]).toEqual(['read', true]);
    await host.must("kill $(pgrep -f '[s]shd -p 81')");
  },
);

fault(
  'C3',
  'sudo asks for a password',
  'an error with the line for sudoers; nothing is changed',
  async () => {
    for (const sudo of ['password', 'none'] as const) {
      const { host, client } = await testLab.host({ user: { name: 'anna', sudo } }, 'light', false);
      const before = await rulesetsOf(host);
      expect(await client.hosts.read(policyHost(host))).toMatchObject({
        status: 'error',
        problem: { id: 'sudo-asks', hint: expect.stringContaining('NOPASSWD: /usr/bin/sh, /bin/sh') },
      });
      await expectOld(host, before);
      expect(await host.exec('[ -e /var/lib/sallyport ]')).not.toMatchObject({ code: 0 });
    }
  },
);
