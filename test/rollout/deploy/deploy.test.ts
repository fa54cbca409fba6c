import { describe, expect, test } from '@jest/globals';
import { deployFleet } from '../../../src/rollout/deploy/deploy.js';
import { planFleet } from '../../../src/rollout/plan/plan.js';
import type { RolloutEvent } from '../../../src/rollout/results/events.js';
import { fleetOf } from '../fleet.js';
import { type ModelFleet, modelFleet, modelHost } from '../model-host.js';
import { behave, modelRollout, NAMES, short, touched } from '../model-rollout.js';

describe('a rollout without failures', () => {
  test('changes the canary, verifies it, and then changes wave after wave', async () => {
    const { client, deploy } = modelRollout();
    expect(short(await deploy())).toEqual([
      '0 web-1 confirmed',
      '1 web-2 confirmed',
      '2 web-3 confirmed',
      '2 web-4 confirmed',
    ]);
    expect(client.log.filter((line) => !line.startsWith('read'))).toEqual([
      'transact web-1',
      'reverify web-1',
      'transact web-2',
      'reverify web-2',
      'transact web-3',
      'transact web-4',
    ]);
  });

  test('reads every host before the first one is changed', async () => {
    const { client, deploy } = modelRollout();
    await deploy();
    expect(client.log.slice(0, 4).toSorted()).toEqual(NAMES.map((name) => `read ${name}`));
  });

  test('makes live and saved rules as planned, and a second run has nothing to do', async () => {
    const { client, deploy, fleet } = modelRollout();
    await deploy();
    for (const { live, saved } of client.hosts.values()) expect(saved).toEqual(live);
    const before = client.log.length;
    expect(short(await deploy())).toEqual(NAMES.map((name, at) => `${[0, 1, 2, 2][at]} ${name} unchanged`));
    expect(client.log.slice(before).every((line) => line.startsWith('read'))).toBe(true);
    const plan = await planFleet(fleet, fleet.hosts, client);
    expect(plan.hosts.map(({ status }) => status)).toEqual(Array(4).fill('unchanged'));
  });

  test('changes a host whose live rules are right and whose saved rules are not', async () => {
    const { client, deploy } = modelRollout();
    await deploy();
    const host = client.hosts.get('web-3');
    if (host === undefined) throw new Error('web-3');
    const right = host.saved;
    host.saved = {};
    const outcomes = await deploy();
    expect(outcomes.hosts.find(({ host: name }) => name === 'web-3')?.outcome).toBe('confirmed');
    expect(host.saved).toEqual(right);
    const last = client.changes.at(-1);
    expect(last?.change.forward).toEqual({ sets: '', v4: '', v6: '', setsAfter: '' });
  });

  test('changes at most `parallel` hosts at once', async () => {
    const { client, deploy } = modelRollout({ rollout: 'parallel: 2' });
    await deploy();
    expect(client.most()).toBeLessThanOrEqual(2);
  });
});

describe('a failed canary', () => {
  test.each([
    ['rolls-back', 'rolled-back'],
    ['refuses', 'refused'],
    ['lost', 'unknown'],
    ['gone-later', 'unreachable'],
  ] as const)('that %s stops everything, whatever may fail elsewhere', async (behaviour, outcome) => {
    const { client, deploy } = modelRollout({ rollout: 'max_failures: 3' }, { 'web-1': behaviour });
    const outcomes = await deploy();
    expect(short(outcomes)).toEqual([
      `0 web-1 ${outcome}`,
      '1 web-2 not-reached',
      '2 web-3 not-reached',
      '2 web-4 not-reached',
    ]);
    expect(touched(client)).toEqual(['web-1']);
    expect(outcomes.hosts[1]?.reason).toContain('web-1');
  });
});

