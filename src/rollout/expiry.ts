/** Rules whose day is over, as they still stand on a host. */
import { compileHost } from '../compile/compile.js';
import { FAMILIES, type Family, type RuleDiff } from '../netfilter/model.js';
import type { Fleet, Host, PolicyRule } from '../policy/fleet.js';
import { note, type Place, type Problem } from '../problem.js';
import type { Flow, TrafficDiff } from '../traffic/model.js';

export type Expired = ReadonlyMap<string, PolicyRule>;

export const expiryKey = (
  family: Family,
  { table, chain, text }: { readonly table: string; readonly chain: string; readonly text: string },
): string => [family, table, chain, text].join(' ');

/** The kernel rules that expired policy rules stood for: found by compiling the host once more with them. */
export function expiredRules(fleet: Fleet, host: Host): Expired {
  if (host.expired.length === 0) return new Map();
  const of = (direction: PolicyRule['direction']): readonly PolicyRule[] => [
    ...host[direction],
    ...host.expired.filter((rule) => rule.direction === direction),
  ];
  const compiled = compileHost(fleet, {
    ...host,
    input: of('input'),
    output: of('output'),
    forward: of('forward'),
    expired: [],
  });
  if (!compiled.ok) return new Map();
  const byPlace = new Map(host.expired.map((rule) => [placeKey(rule.place), rule]));
  return new Map(
    FAMILIES.flatMap((family) =>
      compiled.value[family].flatMap((table) =>
        table.chains.flatMap((chain) =>
          chain.rules.flatMap((rule) => {
            const due = rule.place === undefined ? undefined : byPlace.get(placeKey(rule.place));
            const change = { table: table.name, chain: chain.name, text: rule.text };
            return due === undefined ? [] : [[expiryKey(family, change), due] as const];
          }),
        ),
      ),
    ),
  );
}

export const placeKey = ({ file, line, column }: Place): string => `${file}:${line}:${column}`;

/** One note for each line of the policy that this change takes out because its day is over. */
export function expiryNotes(
  rules: { readonly [family in Family]: RuleDiff },
  expired: Expired,
): readonly Problem[] {
  const gone = FAMILIES.flatMap((family) =>
    rules[family].removed.flatMap((change) => expired.get(expiryKey(family, change)) ?? []),
  );
  return [...new Set(gone)].map(({ expires, place }) =>
    note('rule-expired', `The rule was valid until ${expires}; this takes it out.`, place),
  );
}

/** What closes because a rule expired was decided by a line that still stands in the policy. */
export function withExpiry(traffic: TrafficDiff, expired: Expired): TrafficDiff {
  if (expired.size === 0) return traffic;
  const placed = (flow: Flow): Flow => {
    const { before, family } = flow;
    const due = before === null ? undefined : expired.get(expiryKey(family, before));
    return before === null || due === undefined
      ? flow
      : { ...flow, before: { ...before, source: due.place } };
  };
  return {
    ...traffic,
    closed: traffic.closed.map(placed),
    possiblyClosed: traffic.possiblyClosed.map(placed),
  };
}
