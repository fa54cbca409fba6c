/** Rules whose day is over, as they still stand on a host. */
import { compileHost } from '../../compile/rules/compile.js';
import { FAMILIES, type Family } from '../../lib/family.js';
import { note, type Problem, type SourceLocation } from '../../lib/problem.js';
import type { RuleDiff } from '../../netfilter/model.js';
import type { Fleet, Host, PolicyRule } from '../../policy/fleet.js';
import type { Flow, TrafficDiff } from '../../traffic/model.js';

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
  const byPlace = new Map(host.expired.map((rule) => [locationKey(rule.location), rule]));
  return new Map(
    FAMILIES.flatMap((family) =>
      compiled.value[family].flatMap((table) =>
        table.chains.flatMap((chain) =>
          chain.rules.flatMap((rule) => {
            const due = rule.location === undefined ? undefined : byPlace.get(locationKey(rule.location));
            const change = { table: table.name, chain: chain.name, text: rule.text };
            return due === undefined ? [] : [[expiryKey(family, change), due] as const];
          }),
        ),
      ),
    ),
  );
}

export const locationKey = ({ file, line, column }: SourceLocation): string => `${file}:${line}:${column}`;

/** One note for each line of the policy that this change takes out because its day is over. */
export function expiryNotes(
  rules: { readonly [family in Family]: RuleDiff },
  expired: Expired,
): readonly Problem[] {
  const gone = FAMILIES.flatMap((family) =>
    rules[family].removed.flatMap((change) => expired.get(expiryKey(family, change)) ?? []),
  );
  return [...new Set(gone)].map(({ expires, location }) =>
    note('rule-expired', `The rule was valid until ${expires}; this takes it out.`, location),
  );
}

/** What closes because a rule expired was decided by a line that still stands in the policy. */
export function withExpiry(traffic: TrafficDiff, expired: Expired): TrafficDiff {
  if (expired.size === 0) return traffic;
  const withLocation = (flow: Flow): Flow => {
    const { before, family } = flow;
    const due = before === null ? undefined : expired.get(expiryKey(family, before));
    return before === null || due === undefined
      ? flow
      : { ...flow, before: { ...before, source: due.location } };
  };
  return {
    ...traffic,
    closed: traffic.closed.map(withLocation),
    possiblyClosed: traffic.possiblyClosed.map(withLocation),
  };
}
