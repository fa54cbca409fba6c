/** The reach of many hosts: those whose rules are the same, as far as it matters, share the work. */

import { FAMILIES, type Family } from '../lib/family.js';
import type { SourceLocation } from '../lib/problem.js';
import type { Chain, IpSet, Ruleset, Table } from '../netfilter/model.js';
import type { DecidingRule } from '../traffic/model.js';
import { changingSets } from '../traffic/program/compiled-ruleset.js';
import { PIPELINES } from '../traffic/program/pipeline.js';
import { type Reached, type ReachHook, reachOf } from '../traffic/questions/reach.js';

export interface ReachSubject {
  readonly ruleset: Ruleset;
  /** The host's own, of both families. */
  readonly addresses: readonly string[];
}

export interface SharedReach {
  /** The same for all hosts that share it. */
  readonly key: string;
  readonly v4: Reached;
  readonly v6: Reached;
}

/** Remembers every answer: ask one of these for a whole fleet. */
export type ReachCache = (subject: ReachSubject, hook: ReachHook) => SharedReach;

export function createReachCache(): ReachCache {
  const known = new Map<string, SharedReach>();
  return (subject, hook) => {
    const text = hookText(subject.ruleset, hook);
    const key = `${hook}\n${ownPart(text, hook, subject.addresses)}\n${text}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const of = (family: Family): Reached => reachOf(subject.ruleset, family, hook, subject.addresses);
    const made: SharedReach = { key: `${known.size}`, v4: of('v4'), v6: of('v6') };
    known.set(key, made);
    return made;
  };
}

/** What a rule may say so that the host's own addresses matter; a word too many costs no more than time. */
const ASKS_OWN: { readonly [hook in ReachHook]: RegExp } = {
  INPUT: /(^| )-d |dst|addrtype|NAT|REDIRECT|NETMAP|TPROXY/m,
  OUTPUT: /(^| )-s |src|addrtype|NAT|REDIRECT|NETMAP/m,
};

const ownPart = (text: string, hook: ReachHook, addresses: readonly string[]): string =>
  ASKS_OWN[hook].test(text)
    ? addresses.join()
    : FAMILIES.filter((family) => addresses.some((one) => one.includes(':') === (family === 'v6'))).join();

/** The rules that a hook's packets may meet, without their places, which differ where a policy says the same twice. */
const hookText = (ruleset: Ruleset, hook: ReachHook): string => {
  const chains = FAMILIES.flatMap((family) =>
    ruleset[family].flatMap((table) =>
      reachable(table, hook).map(({ name, policy = '-', rules }) =>
        [`${family} ${table.name} ${name} ${policy}`, ...rules.map(({ text }) => text)].join('\n'),
      ),
    ),
  );
  // Rules of other hooks may fill the sets that those of this one ask for.
  const filled = [...changingSets(ruleset)].sort().join(' ');
  return [...chains, ...ruleset.sets.map(setText), filled].join('\n\n');
};

function reachable(table: Table, hook: ReachHook): readonly Chain[] {
  const found = new Set<string>();
  const visit = (name: string): void => {
    if (found.has(name)) return;
    found.add(name);
    for (const { target } of table.chains.find((chain) => chain.name === name)?.rules ?? [])
      if (target?.chain) visit(target.name);
  };
  for (const stage of PIPELINES[hook])
    if (stage.kind === 'table' && stage.table === table.name) visit(stage.chain);
  return table.chains.filter(({ name }) => found.has(name));
}

const SET_TEXTS = new WeakMap<IpSet, string>();

function setText(set: IpSet): string {
  const text = SET_TEXTS.get(set) ?? `${set.name} ${set.type} ${set.options} ${set.members.join()}`;
  SET_TEXTS.set(set, text);
  return text;
}

/** Where a host's own policy says what a rule of its reach says; nothing for a chain's policy. */
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
