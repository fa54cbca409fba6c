/** Tables that say nothing: a table that is absent decides like one whose chains are empty and accept. */
import { BUILT_IN_CHAINS, type Chain, type Table, type TableName, type Tables } from './model.js';

const emptyTable = (name: TableName): Table => ({
  name,
  chains: BUILT_IN_CHAINS[name].map((chain): Chain => ({ name: chain, policy: 'ACCEPT', rules: [] })),
});

/**
 * The same tables with those of `names` that are absent put in explicitly, empty and accepting, in the order of
 * `names` after the ones that were there. Restoring such a text clears what restoring an empty one would leave.
 */
export function withBuiltIns(tables: Tables, names: readonly TableName[]): Tables {
  const present = new Set(tables.map((table) => table.name));
  return [...tables, ...names.filter((name) => !present.has(name)).map(emptyTable)];
}

/** Whether both hold the same rules and policies; counters, places and the order of tables mean nothing. */
export function equalTables(a: Tables, b: Tables): boolean {
  const names = new Set([...a, ...b].map((table) => table.name));
  return [...names].every((name) => fingerprint(a, name) === fingerprint(b, name));
}

function fingerprint(tables: Tables, name: TableName): string {
  const table = tables.find((each) => each.name === name) ?? emptyTable(name);
  const chains = table.chains.map((chain) =>
    [`:${chain.name} ${chain.policy ?? '-'}`, ...chain.rules.map((rule) => rule.text)].join('\n'),
  );
  return chains.toSorted().join('\n:\n');
}
