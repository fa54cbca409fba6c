/** Sets of addresses that have names: how a set is put together from them, and how the rest is written. */
import { FAMILIES, type Family } from '../lib/family.js';
import { ADDRESS_BITS, ALL_ADDRESSES, networksText } from '../lib/ip.js';
import { equalRanges, isEmpty, type Ranges, sizeOf, subtract } from '../lib/ranges.js';
import { type FamilyRanges, subtractRanges } from '../policy/addresses.js';
import { NETWORKS } from '../policy/builtin.js';

export interface NamedAddresses {
  readonly name: string;
  readonly ranges: FamilyRanges;
}

/** One value for each family. */
export const perFamily = <T>(of: (family: Family) => T): { readonly [family in Family]: T } => ({
  v4: of('v4'),
  v6: of('v6'),
});

/** The addresses of some families alone. */
export const inFamilies = (ranges: FamilyRanges, families: readonly Family[]): FamilyRanges =>
  perFamily((family) => (families.includes(family) ? ranges[family] : []));

/** Whether all addresses of `inner` in these families are in `outer`. */
export const isWithin = (
  inner: FamilyRanges,
  outer: FamilyRanges,
  families: readonly Family[] = FAMILIES,
): boolean => families.every((family) => isEmpty(subtract(inner[family], outer[family])));

/** The share of all addresses of each family, added up, so that neither family outweighs the other. */
export const shareOf = (ranges: FamilyRanges): number =>
  FAMILIES.reduce(
    (sum, family) => sum + Number(sizeOf(ranges[family])) / Number(sizeOf([ALL_ADDRESSES[family]])),
    0,
  );

/**
 * Puts a set together from others that lie within it.
 * @param candidates in order of preference: one is taken when it holds addresses that those before it do not
 * @returns those that were taken, and the addresses that are in none of them
 */
export function cover<T extends { readonly ranges: FamilyRanges }>(
  ranges: FamilyRanges,
  candidates: readonly T[],
  families: readonly Family[] = FAMILIES,
): { readonly taken: readonly T[]; readonly rest: FamilyRanges } {
  const taken: T[] = [];
  let rest = inFamilies(ranges, families);
  for (const candidate of candidates) {
    if (!isWithin(candidate.ranges, ranges, families)) continue;
    const left = subtractRanges(rest, candidate.ranges);
    if (equalRanges(left.v4, rest.v4) && equalRanges(left.v6, rest.v6)) continue;
    taken.push(candidate);
    rest = left;
  }
  return { taken, rest };
}

/** The fewest networks that are exactly these addresses; a single address has no prefix length. */
export const addressesText = (ranges: Ranges, family: Family): readonly string[] =>
  networksText(ranges, family).map(withoutFullPrefix);

/** `192.0.2.1` of `192.0.2.1/32`; other networks stay as they are. */
export const withoutFullPrefix = (network: string): string =>
  network.endsWith(network.includes(':') ? `/${ADDRESS_BITS.v6}` : `/${ADDRESS_BITS.v4}`)
    ? network.slice(0, network.lastIndexOf('/'))
    : network;

/** The same text for the same addresses. */
export const addressKey = (ranges: FamilyRanges): string =>
  FAMILIES.map((family) => ranges[family].map((range) => range.join('-')).join()).join(' ');

/** The built-in networks but `any`. */
export const BUILT_IN_NETWORKS: readonly NamedAddresses[] = Object.entries(NETWORKS)
  .filter(([name]) => name !== 'any')
  .map(([name, ranges]) => ({ name, ranges }));
