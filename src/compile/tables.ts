/** Small questions about tables that several files here ask. */
import {
  BUILT_IN_CHAINS,
  type Chain,
  type Extension,
  type IpSet,
  type Rule,
  type Ruleset,
  type Table,
  type TableName,
  type Tables,
} from '../netfilter/model.js';
import { isOwned } from './names.js';

export const TABLE_NAMES = Object.keys(BUILT_IN_CHAINS) as readonly TableName[];

export const tableOf = (tables: Tables, name: TableName): Table | undefined =>
  tables.find((table) => table.name === name);

export const chainOf = (table: Table | undefined, name: string): Chain | undefined =>
  table?.chains.find((chain) => chain.name === name);

/** A jump from a built-in chain into an owned one. */
export const isEntryJump = (rule: Rule): boolean => rule.target?.chain === true && isOwned(rule.target.name);

/** Built-in chains in the kernel's order, then the others by their bytes: the order of iptables-save. */
export function inSaveOrder(table: TableName, chains: readonly Chain[]): readonly Chain[] {
  const builtIn = BUILT_IN_CHAINS[table];
  const first = builtIn.flatMap((name) => chains.filter((chain) => chain.name === name));
  const rest = chains.filter((chain) => !builtIn.includes(chain.name));
  return [...first, ...rest.toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))];
}

/** The order of printing: lists of sets after the sets that they may name. */
export function inSetOrder(sets: readonly IpSet[]): readonly IpSet[] {
  const isList = (set: IpSet): number => Number(set.type === 'list:set');
  return sets.toSorted((a, b) => isList(a) - isList(b) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

const SET_OPTIONS: readonly string[] = ['--match-set', '--add-set', '--del-set', '--map-set'];

/** The sets that a rule names. */
export function setsNamedBy(rule: Rule): readonly string[] {
  const parts: readonly Extension[] =
    rule.target === undefined ? rule.matches : [...rule.matches, rule.target];
  return parts.flatMap(({ options }) =>
    options.flatMap(({ flag, values: [name] }) =>
      SET_OPTIONS.includes(flag) && name !== undefined ? [name] : [],
    ),
  );
}

export const isBuiltIn = (table: TableName, chain: string): boolean => BUILT_IN_CHAINS[table].includes(chain);

/** Others' chains by name (`DOCKER`, `nat DOCKER`) and how many rules of others there are, in both families. */
export function foreignOf({ v4, v6 }: Ruleset): {
  readonly chains: readonly string[];
  readonly rules: number;
} {
  const chains = new Set<string>();
  let rules = 0;
  for (const { name: table, chains: all } of [...v4, ...v6])
    for (const { name, rules: some } of all) {
      if (isOwned(name)) continue;
      if (!isBuiltIn(table, name)) chains.add(table === 'filter' ? name : `${table} ${name}`);
      rules += some.filter((rule) => !isEntryJump(rule)).length;
    }
  return { chains: [...chains].toSorted(), rules };
}
