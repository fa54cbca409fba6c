/** What of a host's rules is not imported: others' programs, and what no policy can say. */
import { isOwned } from '../../compile/names.js';
import { programOfChain } from '../../compile/programs.js';
import { isEntryJump } from '../../compile/tables.js';
import { FAMILIES, type Family } from '../../lib/family.js';
import { BUILT_IN_CHAINS, type Chain, type Rule, type Ruleset, type Table } from '../../netfilter/model.js';
import { validate } from '../../netfilter/rule/validate.js';
import { type ChainItem, itemsOf } from '../read/flatten.js';
import { type BuiltInChain, isImported } from './host.js';

/** SSH of the administrators before the statements of INPUT: what the policy opens to them. */
export const withOpening = (
  rules: (family: Family) => readonly Rule[],
  chains: readonly BuiltInChain[],
): readonly BuiltInChain[] =>
  chains.map((chain) => {
    if (chain.table !== 'filter' || chain.chain !== 'INPUT') return chain;
    const { family } = chain;
    const opening: Chain = { name: 'INPUT', rules: rules(family) };
    const context = { family, table: EMPTY_FILTER, sets: new Map(), never: new Set<Rule>() };
    return { ...chain, items: [...itemsOf(opening, context), ...chain.items] };
  });

/** The statements of every built-in chain of the families that are given. */
export function chainsOf(live: Ruleset, families: readonly Family[]): readonly BuiltInChain[] {
  const sets = new Map(live.sets.map((set) => [set.name, set]));
  return families.flatMap((family) => {
    const never = neverMatching(live, family);
    // A table that is absent decides like one whose chains are empty and accept.
    const filter: readonly Table[] = live[family].some(({ name }) => name === 'filter')
      ? live[family]
      : [...live[family], EMPTY_FILTER];
    return filter.flatMap((table) =>
      table.chains
        .filter(({ name }) => BUILT_IN_CHAINS[table.name].includes(name))
        .map((chain) => ({
          family,
          table: table.name,
          chain: chain.name,
          policy: chain.policy ?? 'ACCEPT',
          items: itemsOf(chain, { family, table, sets, never }),
        })),
    );
  });
}

/** iptables-legacy loads such rules, iptables-nft does not. */
export const NEVER_MATCHES = 'never-matches';

function neverMatching(live: Ruleset, family: Family): ReadonlySet<Rule> {
  const lines = new Set(
    validate(live[family], family, live.sets, family).flatMap(({ id, location }) =>
      id === NEVER_MATCHES && location !== undefined ? [location.line] : [],
    ),
  );
  const rules = live[family].flatMap(({ chains }) => chains.flatMap((chain) => chain.rules));
  return new Set(rules.filter(({ location }) => location !== undefined && lines.has(location.line)));
}

const EMPTY_FILTER: Table = {
  name: 'filter',
  chains: BUILT_IN_CHAINS.filter.map((name): Chain => ({ name, policy: 'ACCEPT', rules: [] })),
};

export const foreignItems = (chains: readonly BuiltInChain[]): readonly ChainItem[] =>
  chains.flatMap(({ items }) => items.filter((item) => !isImported(item)));

/** Whether the host has anything that a policy which owns whole tables would take away from others. */
export const hasForeign = (live: Ruleset, chains: readonly BuiltInChain[]): boolean =>
  foreignItems(chains).length > 0 ||
  chains.some(({ items }) => items.some(({ keptReason }) => keptReason !== undefined)) ||
  FAMILIES.some((family) =>
    live[family].some((table) =>
      table.chains.some(
        ({ name, policy }) =>
          programOfChain(name) !== undefined || (policy === 'DROP' && table.name !== 'filter'),
      ),
    ),
  );

/**
 * Beside others' programs only the filter is imported: what the other tables do goes on as it is, and would be done
 * twice otherwise.
 */
export const filterOnly = (chains: readonly BuiltInChain[]): readonly BuiltInChain[] =>
  chains.map((chain) =>
    chain.table === 'filter'
      ? chain
      : {
          ...chain,
          items: chain.items.map((item) =>
            item.owned || item.program !== undefined ? item : { ...item, leftInPlace: true },
          ),
        },
  );

/** The rules that stay when the imported ones are taken out. */
export function unmanagedRules(live: Ruleset, chains: readonly BuiltInChain[]): Ruleset {
  const kept = new Set(foreignItems(chains).map(({ top }) => top.rule));
  const named = new Set(
    chains
      .flatMap(({ items }) => items.filter(({ keptReason }) => keptReason !== undefined))
      .map(({ top }) => `${top.table} ${top.rule.target?.name}`),
  );
  const without = (table: Table): Table => {
    const isBuiltIn = (name: string): boolean => BUILT_IN_CHAINS[table.name].includes(name);
    const builtIn = table.chains
      .filter(({ name }) => isBuiltIn(name))
      .map(
        (chain): Chain => ({
          ...chain,
          rules: chain.rules.filter((rule) => kept.has(rule) && !isEntryJump(rule)),
        }),
      );
    const reached = reach(table, [
      ...builtIn,
      ...table.chains.filter(({ name }) => named.has(`${table.name} ${name}`)),
      ...table.chains.filter(({ name }) => programOfChain(name) !== undefined && !isOwned(name)),
    ]);
    return { ...table, chains: [...builtIn, ...table.chains.filter(({ name }) => reached.has(name))] };
  };
  return { v4: live.v4.map(without), v6: live.v6.map(without), sets: live.sets };
}

/** The user chains among these and behind their jumps. */
function reach(table: Table, from: readonly Chain[]): ReadonlySet<string> {
  const found = new Set<string>();
  const queue = [...from];
  for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
    if (found.has(chain.name)) continue;
    found.add(chain.name);
    for (const { target } of chain.rules)
      queue.push(...table.chains.filter(({ name }) => target?.chain === true && name === target.name));
  }
  for (const name of BUILT_IN_CHAINS[table.name]) found.delete(name);
  return found;
}
