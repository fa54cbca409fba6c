/** The JSON of a packet, from a file, a flag or a test of the policy. */

import * as z from 'zod';
import { parseAddress } from '../../lib/ip.js';
import { nearest } from '../../lib/nearest.js';
import { error, failure, type Result, type SourceLocation } from '../../lib/problem.js';
import { protocolNumber } from '../../netfilter/extensions/protocols.js';
import type { Packet } from '../model.js';
import { STATES, TCP_FLAGS } from '../program/fields.js';
import { HOOKS } from '../program/pipeline.js';
import { familyOf } from './packet.js';

const isAddress = (value: string): boolean =>
  parseAddress(value, 'v4') !== undefined || parseAddress(value, 'v6') !== undefined;
const FLAGS = [...TCP_FLAGS, 'NONE', 'ALL'];
const areFlags = (value: string): boolean =>
  value
    .toUpperCase()
    .split(',')
    .every((name) => FLAGS.includes(name.trim()));
/** dev_valid_name() of the kernel: 15 bytes, neither space nor slash nor colon. */
const isDevice = (value: string): boolean => /^[^\s/:]+$/.test(value) && Buffer.byteLength(value) <= 15;

// The description of a field completes "must be …".
const oneOf = <const T extends string>(values: readonly T[]) =>
  z
    .enum(values)
    .optional()
    .describe(`one of ${values.join(', ')}`);
const integer = (most: number) =>
  z.int().min(0).max(most).optional().describe(`an integer from 0 to ${most}`);
const device = z.string().refine(isDevice).optional().describe('an interface name');
const address = z.string().refine(isAddress).describe('an IP address');

/** A packet as JSON; a protocol may be a number. */
export const packetSchema = z.strictObject({
  hook: z.enum(HOOKS).describe(`one of ${HOOKS.join(', ')}`),
  in: device,
  out: device,
  src: address,
  dst: address,
  protocol: z
    .union([z.string(), z.number()])
    .transform(String)
    .refine((value) => protocolNumber(value) !== undefined)
    .describe('a protocol name or number'),
  sport: integer(65535),
  dport: integer(65535),
  flags: z
    .string()
    .refine(areFlags)
    .optional()
    .describe(`a comma-separated list of ${FLAGS.join(', ')}`),
  state: oneOf(STATES),
  type: integer(255),
  code: integer(255),
  mac: z
    .string()
    .regex(/^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/)
    .optional()
    .describe('a MAC address'),
  uid: integer(0xffffffff),
  gid: integer(0xffffffff),
  packetType: oneOf(['unicast', 'broadcast', 'multicast', 'otherhost']),
}) satisfies z.ZodType<Packet>;

const KEYS = Object.keys(packetSchema.shape) as (keyof Packet)[];
const EXAMPLE =
  'For example {"hook":"INPUT","src":"198.51.100.7","dst":"203.0.113.10","protocol":"tcp","dport":443}.';

function hintFor(key: string): string {
  const near = nearest(key, KEYS);
  return near === undefined ? `Its fields are ${KEYS.join(', ')}.` : `Did you mean "${near}"?`;
}

/**
 * Checks the JSON of a packet; every problem at once.
 * @param location Where it is, for problems; absent for flags of a command line.
 */
export function readPacket(given: unknown, location?: SourceLocation): Result<Packet> {
  const invalid = (message: string, hint?: string) => error('bad-packet', message, { location, hint });
  const parsed = packetSchema.safeParse(given, { reportInput: true });
  if (parsed.success) {
    const { src, dst } = parsed.data;
    return familyOf(parsed.data) === undefined
      ? failure(invalid(`${src} and ${dst} are not of the same family.`))
      : { ok: true, value: parsed.data, problems: [] };
  }
  const problems = parsed.error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => invalid(`Unknown field "${key}".`, hintFor(key)));
    const key = KEYS.find((one) => one === issue.path[0]);
    if (key === undefined) return [invalid('A packet must be a JSON object.', EXAMPLE)];
    if (issue.input === undefined) return [invalid(`Missing field "${key}".`, EXAMPLE)];
    const { description } = packetSchema.shape[key];
    return [invalid(`"${key}" must be ${description}, not ${JSON.stringify(issue.input)}.`)];
  });
  return { ok: false, problems };
}
