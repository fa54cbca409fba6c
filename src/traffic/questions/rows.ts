/** Cubes as the rows of a traffic diff. */
import type { Family } from '../../lib/family.js';
import { networksText } from '../../lib/ip.js';
import { equalRanges, one, type Range, type Ranges, sizeOf, subtract } from '../../lib/ranges.js';
import type { DecidingRule, Flow, Hook } from '../model.js';
import {
  domain,
  type Field,
  interfaceRange,
  interfaceText,
  LOOPBACK,
  macText,
  NO_MAC,
  NO_OWNER,
  numbersText,
  PACKET_TYPES,
  protocolText,
  STATES,
  TCP_FLAGS,
} from '../program/fields.js';
import type { Cube } from '../space/cubes.js';
import { examplePacket } from '../trace/example.js';

interface RowSetting {
  readonly family: Family;
  readonly hook: Hook;
  readonly before: DecidingRule | null;
  readonly after: DecidingRule | null;
  /** The host's own, of that family. */
  readonly addresses: readonly bigint[];
}

/** One row per cube; one per protocol where several protocols share ports. */
export function rowsOf(cube: Cube, setting: RowSetting): readonly Flow[] {
  const protocols = cube.get('protocol');
  const about = (['sport', 'dport', 'type', 'code', 'flags'] as const).some((field) => cube.has(field));
  if (!about || protocols === undefined || sizeOf(protocols) === 1n) return [row(cube, setting)];
  return protocols
    .flatMap(([from, to]) =>
      Array.from({ length: Number(to - from) + 1 }, (_, index) => from + BigInt(index)),
    )
    .map((protocol) => row(new Map([...cube, ['protocol', one(protocol)] as const]), setting));
}

function row(cube: Cube, { family, hook, before, after, addresses }: RowSetting): Flow {
  const list = (field: Field, text: (ranges: Ranges) => readonly string[]): readonly string[] => {
    const ranges = cube.get(field);
    return ranges === undefined ? [] : text(ranges);
  };
  const [arriving, leaving] = [interfaces(cube.get('in')), interfaces(cube.get('out'))];
  const also = conditions(cube);
  return {
    family,
    hook,
    in: arriving.names,
    out: leaving.names,
    exceptLoopback: arriving.exceptLoopback || leaving.exceptLoopback || undefined,
    state: list('state', states) as Flow['state'],
    protocol: protocols(cube.get('protocol')),
    src: list('src', (ranges) => networksText(ranges, family)),
    dst: list('dst', (ranges) => networksText(ranges, family)),
    sport: list('sport', numbersText),
    dport: list('dport', numbersText),
    type: types(cube),
    also: also.length === 0 ? undefined : also,
    before,
    after,
    example: examplePacket(family, hook, cube, addresses),
  };
}

/** All states that a packet can arrive with are no restriction. */
function states(ranges: Ranges): readonly string[] {
  const names = STATES.filter((_, index) => ranges.some(([from, to]) => from <= index && index <= to));
  return names.length >= STATES.length - 1 ? [] : names;
}

const MOST_EXCEPTIONS = 4;

function protocols(ranges: Ranges | undefined): string {
  if (ranges === undefined) return 'any';
  const rest = subtract([domain('protocol', 'v4')], ranges);
  const text = (some: Ranges): string =>
    some
      .map(([from, to]) => (from === to ? protocolText(from) : `${protocolText(from)}-${protocolText(to)}`))
      .join(', ');
  return sizeOf(ranges) > sizeOf(rest) && sizeOf(rest) <= MOST_EXCEPTIONS
    ? `any but ${text(rest)}`
    : text(ranges);
}

interface Interfaces {
  readonly names: readonly string[];
  readonly exceptLoopback: boolean;
}

function interfaces(ranges: Ranges | undefined): Interfaces {
  if (ranges === undefined) return { names: [], exceptLoopback: false };
  const rest = subtract([domain('in', 'v4')], ranges);
  if (equalRanges(rest, one(LOOPBACK))) return { names: [], exceptLoopback: true };
  return { names: positive(ranges) ?? negative(rest) ?? mixed(ranges), exceptLoopback: false };
}

function positive(ranges: Ranges): readonly string[] | undefined {
  const texts = ranges.map(interfaceText);
  return texts.includes(undefined) ? undefined : (texts as readonly string[]);
}

const negative = (rest: Ranges): readonly string[] | undefined => positive(rest)?.map((name) => `!${name}`);

