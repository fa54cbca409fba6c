/** `-m set`: the members of an ipset as a predicate. Sets that rules change are unmodelled. */

import type { Family } from '../../lib/family.js';
import { networkRanges, parseAddress } from '../../lib/ip.js';
import { between, normalise, one, type Range, type Ranges, subtract, union } from '../../lib/ranges.js';
import { protocolNumber } from '../../netfilter/extensions/protocols.js';
import type { IpSet, Option } from '../../netfilter/model.js';
import { parseNumbers } from './fields.js';
import type { MatchContext } from './match-context.js';
import { all, any, anyOf, field, NEVER, type Predicate, pure, unless } from './predicate.js';

type Side = 'src' | 'dst';

/** The predicate of a set match; `undefined` where it is not modelled. */
export function ipSet(options: readonly Option[], context: MatchContext): Predicate | undefined {
  const [match, ...others] = options;
  // Counters and --return-nomatch test more than membership.
  if (
    match === undefined ||
    match.flag !== '--match-set' ||
    others.some((each) => !WITHOUT_TEST.includes(each.flag))
  )
    return undefined;
  const [name = '', directions = ''] = match.values;
  const found = members(name, directions.split(',') as Side[], context, []);
  return found === undefined ? undefined : unless(match.negated, found, context.family);
}

const WITHOUT_TEST: readonly string[] = ['--update-counters', '--update-subcounters'];

function members(
  name: string,
  sides: readonly Side[],
  context: MatchContext,
  parents: readonly string[],
): Predicate | undefined {
  const set = context.sets.get(name);
  if (set === undefined || parents.includes(name) || context.changing.has(name)) return undefined;
  const options = ` ${set.options} `;
  if (options.includes(' timeout ')) return withTimeouts(set, sides, context, parents);
  if (set.type === 'list:set') {
    const parts = set.members.map((member) => members(word(member), sides, context, [...parents, name]));
    return parts.includes(undefined) ? undefined : anyOf(parts as Predicate[]);
  }
  const family = / family inet6 /.test(options) ? 'v6' : 'v4';
  // A set of the other family matches nothing (xt_set.c); a set of ports has no family.
  if (set.type !== 'bitmap:port' && family !== context.family) return NEVER;
  return TYPES[set.type]?.(set, sides, family);
}

/**
 * Members with a timeout were in the set when it was read; whether they still are is not known. Others are not in it:
 * that a program may add them later is said by the plan.
 */
function withTimeouts(
  set: IpSet,
  sides: readonly Side[],
  context: MatchContext,
  parents: readonly string[],
): Predicate | undefined {
  if (set.members.some(excludes)) return undefined;
  const of = (holds: (member: string) => boolean): Predicate | undefined => {
    const part: IpSet = {
      ...set,
      options: set.options.replace(/(^| )timeout \d+/, ''),
      members: set.members.filter(holds),
    };
    return members(set.name, sides, { ...context, sets: new Map([[set.name, part]]) }, parents);
  };
  const [lasting, passing] = [of((member) => !expires(member)), of(expires)];
  if (lasting === undefined || passing === undefined) return undefined;
  return any(lasting, all(passing, pure(`set --match-set ${set.name} (its members expire)`)));
}

/** `timeout 0` is for ever. */
const expires = (member: string): boolean => / timeout [1-9]/.test(member.replace(/"[^"]*"/g, ''));

const word = (member: string): string => member.split(' ', 1)[0] ?? '';
const excludes = (member: string): boolean => / nomatch\b/.test(member.replace(/"[^"]*"/g, ''));

type TypeReader = (set: IpSet, sides: readonly Side[], family: Family) => Predicate | undefined;

const TYPES: Readonly<Record<string, TypeReader>> = {
  'hash:ip': addresses,
  'hash:net': addresses,
  'bitmap:ip': addresses,
  'bitmap:port': ports,
  'hash:ip,port': withPorts,
  'hash:net,port': withPorts,
};

/** The longest prefix that contains the address decides, so wide ones are applied first. */
function addresses(set: IpSet, sides: readonly Side[], family: Family): Predicate | undefined {
  const ranges = set.members.map((member) => memberRange(word(member), set, family));
  if (ranges.includes(undefined) || sides.length < 1) return undefined;
  const pieces = set.members.map((member, index) => ({
    ranges: ranges[index] as Ranges,
    excluded: excludes(member),
  }));
  const contained = pieces.some((piece) => piece.excluded)
    ? pieces
        .toSorted((a, b) => width(b.ranges) - width(a.ranges))
        .reduce<Ranges>(
          (sum, { ranges: part, excluded }) => (excluded ? subtract(sum, part) : union(sum, part)),
          [],
        )
    : normalise(pieces.flatMap((piece) => piece.ranges));
  return field(sides[0] ?? 'src', contained);
}

const width = (ranges: Ranges): number => {
  const [first] = ranges as readonly [Range];
  return (first[1] - first[0]).toString(2).length;
};

/** `10.0.0.1`, `10.0.0.0/8`, `10.0.0.1-10.0.0.9`; `netmask 24` makes a network of an address. */
function memberRange(text: string, set: IpSet, family: Family): Ranges | undefined {
  const netmask = / netmask (\d+) /.exec(` ${set.options} `)?.[1];
  if (text.includes('-')) {
    const [from, to] = text.split('-').map((end) => parseAddress(end, family));
    return from === undefined || to === undefined ? undefined : between(from, to);
  }
  if (/ (netmask|bitmask) /.test(` ${set.options} `) && netmask === undefined) return undefined;
  return networkRanges(netmask === undefined || text.includes('/') ? text : `${text}/${netmask}`, family);
}

/** Ports without a protocol are those of TCP and UDP (ip_set_bitmap_port.c). */
function ports(set: IpSet, sides: readonly Side[]): Predicate | undefined {
  const ranges = set.members.map((member) => parseNumbers(word(member)));
  if (ranges.includes(undefined)) return undefined;
  return all(
    field('protocol', union(one(6n), one(17n))),
    field(sides[0] === 'src' ? 'sport' : 'dport', normalise((ranges as Ranges[]).flat())),
  );
}

/** Protocols of which a set reads the ports. */
const WITH_PORTS: readonly string[] = ['tcp', 'udp', 'udplite', 'sctp'];

/** `10.0.0.1,tcp:80`. With a member of another protocol, or with nomatch, the whole set is unmodelled. */
function withPorts(set: IpSet, sides: readonly Side[], family: Family): Predicate | undefined {
  const [first, second] = sides;
  if (first === undefined || second === undefined) return undefined;
  const elements: Predicate[] = [];
  for (const member of set.members) {
    const found = /^([^,]+),([\w-]+):(\d+)$/.exec(word(member));
    const range = found === null ? undefined : memberRange(found[1] ?? '', set, family);
    if (found === null || range === undefined || !WITH_PORTS.includes(found[2] ?? '') || excludes(member))
      return undefined;
    elements.push(
      all(
        field('protocol', one(BigInt(protocolNumber(found[2] ?? '') ?? 0))),
        field(first, range),
        field(second === 'src' ? 'sport' : 'dport', one(BigInt(found[3] ?? 0))),
      ),
    );
  }
  return anyOf(elements);
}
