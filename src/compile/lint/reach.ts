/** Which foreign rules packets can reach, with the rules of the policy in place. */

import { FAMILIES, type Family } from '../../lib/family.js';
import type { Chain, Rule, Ruleset, Table } from '../../netfilter/model.js';
import { chainOf, isBuiltIn } from '../../netfilter/tables.js';
import { endsInDrop } from '../merge/entry-jump.js';
import { isEntryJump, isOwned, ownedChain } from '../names.js';
import { programOfRule } from '../programs.js';
import { conditionsOf } from './conditions.js';

/** A chain with foreign rules. */
export interface ForeignChain {
  readonly family: Family;
  readonly table: Table;
  readonly chain: Chain;
  /** Rules of administrators that some packet may reach. */
  readonly reached: readonly NumberedRule[];
  /** Foreign rules that no packet reaches, because the policy's chain or a rule above decides every packet. */
  readonly unreached: readonly NumberedRule[];
  /** Every packet that the policy of a built-in chain would drop enters the chain. */
  readonly decides: boolean;
}

/** A rule and its number in the chain. */
export interface NumberedRule {
  readonly rule: Rule;
  /** Counts from 1 in its chain. */
  readonly number: number;
}

/** The chains with foreign rules that packets can enter. */
export const foreignChains = (ruleset: Ruleset): readonly ForeignChain[] =>
  FAMILIES.flatMap((family) => ruleset[family].flatMap((table) => chainsOf(table, family)));

function chainsOf(table: Table, family: Family): readonly ForeignChain[] {
  const entered = new Map<string, 'some' | 'all'>();
  const builtIn = table.chains.filter(({ name }) => isBuiltIn(table.name, name));
  const queue = builtIn.map(({ name }) => name);
  for (const { name, policy } of builtIn) entered.set(name, policy === 'DROP' ? 'all' : 'some');
  while (queue.length > 0) {
    const name = queue.pop() ?? '';
    const chain = chainOf(table, name);
    if (chain === undefined) continue;
    for (const rule of chain.rules.slice(0, lastReached(table, chain) + 1)) {
      const to = rule.target?.chain ? rule.target.name : undefined;
      if (to === undefined || isOwned(to)) continue;
      const how = entered.get(name) === 'all' && conditionsOf(rule).length === 0 ? 'all' : 'some';
      if (entered.get(to) === 'all' || entered.get(to) === how) continue;
      entered.set(to, how);
      queue.push(to);
    }
  }
  return table.chains.flatMap((chain): readonly ForeignChain[] => {
    const how = entered.get(chain.name);
    if (isOwned(chain.name) || how === undefined) return [];
    const last = lastReached(table, chain);
    const all = chain.rules
      .map((rule, index): NumberedRule => ({ rule, number: index + 1 }))
      .filter(({ rule }) => !isEntryJump(rule));
    const reached = all.filter(
      ({ rule, number }) => number - 1 <= last && programOfRule(chain.name, rule) === undefined,
    );
    const unreached = all.filter(({ number }) => number - 1 > last);
    return [{ family, table, chain, reached, unreached, decides: how === 'all' }];
  });
}

/** The index of the last rule that is reached: the first one that decides about every packet. */
function lastReached(table: Table, chain: Chain): number {
  const index = chain.rules.findIndex((rule) => decidesAll(table, chain, rule));
  return index === -1 ? chain.rules.length - 1 : index;
}

const FINAL: ReadonlySet<string> = new Set(['ACCEPT', 'DROP', 'REJECT']);

function decidesAll(table: Table, chain: Chain, rule: Rule): boolean {
  const { target } = rule;
  if (target === undefined || conditionsOf(rule).length > 0) return false;
  if (!target.chain) return FINAL.has(target.name);
  return target.name === ownedChain(chain.name) && endsInDrop(chainOf(table, target.name));
}