/** `eth+` and `!eth1`: the longest common prefix, then what it must exclude. */
function mixed(ranges: Ranges): readonly string[] {
  const [first, last] = [ranges[0] as Range, ranges.at(-1) as Range];
  const [low, high] = [first[0].toString(16).padStart(32, '0'), last[1].toString(16).padStart(32, '0')];
  let length = 0;
  while (length < 32 && low.slice(0, length + 2) === high.slice(0, length + 2)) length += 2;
  const start = Buffer.from(low.slice(0, length), 'hex').toString();
  const rest = subtract([interfaceRange(`${start}+`)], ranges);
  return [
    `${start}+`,
    ...rest.map((range) => `!${interfaceText(range) ?? interfaceText([range[0], range[0]]) ?? ''}`),
  ];
}

/** `8`, `3/4`. */
function types(cube: Cube): readonly string[] {
  const [type, code] = [cube.get('type'), cube.get('code')];
  if (type === undefined && code === undefined) return [];
  const names = numbersText(type ?? [domain('type', 'v4')]);
  return code === undefined
    ? names
    : names.flatMap((name) => numbersText(code).map((each) => `${name}/${each}`));
}

function conditions(cube: Cube): readonly string[] {
  const list = (field: Field, text: (value: bigint) => string, none: bigint): readonly string[] => {
    const ranges = cube.get(field);
    if (ranges === undefined) return [];
    const rest = subtract([domain(field, 'v4')], ranges);
    const [some, but] = ranges.length <= rest.length || rest.length === 0 ? [ranges, ''] : [rest, 'not '];
    return [
      `${but}${some
        .map(([from, to]) =>
          from === none
            ? 'none'
            : from === to
              ? text(from)
              : `${text(from)}-${to === none ? 'none' : text(to)}`,
        )
        .join(', ')}`,
    ];
  };
  return [
    ...flags(cube.get('flags')).map((text) => `tcp flags ${text}`),
    ...list('mac', macText, NO_MAC).map((text) => `from MAC ${text}`),
    ...list('packetType', (value) => PACKET_TYPES[Number(value)] ?? '', -1n).map(
      (text) => `packet type ${text}`,
    ),
    ...list('uid', String, NO_OWNER).map((text) => `uid ${text}`),
    ...list('gid', String, NO_OWNER).map((text) => `gid ${text}`),
  ];
}

/** Sets of flag combinations as `SYN of FIN,SYN,RST,ACK`, the widest that fit first, joined by "or". */
function flags(ranges: Ranges | undefined): readonly string[] {
  if (ranges === undefined) return [];
  const left = new Set(
    Array.from({ length: 64 }, (_, bits) => bits).filter((bits) =>
      ranges.some(([from, to]) => from <= bits && bits <= to),
    ),
  );
  const wanted = new Set(left);
  const texts: string[] = [];
  for (const mask of MASKS) {
    for (let set = 0; set < 64; set++) {
      if ((set & ~mask) !== 0) continue;
      const covered = Array.from({ length: 64 }, (_, bits) => bits).filter((bits) => (bits & mask) === set);
      if (!covered.every((bits) => wanted.has(bits)) || !covered.some((bits) => left.has(bits))) continue;
      for (const bits of covered) left.delete(bits);
      texts.push(`${names(set)} of ${names(mask)}`);
    }
    if (left.size === 0) break;
  }
  return [texts.join(' or ')];
}

const names = (bits: number): string =>
  TCP_FLAGS.filter((_, index) => (bits & (1 << index)) !== 0).join(',') || 'none';

const bitCount = (bits: number): number => bits.toString(2).replaceAll('0', '').length;
const MASKS = Array.from({ length: 64 }, (_, mask) => mask).sort((a, b) => bitCount(a) - bitCount(b));

type Exposed = Pick<Flow, 'in' | 'out' | 'state' | 'src' | 'dst' | 'protocol' | 'sport' | 'dport'>;

/** Connections from other hosts first, then by the share of sources, ports and destinations that the row covers. */
export function byExposure(a: Exposed, b: Exposed): number {
  const [left, right] = [exposure(a), exposure(b)];
  for (let index = 0; index < left.length; index++) {
    const difference = (right[index] ?? 0) - (left[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function exposure(flow: Exposed): readonly number[] {
  const share = (networks: readonly string[]): number =>
    networks.length === 0
      ? 1
      : networks.reduce((sum, network) => sum + 2 ** -Number(network.split('/')[1] ?? 128), 0);
  const ports = (texts: readonly string[]): number =>
    texts.length === 0
      ? 1
      : texts.reduce((sum, text) => {
          const [from = 0, to = from] = text.split('-').map(Number);
          return sum + (to - from + 1) / 65536;
        }, 0);
  const local = [...flow.in, ...flow.out].some((name) => name === 'lo');
  const opening = flow.state.length === 0 || flow.state.includes('NEW');
  return [
    local ? 0 : 1,
    opening ? 1 : 0,
    share(flow.src),
    flow.protocol.startsWith('any') ? 1 : 0,
    ports(flow.dport) * ports(flow.sport),
    share(flow.dst),
  ];
}
