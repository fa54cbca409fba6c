/** `from` and `to` as matches of one family. */

import type { Family } from '../../lib/family.js';
import { ALL_ADDRESSES, networkRanges, networksText } from '../../lib/ip.js';
import { equalRanges, subtract } from '../../lib/ranges.js';
import type { IpSet } from '../../netfilter/model.js';
import { toRanges } from '../../policy/addresses.js';
import type { AddressSet } from '../../policy/fleet.js';
import { setName } from '../names.js';

export type Direction = 'source' | 'destination';

/** The addresses on one side of a rule: a packet matches when it fits one of `matches` and none of `returns`. */
export interface Side {
  /** Alternatives; the empty text is every address. */
  readonly matches: readonly string[];
  /** Exceptions, where one match cannot express them. */
  readonly returns: readonly string[];
  readonly sets: readonly IpSet[];
}

const FLAGS = {
  source: { flag: '-s', end: 'src' },
  destination: { flag: '-d', end: 'dst' },
} as const;

/** From this many networks on the complement is tried: "everywhere but here" is often shorter. */
const MANY = 8;

const COMPLEMENTS = new WeakMap<readonly string[], readonly string[]>();

function complement(networks: readonly string[], family: Family): readonly string[] {
  const known = COMPLEMENTS.get(networks);
  if (known !== undefined) return known;
  const taken = networks.flatMap((network) => networkRanges(network, family) ?? []);
  const rest = networksText(subtract([ALL_ADDRESSES[family]], taken), family);
  COMPLEMENTS.set(networks, rest);
  return rest;
}

export interface SideOptions {
  readonly direction: Direction;
  readonly family: Family;
  /** This many networks or more become a set. */
  readonly setsFrom: number;
  /** Whether a chain may RETURN what is excepted; otherwise there are more matches and no `returns`. */
  readonly mayReturn: boolean;
}

/**
 * The side in this family, or `undefined` when no address of the family is on it. Exceptions from networks are
 * subtracted; exceptions from every address are a negated match, a set, or rules that RETURN.
 */
export function sideOf(
  addresses: AddressSet,
  except: AddressSet | undefined,
  options: SideOptions,
): Side | undefined {
  const { direction, family, setsFrom, mayReturn } = options;
  const { flag, end } = FLAGS[direction];
  if (except?.any) return undefined;
  const out = except?.[family] ?? [];
  if (!addresses.any) {
    const all = toRanges(addresses)[family];
    const ranges = except === undefined ? all : subtract(all, toRanges(except)[family]);
    const isWhole = equalRanges(all, ranges);
    const left = isWhole ? addresses[family] : networksText(ranges, family);
    if (left.length === 0) return undefined;
    if (left.length < setsFrom) {
      const rest = mayReturn && left.length >= MANY ? complement(left, family) : [];
      return rest.length > 0 && rest.length * 2 < left.length
        ? { matches: [''], returns: rest.map((network) => `${flag} ${network}`), sets: [] }
        : { matches: left.map((network) => `${flag} ${network}`), returns: [], sets: [] };
    }
    const set = setOf(label(addresses, isWhole ? undefined : except), left, family);
    return { matches: [`-m set --match-set ${set.name} ${end}`], returns: [], sets: [set] };
  }
  if (out.some((network) => network.endsWith('/0'))) return undefined;
  if (out.length === 0) return { matches: [''], returns: [], sets: [] };
  if (out.length === 1) return { matches: [`! ${flag} ${out[0]}`], returns: [], sets: [] };
  if (out.length < setsFrom)
    return { matches: [''], returns: out.map((network) => `${flag} ${network}`), sets: [] };
  const set = setOf(label(except as AddressSet), out, family);
  return { matches: [`-m set ! --match-set ${set.name} ${end}`], returns: [], sets: [set] };
}

const label = (addresses: AddressSet, except?: AddressSet): string =>
  [addresses.names.join(','), ...(except === undefined ? [] : [except.names.join(',')])].join('!');

const INET: { readonly [family in Family]: string } = { v4: 'inet', v6: 'inet6' };

/** Sizes as powers of two, large enough that the kernel never grows the table, which would change what it prints. */
const HASH_SIZE = 1024;
const MAX_ELEMENTS = 65536;

const powerOfTwo = (least: number, wanted: number): number =>
  Math.max(least, 2 ** Math.ceil(Math.log2(Math.max(wanted, 1))));

function setOf(name: string, networks: readonly string[], family: Family): IpSet {
  const size = powerOfTwo(HASH_SIZE, networks.length);
  const most = powerOfTwo(MAX_ELEMENTS, networks.length);
  return {
    name: setName(name, family),
    type: 'hash:net',
    options: `family ${INET[family]} hashsize ${size} maxelem ${most}`,
    members: networks.map((network) => network.replace(family === 'v4' ? /\/32$/ : /\/128$/, '')),
  };
}

/** A source, a destination and the rest of a rule as text: sets come after the protocol. */
export function around(source: string, destination: string, rest: string): string {
  const sides = [source, destination].filter((match) => match !== '');
  const isSet = (match: string): boolean => match.startsWith('-m');
  return [...sides.filter((match) => !isSet(match)), rest, ...sides.filter(isSet)]
    .filter((part) => part !== '')
    .join(' ');
}
