/** Confirmed and rolled-back transactions on real hosts of several types. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type Lab, type Host as LabHost, openLab } from '../../../src/lab/lab.js';
import { lockedOut, open } from '../change.js';
import { BUSYBOX, type TestClient, testClient, waitUntilIdle } from '../hosts.js';

jest.setTimeout(120_000);

let lab: Lab;
let client: TestClient;
let light: LabHost;
let legacy: LabHost;
let systemd: LabHost;
let busybox: LabHost;

beforeAll(async () => {
  lab = await openLab();
  [light, legacy, systemd, busybox] = await Promise.all([
    lab.light({ name: 'web-1' }),
    lab.light({ name: 'old-1', backend: 'legacy', ipv6: false, user: { name: 'root', sudo: 'none' } }),
    lab.systemd({ name: 'db-1' }),
    lab.light({ name: 'small-1' }),
  ]);
  await busybox.must(BUSYBOX);
  client = testClient(lab);
});
afterAll(async () => {
  await client.close();
  await lab.close();
});

describe.each([
  ['a light host, as a sudo user', () => light],
  ['legacy iptables without IPv6, as root', () => legacy],
  ['a host with systemd', () => systemd],
  ['busybox as the shell', () => busybox],
])('%s', (_, hostOf) => {
  test('a change is confirmed and saved, and goes through all phases', async () => {
    const host = hostOf();
    const { result, phases } = await client.deploy(host, open(80));
    expect(result).toMatchObject({ outcome: 'confirmed', reason: '' });
    expect(phases).toEqual([
      ...['connect', 'preflight', 'snapshot', 'rehearse', 'arm', 'apply', 'verify', 'confirm', 'persist'],
      ...['disarm', 'done'],
    ]);
    const live = await host.liveRules();
    expect(live.v4).toContain('-A SALLYPORT-INPUT -p tcp -m tcp --dport 80 -j ACCEPT');
    expect((await host.savedRules()).v4).toBe(live.v4);
    await waitUntilIdle(host);
    const { record } = await client.state(host);
    expect(record).toMatchObject({
      current: { number: 1, commit: expect.stringMatching(/^0123/) },
      last: { outcome: 'confirmed' },
    });
  });

  test('a change that blocks new connections is rolled back', async () => {
    const host = hostOf();
    await client.deploy(host, open(80, 443));
    const [live, saved] = [await host.liveRules(), await host.savedRules()];
    const { result } = await client.deploy(host, lockedOut, { change: { confirmWithinSeconds: 5 } });
    expect(result).toMatchObject({
      outcome: 'rolled-back',
      phase: 'verify',
      reason: expect.stringContaining('no new connection'),
    });
    expect([await host.liveRules(), await host.savedRules()]).toEqual([live, saved]);
    await waitUntilIdle(host);
  });
});
