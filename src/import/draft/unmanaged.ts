/** The rules of a host that are not imported: those of programs, and chains that no policy can express. */
import { isEntryJump, isOwned } from '../../compile/names.js';
import { programOfChain } from '../../compile/programs.js';
import { FAMILIES, type Family } from '../../lib/family.js';
import { BUILT_IN_CHAINS, type Chain, type Rule, type Ruleset, type Table } from '../../netfilter/model.js';
import { validate } from '../../netfilter/rule/validate.js';
import { isBuiltIn } from '../../netfilter/tables.js';
import { type ChainItem, itemsOf } from '../read/flatten.js';
import { type BuiltInChain, isImported } from './host.js';

/** The chains with `rules` before the statements of INPUT: SSH from administrators to whom it was closed. */
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

/** The statements of every built-in chain, in these families. */
export function chainsOf(live: Ruleset, families: readonly Family[]): readonly BuiltInChain[] {
  const sets = new Map(live.sets.map((set) => [set.name, set]));
  return families.flatMap((family) => {
    const never = neverMatching(live, family);
    // Without a filter table the kernel accepts everything, as with empty chains.
    const tables: readonly Table[] = live[family].some(({ name }) => name === 'filter')
      ? live[family]
      : [...live[family], EMPTY_FILTER];
    return tables.flatMap((table) =>
      table.chains
        .filter(({ name }) => isBuiltIn(table.name, name))
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

/** The problem of rules that iptables-legacy loads and iptables-nft refuses. */
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

/** The items that are not imported. */
export const foreignItems = (chains: readonly BuiltInChain[]): readonly ChainItem[] =>
  chains.flatMap(({ items }) => items.filter((item) => !isImported(item)));

/** Whether a policy that owns whole tables would remove rules of programs or chains that must stay. */
export const hasForeign = (live: Ruleset, chains: readonly BuiltInChain[]): boolean =>
  foreignItems(chains).length > 0 ||
  keptItems(chains).length > 0 ||
  FAMILIES.some((family) =>
    live[family].some((table) =>
      table.chains.some(
        ({ name, policy }) =>
          programOfChain(name) !== undefined || (policy === 'DROP' && table.name !== 'filter'),
      ),
    ),
  );

/** The chains with the filter table alone imported: beside rules that stay, imported NAT would take effect twice. */
export const filterOnly = (chains: readonly BuiltInChain[]): readonly BuiltInChain[] =>
  chains.map((chain) => {
    if (chain.table === 'filter') return chain;
    const items = chain.items.map(
      (item): ChainItem => (item.owned || item.program !== undefined ? item : { ...item, leftInPlace: true }),
    );
    return { ...chain, items };
  });

const keptItems = (chains: readonly BuiltInChain[]): readonly ChainItem[] =>
  chains.flatMap(({ items }) => items.filter(({ keptReason }) => keptReason !== undefined));

/** The rules that stay when the imported ones are removed. */
export function unmanagedRules(live: Ruleset, chains: readonly BuiltInChain[]): Ruleset {
  const kept = new Set(foreignItems(chains).map(({ top }) => top.rule));
  const named = new Set(keptItems(chains).map(({ top }) => `${top.table} ${top.rule.target?.name}`));
  const reduced = (table: Table): Table => {
    const builtIn = table.chains.flatMap((chain): readonly Chain[] =>
      isBuiltIn(table.name, chain.name)
        ? [{ ...chain, rules: chain.rules.filter((rule) => kept.has(rule) && !isEntryJump(rule)) }]
        : [],
    );
    const staying = table.chains.filter(
      ({ name }) =>
        named.has(`${table.name} ${name}`) || (programOfChain(name) !== undefined && !isOwned(name)),
    );
    const reached = userChains(table, [...builtIn, ...staying]);
    return { ...table, chains: [...builtIn, ...table.chains.filter(({ name }) => reached.has(name))] };
  };
  return { v4: live.v4.map(reduced), v6: live.v6.map(reduced), sets: live.sets };
}

/** The user-defined chains among `from` and those that they jump to. */
function userChains(table: Table, from: readonly Chain[]): ReadonlySet<string> {
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
