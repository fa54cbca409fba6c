/** One packet of a box that a reader recognises: an ordinary client, an ordinary port. */
import type { Family } from '../../lib/family.js';
import { formatAddress, parseAddress } from '../../lib/ip.js';
import { blocks, has, type Ranges } from '../../lib/ranges.js';
import type { Hook, Packet } from '../model.js';
import {
  domain,
  type Field,
  flagBits,
  flagText,
  interfaceNumber,
  interfaceText,
  LOOPBACK,
  macText,
  NO_MAC,
  NO_OWNER,
  PACKET_TYPES,
  protocolText,
  STATES,
  WITH_PORTS,
} from '../program/fields.js';
import type { Cube } from '../space/cubes.js';

/** Addresses for documentation (RFC 5737, RFC 3849), which no network of anyone's holds. */
const STRANGER: { readonly [family in Family]: string } = { v4: '198.51.100.7', v6: '2001:db8:ffff::7' };
const HOST: { readonly [family in Family]: string } = { v4: '203.0.113.10', v6: '2001:db8::10' };

const PORTS: readonly bigint[] = [443n, 80n, 22n, 53n, 25n, 123n, 3306n, 5432n, 8080n];
const CLIENT_PORT = 40000n;
/** The ICMP of each family. */
const ICMP: { readonly [family in Family]: bigint } = { v4: 1n, v6: 58n };
const ECHO: { readonly [family in Family]: bigint } = { v4: 8n, v6: 128n };

/** @param addresses the host's own, of that family, when they are known. */
export function examplePacket(family: Family, hook: Hook, box: Cube, addresses: readonly bigint[]): Packet {
  const of = (field: Field): Ranges => box.get(field) ?? [domain(field, family)];
  const first = (field: Field, ...wanted: readonly bigint[]): bigint =>
    wanted.find((value) => has(of(field), value)) ?? of(field)[0]?.[0] ?? 0n;
  const number = (field: Field, ...wanted: readonly bigint[]): number => Number(first(field, ...wanted));

  const protocol = first('protocol', ...typicalProtocols(family, box));
  const [local, remote]: readonly [Field, Field] = hook === 'OUTPUT' ? ['src', 'dst'] : ['dst', 'src'];
  const address = (field: Field): string => {
    const known = field === local && hook !== 'FORWARD' ? addresses : [];
    const usual = parseAddress((field === remote ? STRANGER : HOST)[family], family) ?? 0n;
    return formatAddress(known.find((each) => has(of(field), each)) ?? usable(of(field), usual), family);
  };
  const arriving = hook === 'OUTPUT' ? undefined : interfaceName(of('in'));
  const leaving = hook === 'INPUT' ? undefined : interfaceName(of('out'));
  const flags = first('flags', flagBits('SYN'), flagBits('SYN,ACK'), flagBits('ACK'));
  const state = STATES[number('state', 0n, 1n)];
  const icmp = protocol === ICMP[family];
  return {
    hook,
    ...(arriving === undefined ? {} : { in: arriving }),
    ...(leaving === undefined ? {} : { out: leaving }),
    src: address('src'),
    dst: address('dst'),
    protocol: protocolText(protocol),
    ...(WITH_PORTS.includes(protocol) ? ports(first) : {}),
    ...(protocol === 6n && flags !== flagBits('SYN') ? { flags: flagText(flags) } : {}),
    ...(state === undefined || state === 'NEW' ? {} : { state }),
    ...(icmp ? { type: number('type', ECHO[family]), code: number('code', 0n) } : {}),
    ...extras(box, first),
  };
}

/** Tcp before udp before icmp, but first the one that other fields of the box are about. */
const typicalProtocols = (family: Family, box: Cube): readonly bigint[] =>
  box.has('type') || box.has('code') ? [ICMP[family]] : [6n, 17n, ICMP[family]];

type Choose = (field: Field, ...wanted: readonly bigint[]) => bigint;

const ports = (first: Choose): { readonly sport: number; readonly dport: number } => ({
  sport: Number(first('sport', CLIENT_PORT, 1024n)),
  dport: Number(first('dport', ...PORTS, 1n)),
});

function extras(
  box: Cube,
  first: Choose,
): { readonly [key in 'mac' | 'uid' | 'gid' | 'packetType']?: NonNullable<Packet[key]> } {
  const mac = box.has('mac') ? first('mac') : undefined;
  const type = box.has('packetType') ? PACKET_TYPES[Number(first('packetType', 0n))] : undefined;
  const id = (field: 'uid' | 'gid'): number | undefined => {
    const value = box.has(field) ? first(field, 1000n) : undefined;
    return value === undefined || value === NO_OWNER ? undefined : Number(value);
  };
  const [uid, gid] = [id('uid'), id('gid')];
  return {
    ...(mac === undefined || mac === NO_MAC ? {} : { mac: macText(mac) }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    ...(type === undefined || type === 'unicast'
      ? {}
      : { packetType: type as NonNullable<Packet['packetType']> }),
  };
}
/** The usual address if it fits, else the first host of the largest network. */
function usable(ranges: Ranges, usual: bigint): bigint {
  if (has(ranges, usual)) return usual;
  const [start, bits] = blocks(ranges).reduce((best, block) => (block[1] > best[1] ? block : best), [
    ranges[0]?.[0] ?? 0n,
    0,
  ] as readonly [bigint, number]);
  return bits >= 2 ? start + 1n : start;
}

/** A name that fits: an ordinary one, else the one that the box names; `undefined` where any will do. */
function interfaceName(ranges: Ranges): string | undefined {
  const other = interfaceNumber(OTHER_INTERFACE);
  if (has(ranges, other)) return undefined;
  const usual = ['eth0', 'eth1', 'ens3', 'wlan0'].find((name) => has(ranges, interfaceNumber(name)));
  if (usual !== undefined) return usual;
  const range = ranges.find(([from]) => from !== LOOPBACK) ?? ranges[0];
  const text = range === undefined ? undefined : interfaceText([range[0], range[0]]);
  return text?.replace(/\+$/, '0');
}

/** What a packet without a named interface came in on: a name that no rule has. */
export const OTHER_INTERFACE = '~other';
