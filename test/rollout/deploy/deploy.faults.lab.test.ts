/** What a rollout over several real hosts does when one of them fails it, by the program as it is delivered. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import { until } from '../../../src/lab/shell.js';
import { fault, type Rulesets, rulesetsOf } from '../../host/transaction/faults.js';
import { FAILING, type FleetScene, openFleet, opening, short } from './lab-fleet.js';

jest.setTimeout(240_000);

let fleet: FleetScene;

beforeAll(async () => {
  fleet = await openFleet();
});
afterAll(() => fleet.close());

const stands = (): Promise<readonly Rulesets[]> => Promise.all(fleet.hosts.map(rulesetsOf));
/** What the host itself says of the last run. */
const lastRun = (name: string): Promise<string> => fleet.named(name).must('cat /var/lib/sallyport/last');

fault('S1', 'the canary rolls back', 'the rollout stops; no other host is changed', async () => {
  await fleet.settle();
  const before = await stands();
  fleet.policy({ rules: opening(8001), own: { 'web-1': FAILING } });
  const deployed = await fleet.deploy();
  expect(deployed.code).toBe(1);
  expect(short(deployed)).toEqual([
    'web-1 rolled-back',
    'web-2 not-reached',
    'web-3 not-reached',
    'web-4 not-reached',
  ]);
  expect(deployed.outcomes.stopped).toContain('the canary web-1 is rolled-back');
  expect(await fleet.having(8001)).toEqual([false, false, false, false]);
  expect(await stands()).toEqual(before);
});

fault('S2', 'a host cannot be reached', 'it counts as failed; nothing is changed', async () => {
  await fleet.settle();
  fleet.policy({ rules: opening(8002) });
  const repair = await fleet.named('web-4').cutLink();
  const stopped = await fleet.deploy();
  expect(stopped.code).toBe(1);
  expect(short(stopped)).toEqual([
    'web-1 not-reached',
    'web-2 not-reached',
    'web-3 not-reached',
    'web-4 unreachable',
  ]);
  fleet.policy({ rules: opening(8002), rollout: ', max_failures: 1' });
  const passed = await fleet.deploy();
  expect(passed.code).toBe(1);
  expect(short(passed)).toEqual([
    'web-1 confirmed',
    'web-2 confirmed',
    'web-3 confirmed',
    'web-4 unreachable',
  ]);
  await repair();
  expect(await fleet.having(8002)).toEqual([true, true, true, false]);
});

fault(
  'S2b',
  'a host becomes unreachable between the reading and its wave',
  'it keeps its old rules and counts as failed',
  async () => {
    await fleet.settle();
    fleet.policy({ rules: opening(8003), rollout: ', parallel: 1' });
    const run = fleet.start();
    await run.seen(({ kind }) => kind === 'soak');
    const repair = await fleet.named('web-3').cutLink();
    const deployed = await run.ended;
    await repair();
    expect(deployed.code).toBe(1);
    expect(short(deployed).slice(0, 2)).toEqual(['web-1 confirmed', 'web-2 confirmed']);
    expect(short(deployed)[2]).toMatch(/^web-3 (unreachable|unknown)$/);
    expect(short(deployed)[3]).toBe('web-4 not-reached');
    expect(await fleet.having(8003)).toEqual([true, true, false, false]);
  },
);

fault(
  'S3',
  'the third of four hosts rolls back',
  'the hosts before it keep the new rules, those after it the old ones; the report lists which',
  async () => {
    await fleet.settle();
    fleet.policy({ rules: opening(8004), rollout: ', parallel: 1', own: { 'web-3': FAILING } });
    const deployed = await fleet.deploy();
    expect(deployed.code).toBe(1);
    expect(short(deployed)).toEqual([
      'web-1 confirmed',
      'web-2 confirmed',
      'web-3 rolled-back',
      'web-4 not-reached',
    ]);
    expect(await fleet.having(8004)).toEqual([true, true, false, false]);
  },
);

fault(
  'S3b',
  'the third of four hosts rolls back, with on_failure: rollback',
  'all four hosts have their old rules',
  async () => {
    await fleet.settle();
    const before = await stands();
    const words = { rules: opening(8005), own: { 'web-3': FAILING } };
    fleet.policy({ ...words, rollout: ', parallel: 1, on_failure: rollback' });
    const deployed = await fleet.deploy();
    expect(deployed.code).toBe(1);
    expect(short(deployed)).toEqual([
      'web-1 rolled-back',
      'web-2 rolled-back',
      'web-3 rolled-back',
      'web-4 not-reached',
    ]);
    expect(deployed.outcomes.hosts[0]).toMatchObject({ phase: 'rollback' });
    expect(await fleet.having(8005)).toEqual([false, false, false, false]);
    expect(await stands()).toEqual(before);
  },
);

