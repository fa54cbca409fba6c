/** A deploy that is bound to a reviewed plan. */
import { describe, expect, test } from '@jest/globals';
import type { Host } from '../../../src/policy/fleet.js';
import { deployFleet } from '../../../src/rollout/deploy/deploy.js';
import { planFleet } from '../../../src/rollout/plan/plan.js';
import { fleetOf } from '../fleet.js';
import { behave, modelRollout, short, touched } from '../model-rollout.js';

const hostNamed = (hosts: readonly Host[], name: string): Host => {
  const found = hosts.find((host) => host.name === name);
  if (found === undefined) throw new Error(name);
  return found;
};

describe('bound to a reviewed plan', () => {
  test('refuses a host that changed since, with the reason', async () => {
    const { fleet, client, deploy } = modelRollout({ rollout: 'max_failures: 1' });
    const reviewed = await planFleet(fleet, fleet.hosts, client);
    const host = client.hosts.get('web-3');
    if (host === undefined) throw new Error('web-3');
    host.live = {
      ...host.live,
      v4: '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport 5432 -j ACCEPT\nCOMMIT\n',
    };
    const outcomes = await deploy({ reviewed });
    const refused = outcomes.hosts.find(({ host: name }) => name === 'web-3');
    expect(refused).toMatchObject({ outcome: 'refused', phase: 'preflight' });
    expect(refused?.reason).toMatch(
      /^plan-changed: the live rules are not those of the reviewed plan: "INPUT -p tcp .*5432 .*" was added\./,
    );
    expect(refused?.changed?.since?.v4.added.map(({ text }) => text)).toEqual([
      '-p tcp -m tcp --dport 5432 -j ACCEPT',
    ]);
    expect(refused?.changed?.next.v4.added.map(({ chain }) => chain)).toContain('SALLYPORT-INPUT');
    expect(outcomes.hosts[0]?.changed).toBeUndefined();
    expect(short(outcomes)).toContain('2 web-4 confirmed');
  });

  test('does not throw for a plan that was edited by hand', async () => {
    const { fleet, client, deploy } = modelRollout();
    const made = await planFleet(fleet, fleet.hosts, client);
    const hosts = made.hosts.map((plan) => ({ ...plan, live: 'constructor' }));
    const outcomes = await deploy({ reviewed: { ...made, hosts } });
    expect(outcomes.hosts.every(({ outcome }) => outcome === 'refused')).toBe(true);
  });

  test('refuses a policy other than the reviewed one', async () => {
    const { fleet, client } = modelRollout();
    const reviewed = await planFleet(fleet, fleet.hosts, client);
    const other = fleetOf({ web: '  - {allow: tcp/8443, from: any, reason: Preview}\n' });
    const outcomes = await deployFleet(other, other.hosts, client, { owner: 'test', reviewed });
    expect(outcomes.hosts.every(({ outcome }) => outcome === 'refused')).toBe(true);
    expect(outcomes.hosts[0]?.reason).toContain('8443');
    expect(touched(client)).toEqual([]);
  });

  test('accepts hosts that an earlier run of the same plan has changed', async () => {
    const { fleet, client, deploy } = modelRollout({}, { 'web-2': 'rolls-back' });
    const reviewed = await planFleet(fleet, fleet.hosts, client);
    await deploy({ reviewed });
    behave(client, 'web-2', 'good');
    expect(short(await deploy({ reviewed }))).toEqual([
      '0 web-1 unchanged',
      '1 web-2 confirmed',
      '2 web-3 confirmed',
      '2 web-4 confirmed',
    ]);
  });

  test('refuses hosts that the plan does not have', async () => {
    const { fleet, client, deploy } = modelRollout({ rollout: 'max_failures: 4' });
    const reviewed = await planFleet(fleet, [hostNamed(fleet.hosts, 'web-1')], client);
    expect(short(await deploy({ reviewed }))).toEqual([
      '0 web-1 confirmed',
      '1 web-2 refused',
      '2 web-3 refused',
      '2 web-4 refused',
    ]);
  });
});
