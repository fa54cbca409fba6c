/**
 * What was confirmed is what is saved: flannel and kube-proxy append their rules to FORWARD when they start, after the
 * saved rules are loaded. Pods reach the same before a deploy, after it, and after the next boot.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { renderRuleset } from '../../../src/compile/render.js';
import { compileHost } from '../../../src/compile/rules/compile.js';
import type { HostState } from '../../../src/host/client.js';
import { transitionsOf } from '../../../src/rollout/plan/transition.js';
import type { Packet } from '../../../src/traffic/model.js';
import { startHarness } from '../../traffic/trace/kernel/judge.js';
import { bytesOf } from '../../traffic/trace/kernel/packet-bytes.js';
import { fleetOf } from '../fleet.js';

const CASES = join(import.meta.dirname, '../../cases');
const KERNEL = join(import.meta.dirname, '../../traffic/trace/kernel');

/** What flannel and kube-proxy make of an empty host. */
const PODS = readFileSync(join(CASES, '19-flannel-reboot.v4'), 'utf8');
/** The same as they append it to rules that are there. */
const APPEND = PODS.replace(/^:(INPUT|FORWARD|OUTPUT) .*\n/gm, '');

function deployed(saved: HostState['saved']) {
  const fleet = fleetOf({ hosts: '\n  web-1: { addresses: [192.0.2.1] }\n' });
  const [host] = fleet.hosts;
  if (host === undefined) throw new Error('no host');
  const desired = compileHost(fleet, host);
  if (!desired.ok) throw new Error(JSON.stringify(desired.problems));
  const state: HostState = {
    live: { v4: PODS, v6: '', sets: '' },
    saved,
    boot: { loader: 'netfilter-persistent', enabled: true, paths: { v4: '', v6: '', sets: '' } },
    backend: 'nft',
    versions: { iptables: '1.8.9', kernel: '' },
    facts: { hostname: '', machineId: '', addresses: [], interfaces: [], systemd: true, ipv6: false },
    record: { history: [] },
  };
  const transitions = transitionsOf(fleet, host, state, desired.value);
  if (!transitions.ok || !transitions.value.saved.ok) throw new Error(JSON.stringify(transitions));
  const { live, saved: file } = transitions.value;
  return { live: renderRuleset(live.next).v4, saved: renderRuleset(file.value.next).v4, file: file.value };
}

const DEVICES = ['eth0', 'cni0'];
const pods = (src: string, inward: string, outward: string): Packet => ({
  hook: 'FORWARD',
  in: inward,
  out: outward,
  src,
  dst: '198.51.100.7',
  protocol: 'tcp',
  sport: 20001,
  dport: 443,
});
const PACKETS = [pods('10.42.0.9', 'cni0', 'eth0'), pods('203.0.113.99', 'eth0', 'cni0')];

/** Whether a pod reaches outside, and a stranger passes, after these texts are loaded one upon the other. */
async function reach(...texts: readonly string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-pods-'));
  const harness = startHarness(KERNEL);
  try {
    await harness.ask([`devices ${DEVICES.join(' ')}`]);
    for (const [index, text] of texts.entries()) {
      writeFileSync(join(folder, 'rules'), text);
      const loaded = await harness.ask([
        `run iptables-restore ${index > 0 ? '--noflush ' : ''}< ${folder}/rules`,
      ]);
      if (loaded !== 'ok') throw new Error(loaded);
    }
    const lines = PACKETS.map((packet, id) => {
      const service = 4 * (DEVICES.indexOf(packet.out ?? '') + 1);
      return `FORWARD ${DEVICES.indexOf(packet.in ?? '')} ${bytesOf(packet, 'v4', service, id).toString('hex')}`;
    });
    return await harness.ask([`packets ${PACKETS.length}`, ...lines]);
  } finally {
    await harness.close();
    rmSync(folder, { recursive: true });
  }
}

test.each([
  ['a host that saved nothing', {}],
  ['a host that saved a final drop', { v4: readFileSync(join(CASES, '19-flannel-saved.v4'), 'utf8') }],
])('pods reach outside before, after and after a boot: %s', async (_, saved) => {
  const { live, saved: file } = deployed(saved);
  expect(await reach(PODS)).toBe('11');
  // The pod's packet passes; what nobody allows is dropped now.
  expect(await reach(live)).toBe('10');
  expect(await reach(file, APPEND)).toBe('10');
});

test('a saved file with the final drop differs from what runs, so that a deploy writes it again', () => {
  const { file } = deployed({ v4: readFileSync(join(CASES, '19-flannel-saved.v4'), 'utf8') });
  const dropsOf = (tables: typeof file.next.v4): boolean =>
    tables.some(({ chains }) =>
      chains.some(({ name, rules }) => name === 'SALLYPORT-FORWARD' && rules.at(-1)?.text === '-j DROP'),
    );
  expect(dropsOf(file.before.v4)).toBe(true);
  expect(dropsOf(file.next.v4)).toBe(false);
});