fault('S4', 'a run was interrupted', 'the next one changes only what is not done', async () => {
  await fleet.settle();
  const words = { rules: opening(8006), rollout: ', parallel: 1' };
  fleet.policy({ ...words, own: { 'web-3': FAILING } });
  expect(await fleet.deploy()).toMatchObject({ code: 1 });
  const done = await Promise.all(['web-1', 'web-2'].map(lastRun));
  fleet.policy(words);
  const again = await fleet.deploy();
  expect(again.code).toBe(0);
  expect(short(again)).toEqual(['web-1 unchanged', 'web-2 unchanged', 'web-3 confirmed', 'web-4 confirmed']);
  expect(await Promise.all(['web-1', 'web-2'].map(lastRun))).toEqual(done);
  expect(await fleet.having(8006)).toEqual([true, true, true, true]);
});

fault(
  'S5',
  'the policy changes on disk between the canary and the fleet',
  'every host gets the same policy as the canary',
  async () => {
    await fleet.settle();
    fleet.policy({ rules: opening(8007) });
    const run = fleet.start();
    await run.seen(({ kind }) => kind === 'soak');
    fleet.policy({ rules: opening(8008) });
    expect(await run.ended).toMatchObject({ code: 0 });
    expect(await fleet.having(8007)).toEqual([true, true, true, true]);
    expect(await fleet.having(8008)).toEqual([false, false, false, false]);
  },
);

fault(
  'S6',
  'the canary was changed by hand since the review',
  'refused, with the changes since; a new plan includes them',
  async () => {
    await fleet.settle();
    fleet.policy({ rules: opening(8009) });
    const plan = (): Promise<unknown> =>
      fleet.sallyport('plan', '--format', 'json', '--output', 'reviewed.json');
    await plan();
    await fleet.named('web-1').must('iptables -I INPUT -p tcp --dport 5432 -j ACCEPT');
    const refused = await fleet.deploy('--plan', 'reviewed.json');
    expect(refused.code).toBe(1);
    expect(short(refused)[0]).toBe('web-1 refused');
    expect(refused.outcomes.hosts[0]?.reason).toContain('--dport 5432');
    expect(await fleet.having(8009)).toEqual([false, false, false, false]);
    await plan();
    expect(await fleet.deploy('--plan', 'reviewed.json')).toMatchObject({ code: 0 });
    expect((await fleet.named('web-1').liveRules()).v4).toContain('--dport 5432');
    await fleet.named('web-1').must('iptables -D INPUT -p tcp --dport 5432 -j ACCEPT');
    expect(await fleet.having(8009)).toEqual([true, true, true, true]);
  },
);

fault(
  'S7',
  'a canary that is not a host, invalid waves',
  'an error of the policy, with its line; nothing is changed',
  async () => {
    await fleet.settle();
    const before = await stands();
    fleet.policy({ rules: opening(8010) });
    const file = join(fleet.lab.directory, 'policies/fleet.yml');
    const write = (rollout: string): void =>
      writeFileSync(
        file,
        `version: 1\nssh: {user: deploy, known_hosts: ${fleet.lab.knownHosts}}\nadmin: [admin]\nrollout: ${rollout}\n`,
      );
    for (const [rollout, words] of [
      ['{canary: [web-9]}', 'Unknown host "web-9"'],
      ['{canary: ["role:none"]}', 'Unknown role "none"'],
      ['{waves: [50%, 25%, 100%]}', 'A wave must be larger than the one before it.'],
      ['{waves: [1, 2]}', 'The last wave must be 100%'],
    ] as const) {
      write(rollout);
      const deployed = await fleet.deploy();
      expect([rollout, deployed.code]).toEqual([rollout, 1]);
      expect(deployed.stderr).toContain(words);
      expect(deployed.stderr).toContain('fleet.yml:4:');
    }
    expect(await stands()).toEqual(before);
  },
);