describe('failures after the canary', () => {
  test('stop the rollout when there are more than `max_failures`', async () => {
    const { client, deploy } = modelRollout({}, { 'web-2': 'rolls-back' });
    expect(short(await deploy())).toEqual([
      '0 web-1 confirmed',
      '1 web-2 rolled-back',
      '2 web-3 not-reached',
      '2 web-4 not-reached',
    ]);
    expect(touched(client)).toEqual(['web-1', 'web-2']);
  });

  test('do not stop the rollout up to `max_failures`', async () => {
    const { deploy } = modelRollout({ rollout: 'max_failures: 1' }, { 'web-2': 'rolls-back' });
    expect(short(await deploy())).toEqual([
      '0 web-1 confirmed',
      '1 web-2 rolled-back',
      '2 web-3 confirmed',
      '2 web-4 confirmed',
    ]);
  });

  test('leave finished hosts as they are, and a later run changes the rest', async () => {
    const { client, deploy } = modelRollout({}, { 'web-2': 'rolls-back' });
    await deploy();
    behave(client, 'web-2', 'good');
    expect(short(await deploy())).toEqual([
      '0 web-1 unchanged',
      '1 web-2 confirmed',
      '2 web-3 confirmed',
      '2 web-4 confirmed',
    ]);
  });

  test('roll back finished hosts with `on_failure: rollback`', async () => {
    const { client, deploy } = modelRollout({ rollout: 'on_failure: rollback' }, { 'web-2': 'rolls-back' });
    const web1 = client.hosts.get('web-1');
    const before = web1?.live;
    const outcomes = await deploy();
    expect(short(outcomes)).toEqual([
      '0 web-1 rolled-back',
      '1 web-2 rolled-back',
      '2 web-3 not-reached',
      '2 web-4 not-reached',
    ]);
    expect(outcomes.hosts[0]?.phase).toBe('rollback');
    expect(web1?.live.v4 === '' || !web1?.live.v4.includes('SALLYPORT')).toBe(true);
    expect(before?.v4).toBe('');
  });

  test('restore the commit of the rules on a host that is rolled back', async () => {
    const { client, deploy } = modelRollout({ rollout: 'on_failure: rollback' });
    await deploy({ commit: 'one' });
    const wider = fleetOf({
      rollout: 'on_failure: rollback',
      web: '  - {allow: tcp/8443, from: any, reason: Preview}\n',
    });
    behave(client, 'web-2', 'rolls-back');
    const outcomes = await deployFleet(wider, wider.hosts, client, { owner: 'test', commit: 'two' });
    expect(short(outcomes)[0]).toBe('0 web-1 rolled-back');
    const [current] = client.hosts.get('web-1')?.known ?? [];
    expect(current?.commit).toBe('one');
    expect(current?.rules?.v4).not.toContain('8443');
  });

  test('a host that is unreachable after the soak is rolled back as well', async () => {
    const { client, deploy } = modelRollout({ rollout: 'on_failure: rollback' }, { 'web-1': 'gone-later' });
    expect(short(await deploy())[0]).toBe('0 web-1 rolled-back');
    behave(client, 'web-1', 'gone-later');
    const gone = modelRollout({ rollout: 'on_failure: rollback' }, { 'web-1': 'gone-later' });
    const outcomes = await gone.deploy({
      onEvent: ({ kind }) => {
        if (kind === 'stopped') behave(gone.client, 'web-1', 'unreachable');
      },
    });
    expect(outcomes.hosts[0]).toMatchObject({
      outcome: 'unknown',
      reason: expect.stringMatching(/^Its rollback failed: It did not answer\./),
    });
  });

  test('roll back wave by wave, the last one first, and no host together with its bastion', async () => {
    const hosts = `
  web-1: { addresses: [192.0.2.1], roles: [web] }
  web-2: { addresses: [192.0.2.2], roles: [web], ssh: {bastion: [{host: gate, user: jump}, {host: hall, user: jump}]} }
  gate: { addresses: [192.0.2.8], roles: [web] }
  hall: { addresses: [192.0.2.9], roles: [web], ssh: {bastion: {host: gate, user: jump}} }
`;
    const fleet = fleetOf({ hosts, rollout: 'on_failure: rollback' });
    const client = modelFleet(
      Object.fromEntries(
        fleet.hosts.map(({ name }) => [
          name,
          modelHost({ behaviour: name === 'gate' ? 'rolls-back' : 'good' }),
        ]),
      ),
    );
    await deployFleet(fleet, fleet.hosts, client, { owner: 'test' });
    expect(touched(client)).toEqual(['web-1', 'web-2', 'hall', 'gate', 'hall', 'web-2', 'web-1']);
    expect(client.most()).toBe(1);
  });
});

