/** Equal things of many hosts and of both families, folded into one, so that a thousand hosts read like one. */

import { groupBy } from '../../lib/group.js';
import type { RuleDiff, SetDiff } from '../../netfilter/model.js';
import type { Finding, HostPlan, Plan } from '../../rollout/results/model.js';

/** Hosts whose rules change in exactly the same way. */
export interface DiffGroup {
  readonly hosts: readonly string[];
  readonly v4: RuleDiff;
  readonly v6: RuleDiff;
  readonly sets: readonly SetDiff[];
  readonly added: number;
  readonly removed: number;
  readonly moved: number;
}

const NO_CHANGE: RuleDiff = { added: [], removed: [], moved: [], text: '' };

/** The largest groups first. */
export function diffGroups(plan: Plan): readonly DiffGroup[] {
  const groups = groupBy(plan.hosts.filter(changesRules), (host) =>
    JSON.stringify([host.rules?.v4.text, host.rules?.v6.text, host.sets ?? []]),
  );
  return [...groups.values()]
    .flatMap((hosts) => hosts.slice(0, 1).map((host) => diffGroup(host, hosts)))
    .sort((a, b) => b.hosts.length - a.hosts.length);
}

const changesRules = (host: HostPlan): boolean =>
  host.status === 'changed' &&
  ((host.rules?.v4.text || host.rules?.v6.text) !== '' || (host.sets ?? []).length > 0);

function diffGroup(host: HostPlan, hosts: readonly HostPlan[]): DiffGroup {
  const [v4, v6, sets] = [host.rules?.v4 ?? NO_CHANGE, host.rules?.v6 ?? NO_CHANGE, host.sets ?? []];
  const total = (of: (part: { added: readonly unknown[]; removed: readonly unknown[] }) => number): number =>
    [v4, v6, ...sets].reduce((sum, part) => sum + of(part), 0);
  return {
    hosts: hosts.map((one) => one.host),
    v4,
    v6,
    sets,
    added: total((part) => part.added.length),
    removed: total((part) => part.removed.length),
    moved: v4.moved.length + v6.moved.length,
  };
}

/** The same finding on many hosts is one finding. */
export interface FindingRow {
  readonly finding: Finding;
  readonly hosts: readonly string[];
}

export const SEVERITY = { error: 0, warning: 1, note: 2 } as const;

/** IPv4, IPv6 with a double colon, and IPv6 in full, each perhaps with a port. */
const ADDRESS = /\[?(?:\d+(?:\.\d+){3}|[\da-f:]*::[\da-f:]*|[\da-f]+(?::[\da-f]+){7})\]?(?::\d+)?/gi;

/** What is the same on every host but for its name and addresses is said once, of one of them. */
export const impersonal = (text: string, host = ''): string =>
  (host === '' ? text : text.replace(wholeWord(host), '…')).replace(ADDRESS, '…');

const wholeWord = (name: string): RegExp =>
  new RegExp(`(?<![\\w.-])${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w-])`, 'g');

/** Most severe first, then on most hosts. */
export function findingRows(
  hosts: readonly { readonly host: string; readonly findings: readonly Finding[] }[],
): readonly FindingRow[] {
  const rows = groupBy(
    hosts.flatMap(({ host, findings }) => findings.map((finding) => ({ host, finding }))),
    ({ host, finding: { id, level, message, hint, source } }) =>
      JSON.stringify([
        id,
        level,
        impersonal(message, host),
        hint,
        source && { ...source, file: source.file.replace(host, '…') },
      ]),
  );
  return [...rows.values()]
    .flatMap((group) =>
      group
        .slice(0, 1)
        .map(({ finding }) => ({ finding, hosts: [...new Set(group.map(({ host }) => host))] })),
    )
    .sort((a, b) => SEVERITY[a.finding.level] - SEVERITY[b.finding.level] || b.hosts.length - a.hosts.length);
}
