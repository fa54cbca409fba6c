/**
 * Hosts with the native tables of programs beside iptables: every certain verdict of the model on packets around what
 * the rules name must be the kernel's.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nativeText } from '../../../../src/host/state/native.js';
import { readNftables } from '../../../../src/netfilter/nftables/read.js';
import type { Hook, Packet } from '../../../../src/traffic/model.js';
import { explainer } from '../../../../src/traffic/trace/explain.js';
import { DROPS, table } from '../../rules.js';
import { rulesetOf, startHarness } from '../../trace/kernel/judge.js';
import { bytesOf, stateOf } from '../../trace/kernel/packet-bytes.js';

const CASES = join(import.meta.dirname, '../../../cases/nft');
const KERNEL = join(import.meta.dirname, '../../trace/kernel');
const OWN = '192.0.2.1';

/** The first three devices of the harness; what is tried of addresses and ports; where nat sends packets. */
interface Case {
  readonly devices: readonly string[];
  readonly hosts: readonly string[];
  readonly ports: readonly number[];
  readonly targets?: readonly string[];
  /** The most that may be unknown, in percent. */
  readonly unknown?: number;
}

const NATIVE: { readonly [file: string]: Case } = {
  'b-docker29.nft': {
    devices: ['eth0', 'docker0', 'eth1'],
    hosts: ['172.17.0.2', '172.17.0.3', '198.51.100.7'],
    ports: [80, 8080, 22],
    targets: ['172.17.0.2'],
  },
  'c-libvirt.nft': {
    devices: ['eth0', 'virbr0', 'eth1'],
    hosts: ['192.168.122.5', '192.168.123.1', '198.51.100.7'],
    ports: [22, 80],
  },
  'd-netavark.nft': {
    devices: ['eth0', 'podman0', 'podman1'],
    hosts: ['10.89.0.2', '10.88.0.3', '198.51.100.7'],
    ports: [53, 80, 8080],
    targets: ['10.89.0.2'],
  },
  'f-fail2ban.nft': {
    devices: ['eth0', 'eth1', 'wg0'],
    hosts: ['198.51.100.77', '203.0.113.9', '198.51.100.78'],
    ports: [22, 80],
  },
  'i-debian.nft': {
    devices: ['eth0', 'eth1', 'wg0'],
    hosts: ['10.88.0.1', '10.88.0.2', '198.51.100.7'],
    ports: [22, 80, 443],
    unknown: 10,
  },
  'j-nspawn.nft': {
    devices: ['eth0', 've-one', 'eth1'],
    hosts: ['10.0.7.2', '198.51.100.7'],
    ports: [80, 8080],
    targets: ['10.0.7.2'],
  },
  'l-netdev.nft': {
    devices: ['eth0', 'eth1', 'wg0'],
    hosts: ['198.51.100.7', '198.51.101.7', '203.0.113.9'],
    ports: [22, 80],
  },
  'o-arp-bridge.nft': {
    devices: ['eth0', 'eth1', 'wg0'],
    hosts: ['198.51.100.66', '198.51.100.67'],
    ports: [22, 443],
    unknown: 60,
  },
};

const IPTABLES: { readonly [name: string]: string } = {
  'iptables that accepts': ['*filter', ':INPUT ACCEPT', ':FORWARD ACCEPT', 'COMMIT', ''].join('\n'),
  'a policy that drops': table(
    'filter',
    [
      '-A INPUT -i lo -j ACCEPT',
      '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      '-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT',
      '-A FORWARD -p tcp -m tcp --dport 80 -j ACCEPT',
    ],
    DROPS,
  ),
};

const tests = Object.entries(NATIVE).flatMap(([file, each]) =>
  Object.entries(IPTABLES).map(([name, rules]) => [file, name, rules, each] as const),
);

test.each(tests)(
  '%s beside %s',
  async (file, _, rules, { devices, hosts, ports, targets = [], unknown = 7 }) => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-native-'));
    const harness = startHarness(KERNEL);
    try {
      await harness.ask([`devices ${devices.join(' ')}`]);
      writeFileSync(join(folder, 'rules'), rules);
      const native = readFileSync(join(CASES, file), 'utf8').replace('flush ruleset\n', '');
      writeFileSync(join(folder, 'native'), native);
      const loaded = await harness.ask([
        `run cd ${folder} && iptables-restore < rules && nft -f native && nft -j list ruleset > listing && nft list chains > chains`,
      ]);
      expect(loaded).toBe('ok');
      const packets = packetsOf(devices, hosts, ports);
      const lines = packets.map(({ packet, service }, id) => {
        const device = devices.indexOf(packet.hook === 'OUTPUT' ? (packet.out ?? '') : (packet.in ?? ''));
        return `${packet.hook} ${device} ${bytesOf(packet, 'v4', service, id).toString('hex')}`;
      });
      const kernel = await harness.ask([`packets ${packets.length}`, ...lines]);
      const listing = readFileSync(join(folder, 'listing'), 'utf8');
      const chains = readFileSync(join(folder, 'chains'), 'utf8');
      const text = nativeText({ out: listing, err: '', code: 0 }, chains, 'nft');
      const nft = readNftables(text ?? '');
      expect(nft.tables.length).toBeGreaterThan(0);
      const ruleset = { ...rulesetOf('v4', rules, ''), nft };
      const explainers = {
        INPUT: explainer(ruleset, { addresses: [OWN, ...targets] }),
        FORWARD: explainer(ruleset, { addresses: [OWN] }),
        OUTPUT: explainer(ruleset, { addresses: [OWN] }),
      };
      const wrong: string[] = [];
      let open = 0;
      for (const [index, { packet }] of packets.entries()) {
        const { verdict, path } = explainers[packet.hook](packet);
        if (verdict === 'unknown') open++;
        else if ((verdict === 'accept') !== (kernel[index] === '1'))
          wrong.push(`${JSON.stringify(packet)}: ${verdict}, ${JSON.stringify(path)}`);
      }
      expect(wrong).toEqual([]);
      expect((100 * open) / packets.length).toBeLessThanOrEqual(unknown);
    } finally {
      await harness.close();
      rmSync(folder, { recursive: true });
    }
  },
  60_000,
);

interface Sample {
  readonly packet: Packet;
  readonly service: number;
}

/** New connections between all addresses, on all devices, each with a source port of its own. */
function packetsOf(
  devices: readonly string[],
  hosts: readonly string[],
  ports: readonly number[],
): readonly Sample[] {
  const samples: Sample[] = [];
  for (const hook of ['INPUT', 'FORWARD', 'OUTPUT'] as const satisfies readonly Hook[])
    for (const [index, device] of devices.entries())
      for (const src of hosts)
        for (const dst of hook === 'INPUT' ? [...hosts, OWN] : hosts)
          for (const dport of ports)
            for (const protocol of ['tcp', 'udp']) {
              if (src === dst) continue;
              const out = devices[(index + 1) % devices.length];
              const bare: Packet = {
                hook,
                src,
                dst,
                protocol,
                sport: 20000 + samples.length,
                dport,
                ...(hook === 'OUTPUT' ? { out: device, uid: 0, gid: 0 } : { in: device }),
                ...(hook === 'FORWARD' ? { out } : {}),
              };
              const service = hook === 'FORWARD' ? 4 * (((index + 1) % devices.length) + 1) : 0;
              samples.push({ packet: { ...bare, state: stateOf(bare, 'v4') }, service });
            }
  return samples;
}