fault(
  'S8',
  'two rollouts take the same hosts in opposite orders',
  'both end; each host has exactly the rules of a change that was confirmed there',
  async () => {
    await fleet.settle();
    fleet.policy({ rules: opening(8011), rollout: ', max_failures: 4' });
    const one = fleet.start();
    await one.seen(({ kind }) => kind === 'wave');
    const file = join(fleet.lab.directory, 'policies/fleet.yml');
    fleet.policy({ rules: opening(8012), rollout: ', max_failures: 4' });
    writeFileSync(
      file,
      `version: 1\nssh: {user: deploy, known_hosts: ${fleet.lab.knownHosts}}\nadmin: [admin]\nrollout: {canary: [web-4], soak: 1s, waves: [50%, 100%], confirm_within: 10s, max_failures: 4}\n`,
    );
    const other = fleet.start();
    const runs = await Promise.all([one.ended, other.ended]);
    const ports = [8011, 8012] as const;
    const having = await Promise.all(ports.map((port) => fleet.having(port)));
    fleet.hosts.forEach(({ name }, index) => {
      const confirmed = runs.map(({ outcomes }) =>
        outcomes.hosts.some(({ host, outcome }) => host === name && outcome === 'confirmed'),
      );
      const stand = having.map((of) => of[index]);
      // The later one of two may have found the first one's rules and put its own in their place.
      expect([name, stand.filter(Boolean).length]).toEqual([name, confirmed.some(Boolean) ? 1 : 0]);
      if (!confirmed[0]) expect([name, stand[0]]).toEqual([name, false]);
      if (!confirmed[1]) expect([name, stand[1]]).toEqual([name, false]);
    });
  },
);

fault(
  'S10',
  'many hosts at a time, and hosts that limit connections',
  'at most `parallel` hosts at a time, and at most six connections to a host',
  async () => {
    await fleet.settle();
    for (const host of fleet.hosts)
      for (const tool of ['iptables', 'ip6tables'])
        await host.must(`${tool} -t raw -A PREROUTING -p tcp --dport 22 --syn -m comment --comment knocks`);
    fleet.policy({ rules: opening(8013), rollout: ', parallel: 2' });
    const run = fleet.start();
    const deployed = await run.ended;
    expect(deployed.code).toBe(0);
    const under = new Set<string>();
    let most = 0;
    for (const event of run.journal()) {
      if (event.kind === 'phase') under.add(event.host);
      if (event.kind === 'outcome') under.delete(event.outcome.host);
      most = Math.max(most, under.size);
    }
    expect(most).toBe(2);
    for (const host of fleet.hosts) {
      const counted = await host.must(
        'for tool in iptables ip6tables; do "$tool" -t raw -nvxL PREROUTING | awk \'/knocks/ {print $1}\'; "$tool" -t raw -F PREROUTING; done',
      );
      const knocks = counted.split('\n').reduce((sum, line) => sum + Number(line), 0);
      expect([host.name, knocks > 0 && knocks <= 6]).toEqual([host.name, true]);
    }
  },
);

fault(
  'S11',
  'the canary drops what it accepted before, and clients keep trying',
  'the rollout stops and reports what is dropped; the canary keeps the new rules',
  async () => {
    fleet.policy({ rules: opening(7000, 'udp') });
    expect(await fleet.deploy()).toMatchObject({ code: 0 });
    const canary = fleet.named('web-1');
    // So long before the change that the rate before it is known.
    await until('A window before the change', async () => {
      const [kept = 0, now = 0] = (
        await canary.must(
          "awk '$1 == \"uptime\" {print $2}' /var/lib/sallyport/counted; awk '{print $1 * 100}' /proc/uptime",
        )
      )
        .split('\n')
        .map(Number);
      return now - kept > 600 ? true : undefined;
    });
    const clients = fleet.lab.spawn(process.execPath, [
      '-e',
      `const socket = require('node:dgram').createSocket('udp4');
       setInterval(() => socket.send('hello', 7000, '${canary.addresses.v4}'), 10);`,
    ]);
    fleet.policy();
    const run = fleet.start();
    const deployed = await run.ended;
    clients.kill();
    expect(deployed.code).toBe(1);
    expect(short(deployed)).toEqual([
      'web-1 confirmed',
      'web-2 not-reached',
      'web-3 not-reached',
      'web-4 not-reached',
    ]);
    const [first] = deployed.outcomes.hosts;
    expect(first).toMatchObject({ phase: 'soak', drops: { before: expect.any(Number) } });
    expect(first?.drops?.during).toBeGreaterThan(1000);
    expect(first?.reason).toMatch(
      /packets a minute that no rule matches, and .* before.*(SALLYPORT-INPUT|udp\/7000)/,
    );
    expect(deployed.outcomes.stopped).toBe('The rollout stopped: web-1 drops more than before.');
    expect(await fleet.having(7000)).toEqual([false, true, true, true]);
  },
);

