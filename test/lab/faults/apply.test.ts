/** Groups C, U and A: before the change, while it is sent, and while it is applied. */
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import { until } from '../../../src/lab/shell.js';
import { changeTo, open } from '../host/change.js';
import { clientOf, policyHost, quiet } from '../host/hosts.js';
import { expectNew, expectOld, fault, lastOutcome, openScenes, type Scenes, standOf } from './faults.js';

jest.setTimeout(120_000);

let scenes: Scenes;
beforeAll(async () => {
  scenes = await openScenes();
});
afterAll(() => scenes.close());

const refusedBecause = (reason: string) => ({ outcome: 'refused', reason: expect.stringContaining(reason) });
const BRIEF = { change: { confirmWithinSeconds: 5 } };

fault('C4a', 'the disk under /var/lib is full', 'refused before the change', async () => {
  const { host, client } = await scenes.host();
  const before = await standOf(host);
  const mend = await host.fillDisk('/var/lib/sallyport');
  expect((await client.deploy(host, open(81))).result).toMatchObject(refusedBecause('/var/lib/sallyport'));
  await mend();
  await expectOld(host, before);
});

fault('C4b', '/etc is read-only', 'refused before the change', async () => {
  const { host, client } = await scenes.host();
  const before = await standOf(host);
  const mend = await host.readOnly('/etc/iptables');
  expect((await client.deploy(host, open(81))).result).toMatchObject(
    refusedBecause('/etc/iptables/rules.v4 cannot be written'),
  );
  await mend();
  await expectOld(host, before);
});

fault(
  'C5',
  'systemd cannot start units',
  'armed with processes of its own instead, and confirmed',
  async () => {
    const { host, client } = await scenes.host({}, 'whole');
    await host.must(
      'printf "#!/bin/sh\\nexit 1\\n" >/usr/local/sbin/systemd-run; chmod +x /usr/local/sbin/systemd-run',
    );
    await host.must(
      'mv /usr/bin/systemd-run /usr/bin/systemd-run.hidden; ln -s /usr/local/sbin/systemd-run /usr/bin/systemd-run',
    );
    expect((await client.deploy(host, open(81))).result).toMatchObject({ outcome: 'confirmed' });
    await expectNew(host, 81);
  },
);

fault('C7', 'rules in both backends', 'an error before anything is planned', async () => {
  const { host, client } = await scenes.host();
  await host.must('iptables-legacy -A INPUT -p tcp --dport 9 -j DROP');
  expect(await client.port.read(policyHost(host))).toMatchObject({
    status: 'error',
    problem: { id: 'two-backends' },
  });
});

fault(
  'C8',
  'a native nft rule makes iptables-save blind',
  'an error before anything is planned',
  async () => {
    const { host, client } = await scenes.host();
    if ((await host.exec('command -v nft')).code !== 0) return;
    await host.must("nft add rule ip filter FORWARD tcp dport vmap '{ 1 : drop }'");
    expect(await client.port.read(policyHost(host))).toMatchObject({
      status: 'error',
      problem: { id: 'native-nft-table' },
    });
  },
);

fault(
  'C9',
  'the xtables lock is held by another program',
  'refused or rolled back in time; the old rules stand',
  async () => {
    const { host, client } = await scenes.host({ backend: 'legacy' });
    const before = await standOf(host);
    const change = changeTo(await client.state(host), open(81), { confirmWithinSeconds: 5 });
    const mend = await host.holdXtablesLock();
    const result = await client.port.transact(policyHost(host), change, () => {});
    expect(result).toMatchObject({ outcome: expect.stringMatching(/refused|rolled-back/) });
    await mend();
    await expectOld(host, before);
  },
);

fault(
  'C10',
  'two deploys at the same time',
  'one wins; the other is refused and told of the first',
  async () => {
    const { host, client } = await scenes.host();
    const other = clientOf(scenes.lab);
    const state = await client.state(host);
    const [one, two] = [changeTo(state, open(81)), changeTo(state, open(81), { owner: 'ci@runner' })];
    const policy = policyHost(host);
    const results = await Promise.all([
      client.port.transact(policy, one, () => {}),
      other.port.transact(policy, two, () => {}),
    ]);
    expect(results.map(({ outcome }) => outcome).sort()).toEqual(['confirmed', 'refused']);
    expect(results.find(({ outcome }) => outcome === 'refused')?.reason).toMatch(
      /another run|not confirmed yet|not those|not what/,
    );
    await other.close();
    await expectNew(host, 81);
  },
);

fault('C13', 'a host that never had rules', 'confirmed; established sessions live on', async () => {
  const { host, client } = await scenes.host({}, 'light', false);
  expect(await host.liveRules()).toMatchObject({ v4: '', v6: '' });
  expect((await client.deploy(host, open(81))).result).toMatchObject({ outcome: 'confirmed' });
  await expectNew(host, 81);
});

fault(
  'P1',
  'our own rules change between plan and deploy',
  'refused: the plan is of another state',
  async () => {
    const { host, client } = await scenes.host();
    const { result } = await client.deploy(host, open(81), {
      between: () => host.must('iptables -A SALLYPORT-INPUT -p tcp --dport 5 -j ACCEPT'),
    });
    expect(result).toMatchObject(refusedBecause('not those that the change was computed from'));
    const { result: saved } = await client.deploy(host, open(81), {
      between: () => host.must('echo "# hot fix" >>/etc/iptables/rules.v4'),
    });
    expect(saved).toMatchObject(refusedBecause('/etc/iptables/rules.v4 is not what'));
  },
);

fault('P2', 'a ban is added between plan and deploy', 'confirmed; the ban stands', async () => {
  const { host, client } = await scenes.host();
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
  'a chain that is not there, which iptables-restore --test lets through',
  'refused in the rehearsal',
  async () => {
    const { host, client } = await scenes.host();
    const before = await standOf(host);
    const broken = { rules: [...open(81).rules, '-j NOWHERE'] };
    expect((await client.deploy(host, broken)).result).toMatchObject(
      refusedBecause('the new rules do not load'),
    );
    await expectOld(host, before);
  },
);

fault('U2b', 'a set that is not there', 'refused in the rehearsal', async () => {
  const { host, client } = await scenes.host();
  const before = await standOf(host);
  const broken = { rules: [...open(81).rules, '-m set --match-set nobody src -j ACCEPT'] };
  expect((await client.deploy(host, broken)).result).toMatchObject(
    refusedBecause('the new rules do not load'),
  );
  await expectOld(host, before);
});

fault(
  'U3',
  'the second table of a text is faulty',
  'refused in the rehearsal; no table changed',
  async () => {
    const { host, client } = await scenes.host();
    const before = await standOf(host);
    const change = changeTo(await client.state(host), open(81));
    const forward = { ...change.forward, v4: `${change.forward.v4}*nat\n-A NOWHERE -j ACCEPT\nCOMMIT\n` };
    const result = await client.port.transact(policyHost(host), { ...change, forward }, () => {});
    expect(result).toMatchObject(refusedBecause('the new rules do not load'));
    await expectOld(host, before);
  },
);

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
