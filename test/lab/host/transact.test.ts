/** Transactions on real hosts that end well, and those that the host refuses or takes back. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Change, HostPort, HostState, Phase, TransactionResult } from '../../../src/host/port.js';
import { type Lab, type Host as LabHost, openLab } from '../../../src/lab/lab.js';
import type { Host } from '../../../src/policy/fleet.js';
import { changeTo, lockedOut, open, type Wanted } from './change.js';
import { policyHost, portTo } from './hosts.js';

jest.setTimeout(120_000);

let lab: Lab;
let port: HostPort;
let light: LabHost;
let legacy: LabHost;
let whole: LabHost;
let busybox: LabHost;

/** The applets that the agent and the tools of a small system share. */
const BUSYBOX = `for applet in sh awk sort mv cp cat rm mkdir chmod sync sleep flock setsid sha256sum cmp tr grep date unshare; do
  busybox --list | grep -qx "$applet" && ln -sf /bin/busybox "/usr/local/sbin/$applet"
done; ln -sf /bin/busybox /bin/sh`;

beforeAll(async () => {
  lab = await openLab();
  [light, legacy, whole, busybox] = await Promise.all([
    lab.light({ name: 'web-1' }),
    lab.light({ name: 'old-1', backend: 'legacy', ipv6: false, user: { name: 'root', sudo: 'none' } }),
    lab.whole({ name: 'db-1' }),
    lab.light({ name: 'small-1' }),
  ]);
  await busybox.must(BUSYBOX);
  port = portTo(lab);
});
afterAll(async () => {
  await port.close();
  await lab.close();
});

const stateOf = async (host: LabHost, policy: Host = policyHost(host)): Promise<HostState> => {
  const reading = await port.read(policy);
  if (reading.status !== 'read') throw new Error(reading.problem.message);
  return reading.state;
};

interface Ran {
  readonly result: TransactionResult;
  readonly phases: readonly Phase[];
  readonly change: Change;
}

const deploy = async (
  host: LabHost,
  wanted: Wanted,
  changes: Partial<Change> = {},
  policy: Host = policyHost(host),
): Promise<Ran> => {
  const change = changeTo(await stateOf(host, policy), wanted, changes);
  const phases: Phase[] = [];
  const result = await port.transact(policy, change, (phase) => phases.push(phase));
  return { result, phases, change };
};

/** Nothing of the transaction runs or waits any more. */
const quiet = async (host: LabHost): Promise<void> => {
  const left =
    await host.must(`ls -d /var/lib/sallyport/pending /var/lib/sallyport/new.* /etc/iptables/*.sallyport 2>/dev/null || true
    pgrep -af '/var/lib/sallyport' | grep -v pgrep || true
    [ ! -d /run/systemd/system ] || systemctl list-units --all --plain --no-legend 'sallyport-*'`);
  expect(left).toBe('');
  expect(await host.exec('flock -n /var/lib/sallyport/lock true')).toMatchObject({ code: 0 });
};

describe.each([
  ['a light host, as a sudo user', () => light],
  ['legacy iptables without IPv6, as root', () => legacy],
  ['a host with systemd', () => whole],
  ['busybox for a shell', () => busybox],
])('%s', (_, hostOf) => {
  test('takes a change, keeps it, and goes through the phases', async () => {
    const host = hostOf();
    const { result, phases } = await deploy(host, open(80));
    expect(result).toMatchObject({ outcome: 'confirmed', reason: '' });
    expect(phases).toEqual([
      ...['connect', 'preflight', 'snapshot', 'rehearse', 'arm', 'apply', 'verify', 'confirm', 'persist'],
      ...['disarm', 'done'],
    ]);
    const live = await host.liveRules();
    expect(live.v4).toContain('-A SALLYPORT-INPUT -p tcp -m tcp --dport 80 -j ACCEPT');
    expect((await host.savedRules()).v4).toBe(live.v4);
    await quiet(host);
    const { record } = await stateOf(host);
    expect(record).toMatchObject({
      current: { number: 1, commit: expect.stringMatching(/^0123/) },
      last: { outcome: 'confirmed' },
    });
  });

  test('takes another one, and goes back by itself when nobody new gets in', async () => {
    const host = hostOf();
    await deploy(host, open(80, 443));
    const [live, saved] = [await host.liveRules(), await host.savedRules()];
    const { result } = await deploy(host, lockedOut, { confirmWithinSeconds: 5 });
    expect(result).toMatchObject({
      outcome: 'rolled-back',
      phase: 'verify',
      reason: expect.stringContaining('no new connection'),
    });
    expect([await host.liveRules(), await host.savedRules()]).toEqual([live, saved]);
    await quiet(host);
  });
});
