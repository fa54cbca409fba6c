/** The reach of many hosts: those whose rules are the same, as far as it matters, share the work. */
import { FAMILIES, type Family } from '../lib/family.js';
import type { SourceLocation } from '../lib/problem.js';
import type { Range } from '../lib/ranges.js';
import type { Chain, IpSet, Ruleset, Table } from '../netfilter/model.js';
import { nativeTexts } from '../netfilter/nftables/text.js';
import type { DecidingRule } from '../traffic/model.js';
import { changingSets } from '../traffic/program/compiled-ruleset.js';
import { BUILT_IN_HOOKS } from '../traffic/program/pipeline.js';
import { type Reach, type Reached, type ReachHook, reachOf } from '../traffic/questions/reach.js';

export interface SharedReach {
  /** The same for all hosts that share it. */
  readonly key: string;
  readonly v4: Reached;
  readonly v6: Reached;
}

/** @param host its rules, and its own addresses of both families */
export type ReachCache = (
  host: { readonly ruleset: Ruleset; readonly addresses: readonly string[] },
  hook: ReachHook,
) => SharedReach;

/** Creates a cache of every answer, to be used for a whole fleet. */
export function createReachCache(): ReachCache {
  const known = new Map<string, SharedReach>();
  return ({ ruleset, addresses }, hook) => {
    const text = hookText(ruleset, hook);
    const key = `${hook}\n${addressPart(text, hook, addresses)}\n${text}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const of = (family: Family): Reached => reachOf(ruleset, family, hook, addresses);
    const made: SharedReach = { key: `${known.size}`, v4: of('v4'), v6: of('v6') };
    known.set(key, made);
    return made;
  };
}

/** Rules for which the host's own addresses may matter; a pattern that matches too much only costs time. */
const USES_OWN_ADDRESS: { readonly [hook in ReachHook]: RegExp } = {
  INPUT: /(^| )-d |dst|addrtype|NAT|REDIRECT|NETMAP|TPROXY|daddr|fib|dnat|redirect/m,
  OUTPUT: /(^| )-s |src|addrtype|NAT|REDIRECT|NETMAP|saddr|fib|dnat|redirect/m,
};

const addressPart = (text: string, hook: ReachHook, addresses: readonly string[]): string =>
  USES_OWN_ADDRESS[hook].test(text)
    ? addresses.join()
    : FAMILIES.filter((family) => addresses.some((one) => one.includes(':') === (family === 'v6'))).join();

/** The rules that packets of the hook may meet, without their locations: these differ where a policy has a rule twice. */
const hookText = (ruleset: Ruleset, hook: ReachHook): string => {
  const chains = FAMILIES.flatMap((family) =>
    ruleset[family].flatMap((table) =>
      reachable(table, hook).map(({ name, policy = '-', rules }) =>
        [`${family} ${table.name} ${name} ${policy}`, ...rules.map(({ text }) => text)].join('\n'),
      ),
    ),
  );
  // Rules of other hooks may fill the sets that those of this one match.
  const filled = [...changingSets(ruleset)].sort().join(' ');
  return [...chains, ...ruleset.sets.map(setText), filled, ...nativeTexts(ruleset.nft)].join('\n\n');
};

function reachable(table: Table, hook: ReachHook): readonly Chain[] {
  const found = new Set<string>();
  const visit = (name: string): void => {
    if (found.has(name)) return;
    found.add(name);
    for (const { target } of table.chains.find((chain) => chain.name === name)?.rules ?? [])
      if (target?.chain) visit(target.name);
  };
  for (const chain of BUILT_IN_HOOKS[hook]) visit(chain);
  return table.chains.filter(({ name }) => found.has(name));
}

const SET_TEXTS = new WeakMap<IpSet, string>();

function setText(set: IpSet): string {
  const text = SET_TEXTS.get(set) ?? `${set.name} ${set.type} ${set.options} ${set.members.join()}`;
  SET_TEXTS.set(set, text);
  return text;
}

/** The entries for any of the services (protocol-port keys). */
export const entriesFor = (reach: Reach, [first, last]: Range): Reach =>
  reach.filter(({ services: [from, to] }) => from <= last && first <= to);

/** The line of the host's own policy that a rule of its reach comes from; `undefined` for a chain's policy. */
export function ruleLocation(
  ruleset: Ruleset,
  family: Family,
  rule: Pick<DecidingRule, 'table' | 'chain' | 'number'> | null,
): SourceLocation | undefined {
  if (rule === null) return undefined;
  return ruleset[family]
    .find(({ name }) => name === rule.table)
    ?.chains.find(({ name }) => name === rule.chain)?.rules[rule.number - 1]?.location;
}
