/** Addresses and services in the words of the policy: `app and 192.0.2.7`, `anywhere but admin`, `postgres`. */
import { FAMILIES, type Family } from '../lib/family.js';
import { networksText } from '../lib/ip.js';
import { has, isEmpty, normalise, type Ranges, sizeOf } from '../lib/ranges.js';
import { EVERYTHING, type FamilyRanges, rangesOf, subtractRanges } from '../policy/addresses.js';
import { SERVICES } from '../policy/builtin.js';
import {
  addressesText,
  addressKey,
  BUILT_IN_NETWORKS,
  cover,
  inFamilies,
  isWithin,
  type NamedAddresses,
  shareOf,
} from './address-sets.js';
import type { PolicyNames } from './policy-names.js';
import { termKeys } from './service-names.js';
import type { RowService } from './service-sets.js';

/** One name, or one network that has none. */
export interface Piece {
  readonly text: string;
  readonly named: boolean;
  /** The families that the name has addresses of. */
  readonly families: readonly Family[];
}

/** All of `of` without all of `but`; `of` is empty for every address there is. */
export interface AddressPhrase {
  readonly of: readonly Piece[];
  readonly but: readonly Piece[];
}

export interface Naming {
  /** The fewest names that are exactly these addresses of the families; `undefined` is every address. */
  readonly addresses: (ranges: FamilyRanges | undefined, families: readonly Family[]) => AddressPhrase;
  /** The name that is exactly these services, if there is one. */
  readonly service: (services: readonly RowService[]) => string | undefined;
}

interface Candidate {
  readonly piece: Piece;
  readonly ranges: FamilyRanges;
}

interface Known {
  readonly networks: readonly Candidate[];
  /** The same, the largest first. */
  readonly largestFirst: readonly Candidate[];
  readonly hosts: { readonly [family in Family]: ReadonlyMap<bigint, NamedAddresses> };
}

const EVERYWHERE: AddressPhrase = { of: [], but: [] };

/** Creates the names of a report; names of the policy win over built-in ones, and those over numbers. */
export function createNaming(names: PolicyNames = { networks: {}, hosts: {}, services: {} }): Naming {
  const networks = [
    ...Object.entries(names.networks)
      .filter(([, texts]) => !texts.some(isWide))
      .map(([name, texts]) => ({ name, ranges: rangesOf(texts) })),
    ...BUILT_IN_NETWORKS.filter(({ name }) => names.networks[name] === undefined),
  ]
    .map((network) => candidateOf(network, true))
    .filter(({ piece }) => piece.families.length > 0);
  const known: Known = {
    networks,
    largestFirst: networks.toSorted((a, b) => shareOf(b.ranges) - shareOf(a.ranges)),
    hosts: hostsByAddress(names.hosts),
  };
  const services = servicesByKey(names);
  const phrases = new Map<string, AddressPhrase>();
  /** The key of many ranges is long: the same object has the same phrase. */
  const byRanges = new WeakMap<FamilyRanges, { families: readonly Family[]; phrase: AddressPhrase }>();
  return {
    addresses: (ranges, families) => {
      if (ranges === undefined) return EVERYWHERE;
      const same = byRanges.get(ranges);
      if (same !== undefined && String(same.families) === String(families)) return same.phrase;
      const key = `${families} ${addressKey(ranges)}`;
      const phrase = phrases.get(key) ?? phraseOf(ranges, families, known);
      phrases.set(key, phrase);
      byRanges.set(ranges, { families, phrase });
      return phrase;
    },
    service: (rows) => services.get(termsKey(rows.flatMap(rowTerms))),
  };
}

/**
 * A block larger than any that one owner has (RFC 7020: a /8, a /12): a friendly name must not hide that a
 * change opens half the internet.
 */
const isWide = (network: string): boolean =>
  Number(network.split('/')[1] ?? 128) < (network.includes(':') ? 12 : 8);

const candidateOf = ({ name, ranges }: NamedAddresses, named: boolean): Candidate => ({
  ranges,
  piece: { text: name, named, families: FAMILIES.filter((family) => !isEmpty(ranges[family])) },
});

function hostsByAddress(hosts: PolicyNames['hosts']): Known['hosts'] {
  const found = { v4: new Map<bigint, NamedAddresses>(), v6: new Map<bigint, NamedAddresses>() };
  for (const [name, addresses] of Object.entries(hosts)) {
    const ranges = rangesOf(addresses);
    for (const family of FAMILIES)
      for (const address of valuesOf(ranges[family])) found[family].set(address, { name, ranges });
  }
  return found;
}

const valuesOf = (ranges: Ranges): readonly bigint[] =>
  ranges.flatMap(([from, to]) =>
    Array.from({ length: Number(to - from) + 1 }, (_, index) => from + BigInt(index)),
  );

