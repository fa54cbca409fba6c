/** Merges equal items of several hosts into one. */
import { groupBy } from '../../lib/group.js';
import type { Finding, HostPlan } from '../../rollout/results/model.js';

/** Items that have the same key as one: the first of them, with the hosts of all. */
export const joinHosts = <T extends { readonly host: string }>(
  items: readonly T[],
  keyOf: (item: T) => string,
): readonly { readonly first: T; readonly hosts: readonly string[] }[] =>
  [...groupBy(items, keyOf).values()].flatMap((some) =>
    some.slice(0, 1).map((first) => ({ first, hosts: [...new Set(some.map(({ host }) => host))] })),
  );

/** The same finding on many hosts is one finding. */
export interface FindingRow {
  readonly finding: Finding;
  readonly hosts: readonly string[];
}

export const SEVERITY = { error: 0, warning: 1, note: 2 } as const;

/** IPv4, IPv6 with a double colon, and IPv6 in full, each perhaps with a port. */
const ADDRESS = /\[?(?:\d+(?:\.\d+){3}|[\da-f:]*::[\da-f:]*|[\da-f]+(?::[\da-f]+){7})\]?(?::\d+)?/gi;

/** The text without the name of the host and without addresses: the same for hosts that differ in these alone. */
export const withoutHost = (text: string, host = ''): string =>
  (host === '' ? text : text.replace(wholeWord(host), '…')).replace(ADDRESS, '…');

const wholeWord = (name: string): RegExp =>
  new RegExp(`(?<![\\w.-])${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w-])`, 'g');

/** Most severe first, then on most hosts. */
export const findingRows = (hosts: readonly Pick<HostPlan, 'host' | 'findings'>[]): readonly FindingRow[] =>
  joinHosts(
    hosts.flatMap(({ host, findings }) => findings.map((finding) => ({ host, finding }))),
    ({ host, finding: { id, level, message, hint, source } }) =>
      JSON.stringify([
        id,
        level,
        withoutHost(message, host),
        hint,
        source && { ...source, file: source.file.replace(host, '…') },
      ]),
  )
    .map(({ first: { finding }, hosts: names }) => ({ finding, hosts: names }))
    .sort((a, b) => SEVERITY[a.finding.level] - SEVERITY[b.finding.level] || b.hosts.length - a.hosts.length);
