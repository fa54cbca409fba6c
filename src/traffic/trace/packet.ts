/** A packet as values of fields. */
import type { Family } from '../../lib/family.js';
import { parseAddress } from '../../lib/ip.js';
import { protocolNumber } from '../../netfilter/extensions/protocols.js';
import type { Packet } from '../model.js';
import {
  type Field,
  flagBits,
  interfaceNumber,
  macNumber,
  NO_MAC,
  NO_OWNER,
  PACKET_TYPES,
  stateNumber,
} from '../program/fields.js';
import { OTHER_INTERFACE } from './example.js';

/** The family that both addresses are of. */
export function familyOf(packet: Packet): Family | undefined {
  const of = (text: string): Family | undefined =>
    parseAddress(text, 'v4') !== undefined ? 'v4' : parseAddress(text, 'v6') !== undefined ? 'v6' : undefined;
  const [src, dst] = [of(packet.src), of(packet.dst)];
  return src === dst ? src : undefined;
}

/** Values that no rule names, for fields that the packet leaves out. */
const OTHER_MAC = NO_MAC - 2n;
const OTHER_ID = NO_OWNER - 2n;

/** @param packet One that `readPacket` accepts. */
export function packetValues(packet: Packet, family: Family): ReadonlyMap<Field, bigint> {
  const { hook } = packet;
  const leaving = hook === 'OUTPUT';
  const device = (name: string | undefined): bigint => interfaceNumber(name ?? OTHER_INTERFACE);
  return new Map<Field, bigint>([
    ['state', stateNumber(packet.state ?? 'NEW') ?? 0n],
    ['in', leaving ? interfaceNumber('') : device(packet.in)],
    ['out', hook === 'INPUT' ? interfaceNumber('') : device(packet.out)],
    ['protocol', BigInt(protocolNumber(packet.protocol) ?? 0)],
    ['packetType', BigInt(Math.max(0, PACKET_TYPES.indexOf(packet.packetType ?? 'unicast')))],
    ['translated', 0n],
    ['originalDst', parseAddress(packet.dst, family) ?? 0n],
    ['originalDport', BigInt(packet.dport ?? 0)],
    ['src', parseAddress(packet.src, family) ?? 0n],
    ['dst', parseAddress(packet.dst, family) ?? 0n],
    ['mac', hardware(packet)],
    ['sport', BigInt(packet.sport ?? 40000)],
    ['dport', BigInt(packet.dport ?? 0)],
    ['flags', flagBits(packet.flags ?? 'SYN')],
    ['type', BigInt(packet.type ?? (family === 'v4' ? 8 : 128))],
    ['code', BigInt(packet.code ?? 0)],
    ['uid', leaving ? BigInt(packet.uid ?? OTHER_ID) : NO_OWNER],
    ['gid', leaving ? BigInt(packet.gid ?? OTHER_ID) : NO_OWNER],
  ]);
}

function hardware(packet: Packet): bigint {
  if (packet.hook === 'OUTPUT' || packet.in === 'lo') return NO_MAC;
  return packet.mac === undefined ? OTHER_MAC : macNumber(packet.mac);
}