/** As a union, or as something larger without a part: whichever has fewer pieces. */
function phraseOf(ranges: FamilyRanges, families: readonly Family[], known: Known): AddressPhrase {
  const others = subtractRanges(inFamilies(EVERYTHING, families), ranges);
  const [count, without] = [ranges, others].map(({ v4, v6 }) => v4.length + v6.length) as [number, number];
  // Of a list of bans nobody reads more than its beginning and its length.
  if (count > MOST_RANGES && without > MOST_RANGES)
    return count <= without
      ? { of: numbersOf(ranges, families), but: [] }
      : { of: [], but: numbersOf(others, families) };
  const piecesWithout = (larger: FamilyRanges): readonly Piece[] =>
    piecesOf(subtractRanges(inFamilies(larger, families), ranges), families, known);
  const larger = [...known.networks, ...blockAround(ranges, families)].filter((network) =>
    isWithin(ranges, network.ranges, families),
  );
  const phrases: readonly AddressPhrase[] = [
    { of: piecesOf(ranges, families, known), but: [] },
    { of: [], but: piecesWithout(EVERYTHING) },
    ...larger.map((network) => ({ of: [network.piece], but: piecesWithout(network.ranges) })),
  ];
  return phrases.reduce((best, phrase) => (lengthOf(phrase) < lengthOf(best) ? phrase : best));
}

/** More ranges than this are not searched for names. */
const MOST_RANGES = 2000;

/** Networks as numbers. */
const numbersOf = (ranges: FamilyRanges, families: readonly Family[]): readonly Piece[] =>
  families.flatMap((family) =>
    addressesText(ranges[family], family).map((text) => ({ text, named: false, families: [family] })),
  );

/** The one block around all addresses of a row of one family. */
function blockAround(ranges: FamilyRanges, families: readonly Family[]): readonly Candidate[] {
  const [family, other] = families;
  if (family === undefined || other !== undefined) return [];
  const [first, last] = [ranges[family][0]?.[0] ?? 0n, ranges[family].at(-1)?.[1] ?? 0n];
  let bits = 0n;
  while (first >> bits !== last >> bits) bits++;
  const block: Ranges = [[(first >> bits) << bits, ((last >> bits) << bits) | ((1n << bits) - 1n)]];
  const [name = ''] = networksText(block, family);
  return [candidateOf({ name, ranges: { v4: [], v6: [], [family]: block } }, false)];
}

const lengthOf = ({ of, but }: AddressPhrase): number => Math.max(1, of.length) + but.length;

/** The largest names that fit first; what no name covers as hosts and networks. */
function piecesOf(
  ranges: FamilyRanges,
  families: readonly Family[],
  { largestFirst, hosts }: Known,
): readonly Piece[] {
  const { taken, rest } = cover(ranges, largestFirst, families);
  const plain = (some: FamilyRanges): readonly Piece[] =>
    families.flatMap((family) => plainPieces(some[family], family, hosts[family]));
  // A name inside a larger block breaks it into pieces.
  const [names, numbers] = [
    uniquePieces([...taken.map(({ piece }) => piece), ...plain(rest)]),
    uniquePieces(plain(ranges)),
  ];
  return numbers.length < names.length ? numbers : names;
}

const uniquePieces = (pieces: readonly Piece[]): readonly Piece[] => [
  ...new Map(pieces.map((piece) => [piece.text, piece])).values(),
];

/** More addresses than this are not hosts that a reader would look at one by one. */
const MOST_HOSTS = 16;

/** Hosts where the addresses are exactly all of theirs, else networks. */
function plainPieces(
  ranges: Ranges,
  family: Family,
  hosts: ReadonlyMap<bigint, NamedAddresses>,
): readonly Piece[] {
  if (sizeOf(ranges) <= MOST_HOSTS) {
    const addresses = valuesOf(ranges);
    const names = addresses.flatMap((address) => {
      const host = hosts.get(address);
      const isMeant = host !== undefined && valuesOf(host.ranges[family]).every((one) => has(ranges, one));
      return isMeant ? [host.name] : [];
    });
    if (names.length === addresses.length)
      return names.map((text) => ({ text, named: true, families: FAMILIES }));
  }
  return addressesText(ranges, family).map((text) => ({ text, named: false, families: [family] }));
}

function servicesByKey(names: PolicyNames): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [name, terms] of [...Object.entries(names.services), ...Object.entries(SERVICES)]) {
    const key = termsKey(terms);
    if (key !== '' && !found.has(key)) found.set(key, name);
  }
  return found;
}

/** The same text for the same ports; empty where a term is not about ports. */
function termsKey(terms: readonly string[]): string {
  const keys = terms.map(termKeys);
  return keys.includes(undefined) ? '' : normalise(keys.filter((one) => one !== undefined)).join();
}

const rowTerms = ({ protocol, dport, type }: RowService): readonly string[] =>
  type.length > 0 || dport.length === 0 ? [protocol] : dport.map((ports) => `${protocol}/${ports}`);
