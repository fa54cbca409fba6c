/** Expired rules of the policy that are still on a host. */
import { compileHost } from '../../compile/rules/compile.js';
import { FAMILIES, type Family } from '../../lib/family.js';
import { note, type Problem, type SourceLocation } from '../../lib/problem.js';
import type { RuleDiff } from '../../netfilter/model.js';
import type { Fleet, Host, PolicyRule } from '../../policy/fleet.js';
import type { Flow, TrafficDiff } from '../../traffic/model.js';

/** The policy rule that expired, by {@link expiryKey}. */
export type ExpiredRules = ReadonlyMap<string, PolicyRule>;

/** The identity of a kernel rule: family, table, chain and text. */
export const expiryKey = (
  family: Family,
  { table, chain, text }: { readonly table: string; readonly chain: string; readonly text: string },
): string => [family, table, chain, text].join(' ');

/** The kernel rules of expired policy rules, found by compiling the host once more with them. */
export function expiredRules(fleet: Fleet, host: Host): ExpiredRules {
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
  const byLocation = new Map(host.expired.map((rule) => [locationKey(rule.location), rule]));
  return new Map(
    FAMILIES.flatMap((family) =>
      compiled.value[family].flatMap((table) =>
        table.chains.flatMap((chain) =>
          chain.rules.flatMap((rule) => {
            const expiredRule =
              rule.location === undefined ? undefined : byLocation.get(locationKey(rule.location));
            const change = { table: table.name, chain: chain.name, text: rule.text };
            return expiredRule === undefined ? [] : [[expiryKey(family, change), expiredRule] as const];
          }),
        ),
      ),
    ),
  );
}

/** `policies/roles/web.yml:3:5`. */
export const locationKey = ({ file, line, column }: SourceLocation): string => `${file}:${line}:${column}`;

/** One note for each line of the policy whose kernel rules this change removes because it expired. */
export function expiryNotes(
  rules: { readonly [family in Family]: RuleDiff },
  expired: ExpiredRules,
): readonly Problem[] {
  const removed = FAMILIES.flatMap((family) =>
    rules[family].removed.flatMap((change) => expired.get(expiryKey(family, change)) ?? []),
  );
  return [...new Set(removed)].map(({ expires, location }) =>
    note('rule-expired', `The rule was valid until ${expires}; this change removes it.`, { location }),
  );
}

/** Flows that close because a rule expired get the location of that rule, which is still in the policy. */
export function withExpiry(traffic: TrafficDiff, expired: ExpiredRules): TrafficDiff {
  if (expired.size === 0) return traffic;
  const withLocation = (flow: Flow): Flow => {
    const { before, family } = flow;
    const expiredRule = before === null ? undefined : expired.get(expiryKey(family, before));
    return before === null || expiredRule === undefined
      ? flow
      : { ...flow, before: { ...before, source: expiredRule.location } };
  };
  return {
    ...traffic,
    closed: traffic.closed.map(withLocation),
    possiblyClosed: traffic.possiblyClosed.map(withLocation),
  };
}
