import { describe, expect, test } from '@jest/globals';
import { type DeployOptions, deployFleet } from '../../../src/rollout/deploy/deploy.js';
import type { RolloutEvent } from '../../../src/rollout/results/events.js';
import type { Outcomes } from '../../../src/rollout/results/model.js';
import { fleetOf } from '../fleet.js';
import type { ModelFleet } from '../model-host.js';
import { behave, modelRollout, short, touched } from '../model-rollout.js';

describe('a soak', () => {
  const count = (uptime: number, packets: number) => ({
    boot: 'a',
    uptime,
    rules: [{ family: 'v4' as const, chain: 'SALLYPORT-INPUT', packets }],
  });
  /** A host that dropped nothing for ten minutes, and then so many packets in a minute of soak. */
  const dropping = (client: ModelFleet, name: string, packets: number): void => {
    const host = client.hosts.get(name);
    if (host === undefined) return;
    host.state = { drops: { before: count(0, 0), now: count(600, 0) } };
    host.meanwhile = (model) => {
      model.state = { drops: { before: count(600, 0), now: count(660, packets) } };
    };
  };

  test('stops the rollout when the canary drops far more than before; the canary keeps its rules', async () => {
    const { client, deploy } = modelRollout();
    dropping(client, 'web-1', 300);
    const outcomes = await deploy();
    expect(short(outcomes)).toEqual([
      '0 web-1 confirmed',
      '1 web-2 not-reached',
      '2 web-3 not-reached',
      '2 web-4 not-reached',
    ]);
    expect(outcomes.hosts[0]).toMatchObject({ phase: 'soak', drops: { before: 0, during: 300 } });
    expect(outcomes.hosts[0]?.reason).toMatch(
      /^It dropped 300 packets a minute that no rule matches, and 0 before/,
    );
    expect(outcomes.stopped).toBe('The rollout stopped: web-1 drops more than before.');
    expect(touched(client)).toEqual(['web-1']);
  });

  test('rolls it back with `on_failure: rollback`', async () => {
    const { client, deploy } = modelRollout({ rollout: 'on_failure: rollback' });
    dropping(client, 'web-1', 300);
    expect(short(await deploy())[0]).toBe('0 web-1 rolled-back');
  });

  test('continues, and reports the rates, when the rise is within `max_drop_growth`', async () => {
    const { client, deploy } = modelRollout();
    dropping(client, 'web-1', 10);
    const outcomes = await deploy();
    expect(outcomes.hosts.every(({ outcome }) => outcome === 'confirmed')).toBe(true);
    expect(outcomes.hosts[0]?.drops).toEqual({ before: 0, during: 10 });
    expect(outcomes.stopped).toBeUndefined();
  });

  test('stops the rollout when the deployed rules were changed', async () => {
    const { client, deploy } = modelRollout();
    const host = client.hosts.get('web-1');
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
      /its rules have changed since: "SALLYPORT-INPUT .*" was removed\.$/,
    );
    expect(touched(client)).toEqual(['web-1']);
  });

  test('ignores rules that programs add meanwhile', async () => {
    const { client, deploy } = modelRollout();
    const host = client.hosts.get('web-1');
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

describe('a soak that an earlier run did not end', () => {
  /** A canary that runs the new rules since so many seconds, by its own clock; the others do not yet. */
  async function brokenOff(seconds: number | undefined) {
    const { client, deploy: first } = modelRollout({}, { 'web-2': 'rolls-back' });
    await first();
    behave(client, 'web-2', 'good');
    const fleet = fleetOf({ rollout: 'soak: 1s' });
    const deploy = (options: Partial<DeployOptions> = {}): Promise<Outcomes> =>
      deployFleet(fleet, fleet.hosts, client, { owner: 'test', ...options });
    const canary = client.hosts.get('web-1');
    if (canary === undefined) throw new Error('web-1');
    const at = (uptime: number) => ({ boot: 'a', uptime, rules: [] });
    const [current] = canary.known;
    if (current === undefined) throw new Error('the canary is not deployed');
    const { run, time } = current;
    canary.state = {
      record: { history: [current], current, last: { run, outcome: 'confirmed', reason: '', time } },
      ...(seconds === undefined ? {} : { drops: { before: at(1000), now: at(1000 + seconds) } }),
    };
    const events: RolloutEvent[] = [];
    return { client, deploy, canary, events, onEvent: (event: RolloutEvent) => void events.push(event) };
  }
  const soaks = (events: readonly RolloutEvent[]): readonly string[] =>
    events.flatMap((event) => (event.kind === 'soak' ? [`${event.wave}: ${event.seconds} s`] : []));

  test.each([
    ['it goes on for what is left of it', 0.5, ['0: 1 s', '1: 1 s']],
    ['it is as long as any where the host cannot tell', undefined, ['0: 1 s', '1: 1 s']],
    ['it is over when its time is', 1, ['1: 1 s']],
  ])('%s', async (_, seconds, expected) => {
    const { deploy, events, onEvent, client } = await brokenOff(seconds);
    const before = client.log.length;
    expect(short(await deploy({ onEvent }))).toEqual([
      '0 web-1 unchanged',
      '1 web-2 confirmed',
      '2 web-3 confirmed',
      '2 web-4 confirmed',
    ]);
    expect(soaks(events)).toEqual(expected);
    expect(client.log.slice(before).includes('reverify web-1')).toBe(expected.length === 2);
  });

  test('stops the rollout when the canary is unreachable after it', async () => {
    const { deploy, client } = await brokenOff(0.5);
    behave(client, 'web-1', 'gone-later');
    const before = touched(client).length;
    const outcomes = await deploy();
    expect(outcomes.stopped).toBe('The rollout stopped: the canary web-1 is unreachable.');
    expect(touched(client).slice(before)).toEqual([]);
  });

  test('stops the jobs of later waves as well', async () => {
    const { deploy, client } = await brokenOff(0.5);
    behave(client, 'web-1', 'gone-later');
    const outcomes = await deploy({ part: { waves: { from: 1 } } });
    expect(outcomes.stopped).toBe(
      'The rollout stopped: the canary web-1 has changed since: the host accepts no new connection',
    );
    expect(outcomes.hosts.every(({ outcome }) => outcome === 'not-reached')).toBe(true);
  });

  test('is skipped when no host is left', async () => {
    const { deploy, canary, events, onEvent } = await brokenOff(0.5);
    const { state } = canary;
    await deploy();
    canary.state = state;
    expect(short(await deploy({ onEvent })).every((line) => line.endsWith('unchanged'))).toBe(true);
    expect(soaks(events)).toEqual([]);
  });
});
