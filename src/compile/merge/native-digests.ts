/**
 * Digests of native nft tables, to notice that one has changed. Counters, elements of sets, and the tables of programs
 * that change them as they run do not count.
 */
import { createHash } from 'node:crypto';
import type { NftRuleset, NftTable } from '../../netfilter/nftables/model.js';
import { programOfNativeTable } from '../programs.js';

/** The tables with chains that the kernel calls, by `inet filter`, with a short digest of each. */
export const nativeDigests = ({ tables }: NftRuleset): ReadonlyMap<string, string> =>
  new Map(
    tables
      .filter(
        ({ name, chains }) =>
          programOfNativeTable(name) === undefined && chains.some(({ base }) => base !== undefined),
      )
      .map((table) => [`${table.family} ${table.name}`, digestOf(table)]),
  );

const digestOf = ({ chains }: NftTable): string =>
  createHash('sha256')
    .update(
      JSON.stringify(chains.map(({ name, base, rules }) => [name, base, rules.map(({ expr }) => expr)])),
    )
    .digest('hex')
    .slice(0, 16);

/** One line: `inet filter=0123456789abcdef; ip x=…`, `none` where there is no table. */
export const nativeDigestText = (nft: NftRuleset): string =>
  [...nativeDigests(nft)].map(([name, digest]) => `${name}=${digest}`).join('; ') || 'none';

/** The inverse of {@link nativeDigestText}. */
export const readNativeDigests = (text: string): ReadonlyMap<string, string> =>
  new Map(
    text === 'none'
      ? []
      : text.split('; ').map((entry): [string, string] => {
          const at = entry.lastIndexOf('=');
          return [entry.slice(0, at), entry.slice(at + 1)];
        }),
  );