describe('before anything is changed', () => {
  test('an unreachable host counts as a failure', async () => {
    const { client, deploy } = modelRollout({}, { 'web-4': 'unreachable' });
    expect(short(await deploy())).toEqual([
      '0 web-1 not-reached',
      '1 web-2 not-reached',
      '2 web-3 not-reached',
      '2 web-4 unreachable',
    ]);
    expect(touched(client)).toEqual([]);
  });

  test('an unreadable host is skipped within `max_failures`', async () => {
    const { deploy } = modelRollout({ rollout: 'max_failures: 1' }, { 'web-4': 'unreadable' });
    expect(short(await deploy())).toEqual([
      '0 web-1 confirmed',
      '1 web-2 confirmed',
      '2 web-3 confirmed',
      '2 web-4 refused',
    ]);
  });

  const LOCKOUT = {
    hosts: `
  web-1: { addresses: [192.0.2.1, "2001:db8::1"], roles: [web] }
  web-2:
    addresses: [192.0.2.2, "2001:db8::2"]
    roles: [web]
    raw:
      - {table: mangle, chain: PREROUTING, rule: "-p tcp -m tcp --dport 22 -j DROP", reason: Brute force}
  web-3: { addresses: [192.0.2.3, "2001:db8::3"], roles: [web] }
  web-4: { addresses: [192.0.2.4, "2001:db8::4"], roles: [web] }
`,
    rollout: 'max_failures: 4',
  };

  test('one host that would be locked out stops the rollout', async () => {
    const { client, deploy } = modelRollout(LOCKOUT);
    const outcomes = await deploy();
    expect(short(outcomes)).toEqual([
      '0 web-1 not-reached',
      '1 web-2 refused',
      '2 web-3 not-reached',
      '2 web-4 not-reached',
    ]);
    expect(outcomes.hosts[1]?.reason).toMatch(/^The new rules would lock out SSH\. /);
    expect(touched(client)).toEqual([]);
  });

  test('a lockout risk that is accepted for a host by name does not', async () => {
    const { deploy } = modelRollout(LOCKOUT);
    expect(short(await deploy({ acceptLockoutRisk: ['web-1'] }))).toContain('1 web-2 refused');
    expect(short(await deploy({ acceptLockoutRisk: ['web-2'] }))).toContain('1 web-2 confirmed');
  });

  test('a violated guard stops the rollout', async () => {
    const { deploy } = modelRollout({
      more: 'guards:\n  - {name: No web, on: web-3, drop: {service: https, from: any}}\n',
    });
    const outcomes = await deploy();
    expect(short(outcomes)).toContain('2 web-3 refused');
    expect(short(outcomes)).toContain('0 web-1 not-reached');
  });
});

describe('a host with a pending change of another run', () => {
  test('is not `unchanged`, whatever its rules are: they may be rolled back', async () => {
    const { client, deploy } = modelRollout();
    await deploy();
    const host = client.hosts.get('web-3');
    if (host === undefined) throw new Error('web-3');
    const pending = { run: 'other', phase: 'verify', owner: 'ci', since: '', secondsLeft: 40 } as const;
    host.state = { record: { history: [], pending } };
    behave(client, 'web-3', 'refuses');
    expect(short(await deploy())).toContain('2 web-3 refused');
  });
});

describe('a listener that throws', () => {
  const failingAt = (kind: RolloutEvent['kind']) => (event: RolloutEvent) => {
    if (event.kind === kind) throw new Error('the disk is full');
  };

  test('before anything is changed stops the rollout', async () => {
    const { client, deploy } = modelRollout();
    const outcomes = await deploy({ onEvent: failingAt('begin') });
    expect(outcomes.stopped).toBe('Nothing was changed: events cannot be recorded: the disk is full.');
    expect(touched(client)).toEqual([]);
  });

  test('while a host is changed does not stop that change, and no further host is changed', async () => {
    const { client, deploy } = modelRollout();
    const outcomes = await deploy({ onEvent: failingAt('phase') });
    expect(short(outcomes)).toEqual([
      '0 web-1 confirmed',
      '1 web-2 not-reached',
      '2 web-3 not-reached',
      '2 web-4 not-reached',
    ]);
    expect(outcomes.stopped).toBe('The rollout stopped: events cannot be recorded: the disk is full.');
    expect(touched(client)).toEqual(['web-1']);
  });
});

describe('a host with another manager of the same chains', () => {
  const managed = (client: ModelFleet): void => {
    const host = client.hosts.get('web-4');
    if (host === undefined) throw new Error('web-4');
    host.facts = { managers: ['ufw'] };
  };

  test('has an error in its plan', async () => {
    const { fleet, client } = modelRollout();
    managed(client);
    const plan = await planFleet(fleet, fleet.hosts, client);
    expect(plan.hosts[3]?.findings).toContainEqual(
      expect.objectContaining({
        id: 'other-manager',
        level: 'error',
        message: 'ufw is active on web-4 and would overwrite the same chains.',
      }),
    );
  });

  test('is refused without stopping the rollout for a policy fault', async () => {
    const { client, deploy } = modelRollout({ rollout: 'max_failures: 1' });
    managed(client);
    const outcomes = await deploy();
    expect(short(outcomes)).toEqual([
      '0 web-1 confirmed',
      '1 web-2 confirmed',
      '2 web-3 confirmed',
      '2 web-4 refused',
    ]);
    expect(outcomes.hosts[3]?.reason).toContain('Disable it on the host');
    expect(touched(client)).not.toContain('web-4');
  });
});

test('events come in the order of the rollout', async () => {
  const { deploy } = modelRollout();
  const events: string[] = [];
  await deploy({ onEvent: ({ kind }) => void events.push(kind) });
  expect(events.filter((kind) => !['begin', 'reading', 'read'].includes(kind))).toEqual([
    'wave',
    'phase',
    'outcome',
    'soak',
    'wave',
    'phase',
    'outcome',
    'soak',
    'wave',
    'phase',
    'phase',
    'outcome',
    'outcome',
  ]);
});
