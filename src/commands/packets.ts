/** Packets as people and files give them: the packet JSON, checked field by field. */
import { isIP } from 'node:net';
import { nearest } from '../netfilter/nearest.js';
import { error, type Place, type Problem, type Result } from '../problem.js';
import type { Packet } from '../traffic/model.js';

const HOOKS = ['INPUT', 'OUTPUT', 'FORWARD'] as const;
const STATES = ['NEW', 'ESTABLISHED', 'RELATED', 'INVALID', 'UNTRACKED'] as const;
const PACKET_TYPES = ['unicast', 'broadcast', 'multicast', 'otherhost'] as const;
const FLAGS = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'NONE', 'ALL'] as const;

interface Field {
  readonly required: boolean;
  readonly wants: string;
  readonly allows: (value: unknown) => boolean;
}

const text = (wants: string, allows: (value: string) => boolean, required = false): Field => ({
  required,
  wants,
  allows: (value) => typeof value === 'string' && allows(value),
});
const number = (most: number): Field => ({
  required: false,
  wants: `a whole number from 0 to ${most}`,
  allows: (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= most,
});
const isIn = (names: readonly string[]) => (value: string) => names.includes(value);
const name = (value: string): boolean => /^[^\s/]{1,15}$/.test(value);

const FIELDS: Readonly<Record<keyof Packet, Field>> = {
  hook: text(`one of ${HOOKS.join(', ')}`, isIn(HOOKS), true),
  in: text('the name of an interface', name),
  out: text('the name of an interface', name),
  src: text('an address', (value) => isIP(value) !== 0, true),
  dst: text('an address', (value) => isIP(value) !== 0, true),
  protocol: text('a protocol, by name or number', (value) => /^[a-z0-9-]+$/.test(value), true),
  sport: number(65535),
  dport: number(65535),
  flags: text(`a list of ${FLAGS.join(', ')}`, (value) => value.split(',').every(isIn(FLAGS))),
  state: text(`one of ${STATES.join(', ')}`, isIn(STATES)),
  type: number(255),
  code: number(255),
  mac: text('a hardware address', (value) => /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(value)),
  uid: number(0xffffffff),
  gid: number(0xffffffff),
  packetType: text(`one of ${PACKET_TYPES.join(', ')}`, isIn(PACKET_TYPES)),
};

/** @param place Where it stands, for problems; absent for flags of a command line. */
export function readPacket(value: unknown, place?: Place): Result<Packet> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { ok: false, problems: [error('bad-packet', 'A packet is a JSON object.', place, EXAMPLE)] };
  const given = new Map<string, unknown>(Object.entries(value));
  const problems = [
    ...[...given.keys()].filter((key) => !Object.hasOwn(FIELDS, key)).map((key) => unknownField(key, place)),
    ...Object.entries(FIELDS).flatMap(([key, field]) => flaw(key, field, given.get(key), place)),
  ];
  const packet = value as Packet;
  if (problems.length === 0 && isIP(packet.src) !== isIP(packet.dst))
    problems.push(error('bad-packet', `${packet.src} and ${packet.dst} are not of the same family.`, place));
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: packet, problems };
}

const EXAMPLE =
  'For example {"hook":"INPUT","src":"198.51.100.7","dst":"203.0.113.10","protocol":"tcp","dport":443}.';

function unknownField(key: string, place: Place | undefined): Problem {
  const near = nearest(key, Object.keys(FIELDS));
  return error(
    'bad-packet',
    `A packet has no "${key}".`,
    place,
    near === undefined ? `It has ${Object.keys(FIELDS).join(', ')}.` : `Did you mean "${near}"?`,
  );
}

function flaw(key: string, field: Field, value: unknown, place: Place | undefined): readonly Problem[] {
  if (value === undefined)
    return field.required ? [error('bad-packet', `The packet has no "${key}".`, place, EXAMPLE)] : [];
  return field.allows(value)
    ? []
    : [error('bad-packet', `"${key}" is ${field.wants}, not ${JSON.stringify(value)}.`, place)];
}

/** One JSON object a line; empty lines are passed over. All problems of all lines at once. */
export function readPackets(lines: string, file: string): Result<readonly Packet[]> {
  const read = lines.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    const place = { file, line: index + 1, column: 1 };
    try {
      return [readPacket(JSON.parse(line), place)];
    } catch {
      return [
        { ok: false, problems: [error('bad-packet', 'This line is not JSON.', place, EXAMPLE)] } as const,
      ];
    }
  });
  const problems = read.flatMap((one) => one.problems);
  return problems.length > 0
    ? { ok: false, problems }
    : { ok: true, value: read.flatMap((one) => (one.ok ? [one.value] : [])), problems };
}
