import { describe, expect, test } from '@jest/globals';
import type { ModelFleet } from './model-host.js';
import { scene, short, touched } from './scene.js';

describe('a soak', () => {
  const count = (uptime: number, packets: number) => ({
    boot: 'a',
    uptime,
    rules: [{ family: 'v4' as const, chain: 'SALLYPORT-INPUT', packets }],
  });
  /** A host that dropped nothing for ten minutes, and then so many packets in a minute of soak. */
  const dropping = (port: ModelFleet, name: string, packets: number): void => {
    const host = port.hosts.get(name);
    if (host === undefined) return;
    host.state = { drops: { before: count(0, 0), now: count(600, 0) } };
    host.meanwhile = (model) => {
      model.state = { drops: { before: count(600, 0), now: count(660, packets) } };
    };
  };

  test('stops the rollout when the canary drops far more than before; the canary keeps its rules', async () => {
    const { port, deploy } = scene();
    dropping(port, 'web-1', 300);
    const outcomes = await deploy();
    expect(short(outcomes)).toEqual([
      '0 web-1 confirmed',
      '1 web-2 not-reached',
      '2 web-3 not-reached',
      '2 web-4 not-reached',
    ]);
    expect(outcomes.hosts[0]).toMatchObject({ phase: 'soak', drops: { before: 0, during: 300 } });
    expect(outcomes.hosts[0]?.reason).toMatch(
      /^It dropped 300 packets a minute that no rule names, and 0 before/,
    );
    expect(outcomes.stopped).toBe('The rollout stopped: web-1 drops more than before.');
    expect(touched(port)).toEqual(['web-1']);
  });

  test('takes it back with `on_failure: rollback`', async () => {
    const { port, deploy } = scene({ rollout: 'on_failure: rollback' });
    dropping(port, 'web-1', 300);
    expect(short(await deploy())[0]).toBe('0 web-1 rolled-back');
  });

  test('goes on, and says the rates, when the rise is within what the policy lets pass', async () => {
    const { port, deploy } = scene();
    dropping(port, 'web-1', 10);
    const outcomes = await deploy();
    expect(outcomes.hosts.every(({ outcome }) => outcome === 'confirmed')).toBe(true);
    expect(outcomes.hosts[0]?.drops).toEqual({ before: 0, during: 10 });
    expect(outcomes.stopped).toBeUndefined();
  });

  test('stops the rollout when someone changed the rules that were deployed', async () => {
    const { port, deploy } = scene();
    const host = port.hosts.get('web-1');
    if (host === undefined) throw new Error('web-1');
    host.meanwhile = (model) => {
      model.live = {
        ...model.live,
        v4: model.live.v4.replace(/-A SALLYPORT-INPUT .*--dports 80,443 .*\n/, ''),
      };
    };
    const outcomes = await deploy();
    expect(outcomes.hosts[0]).toMatchObject({ outcome: 'unknown', phase: 'soak' });
    expect(outcomes.hosts[0]?.reason).toMatch(
      /someone changed its rules since: "SALLYPORT-INPUT .*" is gone\.$/,
    );
    expect(touched(port)).toEqual(['web-1']);
  });

  test('leaves alone what programs add meanwhile', async () => {
    const { port, deploy } = scene();
    const host = port.hosts.get('web-1');
    if (host === undefined) throw new Error('web-1');
    host.meanwhile = (model) => {
      model.live = {
        ...model.live,
        v4: model.live.v4
          .replace(/^:SALLYPORT-INPUT - \[0:0\]\n/m, ':f2b-sshd - [0:0]\n$&')
          .replace(
            /^COMMIT\n/m,
            '-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd\n-A f2b-sshd -s 198.51.100.9/32 -j REJECT --reject-with icmp-port-unreachable\n-A f2b-sshd -j RETURN\n$&',
          ),
      };
    };
    expect(short(await deploy())[0]).toBe('0 web-1 confirmed');
  });
});
