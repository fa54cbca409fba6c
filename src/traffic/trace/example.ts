/** One typical packet of a cube: an ordinary client, a well-known port. */
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
  PROTOCOL,
  protocolText,
  STATES,
  WITH_PORTS,
} from '../program/fields.js';
import type { Cube } from '../space/cubes.js';

/** Addresses for documentation (RFC 5737, RFC 3849), which nobody's networks contain. */
export const STRANGER: { readonly [family in Family]: string } = {
  v4: '198.51.100.7',
  v6: '2001:db8:ffff::7',
};
const HOST: { readonly [family in Family]: string } = { v4: '203.0.113.10', v6: '2001:db8::10' };

const PORTS: readonly bigint[] = [443n, 80n, 22n, 53n, 25n, 123n, 3306n, 5432n, 8080n];
const CLIENT_PORT = 40000n;
/** The ICMP of each family. */
const ICMP: { readonly [family in Family]: bigint } = {
  v4: PROTOCOL.ICMP,
  v6: PROTOCOL.ICMPV6,
};
const ECHO: { readonly [family in Family]: bigint } = { v4: 8n, v6: 128n };

/** A packet of the cube, as typical as it allows. @param addresses the host's own, of that family, when known */
export function examplePacket(family: Family, hook: Hook, cube: Cube, addresses: readonly bigint[]): Packet {
  const of = (field: Field): Ranges => cube.get(field) ?? [domain(field, family)];
  const pick = (field: Field, ...wanted: readonly bigint[]): bigint =>
    wanted.find((value) => has(of(field), value)) ?? of(field)[0]?.[0] ?? 0n;
  const number = (field: Field, ...wanted: readonly bigint[]): number => Number(pick(field, ...wanted));

  const protocol = pick('protocol', ...typicalProtocols(family, cube));
  const [local, remote]: readonly [Field, Field] = hook === 'OUTPUT' ? ['src', 'dst'] : ['dst', 'src'];
  const address = (field: Field): string => {
    const known = field === local && hook !== 'FORWARD' ? addresses : [];
    const usual = parseAddress((field === remote ? STRANGER : HOST)[family], family) ?? 0n;
    return formatAddress(known.find((each) => has(of(field), each)) ?? usable(of(field), usual), family);
  };
  const arriving = hook === 'OUTPUT' ? undefined : interfaceName(of('in'));
  const leaving = hook === 'INPUT' ? undefined : interfaceName(of('out'));
  const flags = pick('flags', flagBits('SYN'), flagBits('SYN,ACK'), flagBits('ACK'));
  const state = STATES[number('state', 0n, 1n)];
  return {
    hook,
    in: arriving,
    out: leaving,
    src: address('src'),
    dst: address('dst'),
    protocol: protocolText(protocol),
    ...(WITH_PORTS.includes(protocol)
      ? { sport: number('sport', CLIENT_PORT, 1024n), dport: number('dport', ...PORTS, 1n) }
      : {}),
    ...(protocol === PROTOCOL.TCP && flags !== flagBits('SYN') ? { flags: flagText(flags) } : {}),
    ...(state === 'NEW' ? {} : { state }),
    ...(protocol === ICMP[family] ? { type: number('type', ECHO[family]), code: number('code', 0n) } : {}),
    ...extras(cube, pick),
  };
}

/** TCP before UDP before ICMP, but first the one that other fields of the cube are about. */
const typicalProtocols = (family: Family, cube: Cube): readonly bigint[] =>
  cube.has('type') || cube.has('code') ? [ICMP[family]] : [PROTOCOL.TCP, PROTOCOL.UDP, ICMP[family]];

/** Fields that a packet has only where the cube restricts them to other than the usual values. */
function extras(
  cube: Cube,
  pick: (field: Field, ...wanted: readonly bigint[]) => bigint,
): Pick<Packet, 'mac' | 'uid' | 'gid' | 'packetType'> {
  const mac = cube.has('mac') ? pick('mac') : NO_MAC;
  const type = cube.has('packetType') ? PACKET_TYPES[Number(pick('packetType', 0n))] : 'unicast';
  const id = (field: 'uid' | 'gid'): number | undefined => {
    const value = cube.has(field) ? pick(field, 1000n) : NO_OWNER;
    return value === NO_OWNER ? undefined : Number(value);
  };
  return {
    mac: mac === NO_MAC ? undefined : macText(mac),
    uid: id('uid'),
    gid: id('gid'),
    packetType: type === 'unicast' ? undefined : (type as Packet['packetType']),
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

/** A name that fits: an ordinary one, else the one that the cube names; `undefined` where any will do. */
function interfaceName(ranges: Ranges): string | undefined {
  const other = interfaceNumber(OTHER_INTERFACE);
  if (has(ranges, other)) return undefined;
  const usual = ['eth0', 'eth1', 'ens3', 'wlan0'].find((name) => has(ranges, interfaceNumber(name)));
  if (usual !== undefined) return usual;
  const range = ranges.find(([from]) => from !== LOOPBACK) ?? ranges[0];
  const text = range === undefined ? undefined : interfaceText([range[0], range[0]]);
  return text?.replace(/\+$/, '0');
}

/** The interface of a packet that names none: a name that no rule has. */
export const OTHER_INTERFACE = '~other';
