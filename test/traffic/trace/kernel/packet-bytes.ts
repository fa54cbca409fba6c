/** Packets as bytes, with the state that connection tracking gives them when it has not seen their connection. */

import type { Family } from '../../../../src/lib/family.js';
import { ADDRESS_BITS, parseAddress } from '../../../../src/lib/ip.js';
import { protocolNumber } from '../../../../src/netfilter/extensions/protocols.js';
import type { ConnectionState, Packet } from '../../../../src/traffic/model.js';
import { flagBits } from '../../../../src/traffic/program/fields.js';

/** The last eight bytes of every packet: a mark that no other traffic has, and its number. */
const MAGIC = Buffer.from([0xa5, 0x53, 0x50, 0x79]);

/**
 * Encodes a packet.
 * @param service the type of service, by which the harness routes
 * @param about the packet that an ICMP error is about
 */
export function bytesOf(packet: Packet, family: Family, service: number, id: number, about?: Packet): Buffer {
  const trailer = Buffer.concat([MAGIC, Buffer.alloc(4)]);
  trailer.writeUInt32BE(id, 4);
  const [src, dst] = [addressBytes(packet.src, family), addressBytes(packet.dst, family)];
  const protocol = protocolNumber(packet.protocol) ?? 0;
  const body = Buffer.concat([
    transport(packet, protocol),
    about === undefined ? Buffer.alloc(0) : quoted(about, family),
    trailer,
  ]);
  const at = CHECKSUM_AT[protocol];
  if (at !== undefined) {
    const pseudo = protocol === 1 ? Buffer.alloc(0) : pseudoHeader(src, dst, protocol, body.length);
    body.writeUInt16BE(checksum(Buffer.concat([pseudo, body])) || 0xffff, at);
  }
  return Buffer.concat([header(family, src, dst, protocol, service, body.length), body]);
}

/** The header of the packet and the first eight bytes behind it, as RFC 792 has it. */
function quoted(packet: Packet, family: Family): Buffer {
  const protocol = protocolNumber(packet.protocol) ?? 0;
  const [src, dst] = [addressBytes(packet.src, family), addressBytes(packet.dst, family)];
  const start = transport(packet, protocol).subarray(0, 8);
  return Buffer.concat([header(family, src, dst, protocol, 0, start.length), start]);
}

/** The offset of the checksum in the header of each protocol. */
const CHECKSUM_AT: Readonly<Record<number, number>> = { 1: 2, 6: 16, 17: 6, 58: 2 };

function transport(packet: Packet, protocol: number): Buffer {
  const { sport = 0, dport = 0, type = 0, code = 0 } = packet;
  switch (protocol) {
    case 6: {
      const header = Buffer.alloc(20);
      header.writeUInt16BE(sport, 0);
      header.writeUInt16BE(dport, 2);
      header.writeUInt32BE(0x1000, 4);
      header[12] = 0x50;
      header[13] = Number(flagBits(packet.flags ?? 'SYN'));
      header.writeUInt16BE(1024, 14);
      return header;
    }
    case 17: {
      const header = Buffer.alloc(8);
      header.writeUInt16BE(sport, 0);
      header.writeUInt16BE(dport, 2);
      header.writeUInt16BE(16, 4);
      return header;
    }
    case 1:
    case 58: {
      const header = Buffer.alloc(8);
      header[0] = type;
      header[1] = code;
      // Makes every echo a connection of its own.
      header.writeUInt16BE(packet.sport ?? 0, 4);
      return header;
    }
    case 47:
      return Buffer.from([0, 0, 8, 0]);
    default:
      return Buffer.alloc(0);
  }
}

function header(
  family: Family,
  src: Buffer,
  dst: Buffer,
  protocol: number,
  service: number,
  length: number,
): Buffer {
  if (family === 'v6') {
    const six = Buffer.alloc(8);
    six.writeUInt32BE((0x60000000 | (service << 20)) >>> 0, 0);
    six.writeUInt16BE(length, 4);
    six[6] = protocol;
    six[7] = 64;
    return Buffer.concat([six, src, dst]);
  }
  const four = Buffer.alloc(12);
  four[0] = 0x45;
  four[1] = service;
  four.writeUInt16BE(20 + length, 2);
  four[8] = 64;
  four[9] = protocol;
  const whole = Buffer.concat([four, src, dst]);
  whole.writeUInt16BE(checksum(whole), 10);
  return whole;
}

const addressBytes = (text: string, family: Family): Buffer =>
  Buffer.from((parseAddress(text, family) ?? 0n).toString(16).padStart(ADDRESS_BITS[family] / 4, '0'), 'hex');

function pseudoHeader(src: Buffer, dst: Buffer, protocol: number, length: number): Buffer {
  const tail = Buffer.alloc(8);
  tail.writeUInt32BE(length, 0);
  tail[7] = protocol;
  return Buffer.concat([src, dst, tail]);
}

function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let index = 0; index < bytes.length; index += 2)
    sum += ((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** Flags that open a connection: the second and third pick up one that was not seen before (nf_conntrack_tcp_loose). */
const BEGINNINGS: readonly string[] = ['SYN', 'ACK', 'PSH,ACK'];
/** Only requests open ICMP exchanges (nf_conntrack_proto_icmp.c, nf_conntrack_proto_icmpv6.c). */
const REQUESTS: { readonly [family in Family]: readonly number[] } = { v4: [8, 13, 15, 17], v6: [128, 139] };

export function stateOf(packet: Packet, family: Family): ConnectionState {
  if (packet.protocol === 'tcp') return BEGINNINGS.includes(packet.flags ?? 'SYN') ? 'NEW' : 'INVALID';
  if (packet.protocol === 'icmp' || packet.protocol === 'ipv6-icmp')
    return REQUESTS[family].includes(packet.type ?? -1) ? 'NEW' : 'INVALID';
  return 'NEW';
}
