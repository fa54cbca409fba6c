/** The JSON of a packet: checked, and as values of fields. */
import type { Family } from '../../lib/family.js';
import { nearest } from '../../lib/nearest.js';
import { error, type Problem, type Result, type SourceLocation } from '../../lib/problem.js';
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
  parseAddressNumber,
  STATES,
  stateNumber,
  TCP_FLAGS,
} from '../program/fields.js';
import { HOOKS } from '../program/pipeline.js';
import { OTHER_INTERFACE } from './example.js';

/** The family that both addresses are of. */
export function familyOf(packet: Packet): Family | undefined {
  const of = (text: string): Family | undefined =>
    parseAddressNumber(text, 'v4') !== undefined
      ? 'v4'
      : parseAddressNumber(text, 'v6') !== undefined
        ? 'v6'
        : undefined;
  const [src, dst] = [of(packet.src), of(packet.dst)];
  return src === dst ? src : undefined;
}

/** Values that no rule names: what a field is when the packet says nothing of it. */
const OTHER_MAC = NO_MAC - 2n;
const OTHER_ID = NO_OWNER - 2n;

/** @param packet one that `readPacket` lets pass. */
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
    ['src', parseAddressNumber(packet.src, family) ?? 0n],
    ['dst', parseAddressNumber(packet.dst, family) ?? 0n],
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

/** What a value must be, in words, when it is not. */
type Check = (value: unknown) => string | undefined;

const text =
  (fits: (value: string) => boolean, wanted: string): Check =>
  (value) =>
    typeof value === 'string' && fits(value) ? undefined : wanted;
const whole =
  (most: number): Check =>
  (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most
      ? undefined
      : `a whole number from 0 to ${most}`;

const isAddress = (value: string): boolean =>
  parseAddressNumber(value, 'v4') !== undefined || parseAddressNumber(value, 'v6') !== undefined;
const FLAGS = [...TCP_FLAGS, 'NONE', 'ALL'];
const isFlags = (value: string): boolean =>
  value
    .toUpperCase()
    .split(',')
    .every((name) => FLAGS.includes(name.trim()));
/** dev_valid_name() of the kernel: 15 bytes, neither space nor slash nor colon. */
const isDevice = (value: string): boolean => /^[^\s/:]+$/.test(value) && Buffer.byteLength(value) <= 15;
const oneOf = (values: readonly string[]): Check =>
  text((value) => values.includes(value), `one of ${values.join(', ')}`);

const CHECKS: { readonly [key in keyof Packet]-?: Check } = {
  hook: oneOf(HOOKS),
  in: text(isDevice, 'the name of an interface'),
  out: text(isDevice, 'the name of an interface'),
  src: text(isAddress, 'an address'),
  dst: text(isAddress, 'an address'),
  protocol: text((value) => protocolNumber(value) !== undefined, 'a protocol, by name or number'),
  sport: whole(65535),
  dport: whole(65535),
  flags: text(isFlags, `a list of ${FLAGS.join(', ')}`),
  state: oneOf(STATES),
  type: whole(255),
  code: whole(255),
  mac: text((value) => /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(value), 'a hardware address'),
  uid: whole(0xffffffff),
  gid: whole(0xffffffff),
  packetType: oneOf(PACKET_TYPES),
};
const REQUIRED: readonly string[] = ['hook', 'src', 'dst', 'protocol'];
const EXAMPLE =
  'For example {"hook":"INPUT","src":"198.51.100.7","dst":"203.0.113.10","protocol":"tcp","dport":443}.';

const isKey = (key: string): key is keyof Packet => Object.hasOwn(CHECKS, key);

/**
 * Checks the JSON of a packet; every problem at once. A protocol may stand as a number.
 * @param place Where it stands, for problems; absent for flags of a command line.
 */
export function readPacket(given: unknown, location?: SourceLocation): Result<Packet> {
  const flaw = (message: string, hint?: string): Problem => error('bad-packet', message, location, hint);
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return { ok: false, problems: [flaw('A packet is a JSON object.', EXAMPLE)] };
  const values = new Map<string, unknown>(Object.entries(given).filter(([, value]) => value !== undefined));
  const protocol = values.get('protocol');
  if (typeof protocol === 'number') values.set('protocol', String(protocol));
  const problems: Problem[] = REQUIRED.filter((key) => !values.has(key)).map((key) =>
    flaw(`The packet has no "${key}".`, EXAMPLE),
  );
  for (const [key, value] of values) {
    if (!isKey(key)) {
      const near = nearest(key, Object.keys(CHECKS));
      const hint =
        near === undefined ? `It has ${Object.keys(CHECKS).join(', ')}.` : `Did you mean "${near}"?`;
      problems.push(flaw(`A packet has no "${key}".`, hint));
      continue;
    }
    const wanted = CHECKS[key](value);
    if (wanted !== undefined) problems.push(flaw(`"${key}" is ${wanted}, not ${JSON.stringify(value)}.`));
  }
  const packet = Object.fromEntries(values) as unknown as Packet;
  if (problems.length === 0 && familyOf(packet) === undefined)
    problems.push(flaw(`${packet.src} and ${packet.dst} are not of the same family.`));
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: packet, problems };
}
