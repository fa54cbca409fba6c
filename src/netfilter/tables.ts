/** Tables and chains: those that are absent, those that are equal, their order, and what their rules name. */
import { BUILT_IN_CHAINS, type Chain, type Rule, type Table, type TableName, type Tables } from './model.js';

/** In the kernel's order. */
export const TABLE_NAMES = Object.keys(BUILT_IN_CHAINS) as readonly TableName[];

/** A table whose chains are empty and accept: it decides as one that is absent. */
export const emptyTable = (name: TableName): Table => ({
  name,
  chains: BUILT_IN_CHAINS[name].map((chain): Chain => ({ name: chain, policy: 'ACCEPT', rules: [] })),
});

/** The table of that name; `undefined` where it is absent. */
export const tableOf = (tables: Tables, name: TableName): Table | undefined =>
  tables.find((table) => table.name === name);

/** The chain of that name; `undefined` where it or its table is absent. */
export const chainOf = (table: Table | undefined, name: string): Chain | undefined =>
  table?.chains.find((chain) => chain.name === name);

/** Whether the kernel has the chain in this table by itself. */
export const isBuiltIn = (table: TableName, chain: string): boolean => BUILT_IN_CHAINS[table].includes(chain);

/** Built-in chains in the kernel's order, then the others by their bytes: the order of iptables-save. */
export function inSaveOrder(table: TableName, chains: readonly Chain[]): readonly Chain[] {
  const builtIn = BUILT_IN_CHAINS[table];
  const first = builtIn.flatMap((name) => chains.filter((chain) => chain.name === name));
  const rest = chains.filter((chain) => !builtIn.includes(chain.name));
  return [...first, ...rest.toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))];
}

/**
 * The same tables with those of `names` that are absent added, empty and accepting, in the order of `names` after the
 * ones that were there. Restoring such a text clears what restoring an empty one would leave.
 */
export function withBuiltIns(tables: Tables, names: readonly TableName[]): Tables {
  const present = new Set(tables.map((table) => table.name));
  return [...tables, ...names.filter((name) => !present.has(name)).map(emptyTable)];
}

/** Whether both hold the same rules and policies; counters, locations and the order of tables do not count. */
export function equalTables(a: Tables, b: Tables): boolean {
  const names = new Set([...a, ...b].map((table) => table.name));
  return [...names].every((name) => fingerprint(a, name) === fingerprint(b, name));
}

function fingerprint(tables: Tables, name: TableName): string {
  const { chains } = tableOf(tables, name) ?? emptyTable(name);
  const texts = chains.map((chain) =>
    [`:${chain.name} ${chain.policy ?? '-'}`, ...chain.rules.map((rule) => rule.text)].join('\n'),
  );
  return texts.toSorted().join('\n:\n');
}

const SET_OPTIONS: readonly string[] = ['--match-set', '--add-set', '--del-set', '--map-set'];

/** The ipsets that a rule names. */
export const setsNamedBy = ({ matches, target }: Rule): readonly string[] =>
  [...matches, ...(target === undefined ? [] : [target])].flatMap(({ options }) =>
    options.flatMap(({ flag, values: [name] }) =>
      SET_OPTIONS.includes(flag) && name !== undefined ? [name] : [],
    ),
  );
