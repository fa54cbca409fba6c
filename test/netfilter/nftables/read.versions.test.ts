/** nft 1.0.6 and 1.1.3 print the same tables differently; they mean the same. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ruleset } from '../../../src/netfilter/model.js';
import { nativeTablesText, readNftables } from '../../../src/netfilter/nftables/read.js';
import type { Hook, Packet } from '../../../src/traffic/model.js';
import { explainer } from '../../../src/traffic/trace/explain.js';

const LISTINGS = join(import.meta.dirname, '../../cases/nft/listings');
/** nft 1.0.6 does not print the device in JSON. */
const DEVICES = new Map([['ddos in', ['eth0']]]);

const rulesetOf = (version: string, file: string): Ruleset => ({
  v4: [],
  v6: [],
  sets: [],
  nft: readNftables(
    nativeTablesText([readFileSync(join(LISTINGS, version, file), 'utf8')], 'legacy', DEVICES),
  ),
});

const HOOKS: readonly Hook[] = ['INPUT', 'FORWARD', 'OUTPUT'];
const ADDRESSES = [
  '198.51.100.66',
  '198.51.100.77',
  '203.0.113.9',
  '172.17.0.2',
  '10.88.0.1',
  '10.89.0.2',
  '192.168.122.5',
];
const PORTS = [22, 53, 80, 443, 8080];
const INTERFACES = ['eth0', 'docker0', 'virbr0', 'podman0'];

const PACKETS: readonly Packet[] = HOOKS.flatMap((hook) =>
  ADDRESSES.flatMap((src) =>
    ADDRESSES.filter((dst) => dst !== src).flatMap((dst) =>
      PORTS.flatMap((dport) =>
        INTERFACES.map(
          (name): Packet => ({
            hook,
            src,
            dst,
            protocol: 'tcp',
            dport,
            ...(hook === 'OUTPUT' ? { out: name } : { in: name }),
            ...(hook === 'FORWARD' ? { out: 'eth1' } : {}),
          }),
        ),
      ),
    ),
  ),
);

test.each(readdirSync(join(LISTINGS, '1.0.6')))('%s', (file) => {
  const [old, next] = ['1.0.6', '1.1.3'].map((version) => {
    const explain = explainer(rulesetOf(version, file), { addresses: ['192.0.2.1'] });
    return PACKETS.map((packet) => explain(packet).verdict);
  });
  expect(next).toEqual(old);
  if (!/^[mo]/.test(file)) expect(new Set(old).size).toBeGreaterThan(1);
});
