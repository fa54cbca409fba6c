/** The native nft tables of a host, from the agent's answer: those that iptables does not show. */
import { note, type Problem, warning } from '../../lib/problem.js';
import { list } from '../../lib/text.js';
import { nativeTablesText, readNftables, unreadTablesText } from '../../netfilter/nftables/read.js';
import type { Host } from '../../policy/fleet.js';
import type { Section } from '../agent/agent.js';

/** The nft tables of iptables-nft (iptables-nft(8)). */
const OF_IPTABLES = /^table ip6? (filter|nat|mangle|raw|security)$/;

/**
 * The text of the native tables (see `nativeTablesText`); `undefined` where the host was not asked.
 * @param listing what `nft list ruleset` says of base chains
 */
export function nativeText(
  native: Section | undefined,
  listing: string,
  backend: 'nft' | 'legacy',
): string | undefined {
  if (native === undefined) return undefined;
  const lines = native.out.split('\n').filter((line) => line !== '');
  const unseen = lines.find((line) => line.startsWith('unseen '));
  if (unseen !== undefined) return unreadTablesText(unseen.replace('unseen ', ''));
  // Without nft only their names are known.
  const tables = lines.filter(
    (line) => line.startsWith('table ') && !(backend === 'nft' && OF_IPTABLES.test(line)),
  );
  if (tables.length > 0) {
    const names = tables.map((line) => `"${line.replace('table ', '')}"`);
    return unreadTablesText(
      `nft is not installed, and there ${names.length === 1 ? 'is table' : 'are tables'} ${list(names, 4)}`,
    );
  }
  const documents = lines.filter((line) => line.startsWith('{'));
  return documents.length === 0 ? '' : nativeTablesText(documents, backend, devicesOf(listing));
}

/** The devices of netdev chains, by `TABLE CHAIN`. */
function devicesOf(listing: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  let [table, chain] = ['', ''];
  for (const line of listing.split('\n')) {
    table = /^table \S+ (.*) \{$/.exec(line)?.[1] ?? table;
    chain = /^\tchain (.*) \{$/.exec(line)?.[1] ?? chain;
    const devices = /^\t\ttype .* hook \w+ devices? (?:= )?(.*?) priority /.exec(line)?.[1];
    if (devices !== undefined)
      found.set(
        `${table} ${chain}`,
        [...devices.matchAll(/"([^"]+)"/g)].map(([, name = '']) => name),
      );
  }
  return found;
}

/** That native tables decide as well, or that they cannot be seen. */
export function nativeNotes(
  { name: host }: Pick<Host, 'name'>,
  text: string | undefined,
): readonly Problem[] {
  const { tables, unread } = readNftables(text ?? '');
  if (unread !== undefined)
    return [
      warning('native-nft-unread', `${host}: native nft tables cannot be seen: ${unread}.`, {
        hint: 'Install the package nftables on the host; until then nothing is proved for it.',
      }),
    ];
  return tables.flatMap(({ family, name, chains }) => {
    const base = chains.flatMap((chain) => (chain.base === undefined ? [] : [chain.name]));
    if (base.length === 0) return [];
    return [
      note(
        'native-nft-chains',
        `${host}: native nft table "${family} ${name}" also decides on packets (${list(base, 4)}).`,
        { hint: 'It is part of the traffic diff and of all proofs; a deploy does not change it.' },
      ),
    ];
  });
}