fault(
  'S12',
  'someone changes the rules of the canary during the soak',
  'the rollout stops and reports the difference',
  async () => {
    await fleet.settle();
    fleet.policy({ rules: opening(8014), rollout: '' });
    const run = fleet.start();
    await run.seen(({ kind }) => kind === 'soak');
    await fleet.named('web-1').must('iptables -I INPUT -p tcp --dport 5432 -j ACCEPT');
    const deployed = await run.ended;
    await fleet.named('web-1').must('iptables -D INPUT -p tcp --dport 5432 -j ACCEPT');
    expect(deployed.code).toBe(1);
    expect(short(deployed).slice(0, 2)).toEqual(['web-1 unknown', 'web-2 not-reached']);
    expect(deployed.outcomes.hosts[0]?.reason).toMatch(/its rules have changed since: .*--dport 5432 /);
    expect(await fleet.having(8014)).toEqual([true, false, false, false]);
  },
);

fault(
  'V11',
  'the canary accepts no new connection during the soak',
  'the rollout stops: it is checked over a new connection',
  async () => {
    await fleet.settle();
    fleet.policy({ rules: opening(8015) });
    const run = fleet.start();
    await run.seen(({ kind }) => kind === 'soak');
    const repair = await fleet.named('web-1').blockNewSsh();
    const deployed = await run.ended;
    await repair();
    expect(short(deployed).slice(0, 2)).toEqual(['web-1 unreachable', 'web-2 not-reached']);
    expect(deployed.outcomes.hosts[0]).toMatchObject({ phase: 'soak' });
  },
);

fault(
  'A10',
  'a set changes together with the rules that reference it',
  'new members are added before the rules change, old ones removed after',
  async () => {
    await fleet.settle();
    const members = (first: number): readonly string[] =>
      Array.from({ length: 70 }, (_, index) => `10.66.${index * 2 + first}.0/24`);
    const write = (first: number, port: number): void => {
      fleet.policy({ rules: `  - {allow: tcp/${port}, from: office, reason: The office}\n` });
      const { v4, v6 } = fleet.lab.client;
      writeFileSync(
        join(fleet.lab.directory, 'policies/networks.yml'),
        `networks:\n  admin: [${v4}, "${v6}"]\n  office: [${members(first).join(', ')}]\n`,
      );
    };
    write(0, 8016);
    expect(await fleet.deploy('--hosts', 'web-1')).toMatchObject({ code: 0 });
    const host = fleet.named('web-1');
    const tool = await host.must('command -v iptables-restore');
    const real = tool.trim();
    // What the set holds whenever rules are loaded: in the namespace of the rehearsal, and in the host's own.
    await host.writeFile(
      '/usr/local/sbin/iptables-restore',
      `#!/bin/sh\ncount=$(ipset list SALLYPORT-office-4 2>/dev/null | grep -c '^10.66.')\necho "$(readlink /proc/self/ns/net) $count" >>/tmp/seen\nexec ${real} "$@"\n`,
    );
    await host.must('chmod 755 /usr/local/sbin/iptables-restore; readlink /proc/self/ns/net >/tmp/own');
    // One network more than before, and all others are others.
    write(1, 8017);
    expect(await fleet.deploy('--hosts', 'web-1')).toMatchObject({ code: 0 });
    const own = (await host.must('cat /tmp/own')).trim();
    const seen = (await host.must('cat /tmp/seen; rm -f /tmp/seen /tmp/own /usr/local/sbin/iptables-restore'))
      .split('\n')
      .filter((line) => line.startsWith(`${own} `));
    expect(seen).toEqual([`${own} 140`]);
    const { live, saved } = await rulesetsOf(host);
    const inSet = (sets = ''): readonly string[] =>
      [...sets.matchAll(/^add SALLYPORT-office-4 (\S+)$/gm)].map(([, member = '']) => member).toSorted();
    expect(inSet(live.sets)).toEqual(members(1).toSorted());
    expect(inSet(saved.sets)).toEqual(members(1).toSorted());
    expect(live.v4).not.toContain('--dport 8016 ');
  },
);
