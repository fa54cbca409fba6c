/**
 * Reads `nft -j list ruleset`, of nft 1.0.6 to 1.1: what is not known is kept as it is or left out, and never an error.
 */
import { groupBy } from '../../lib/group.js';
import type { Json, NftBase, NftChain, NftFamily, NftRule, NftRuleset, NftSet, NftTable } from './model.js';

/** A JSON object; empty for anything else. */
export const objectOf = (json: Json | undefined): { readonly [key: string]: Json } =>
  typeof json === 'object' && json !== null && !Array.isArray(json)
    ? (json as { readonly [key: string]: Json })
    : {};

/** A JSON list; of a single value the list of it. */
export const listOf = (json: Json | undefined): readonly Json[] =>
  json === undefined || json === null ? [] : Array.isArray(json) ? json : [json as Json];

const textOf = (json: Json | undefined): string => (typeof json === 'string' ? json : '');

/** The kind of an object, and what it holds: `{"rule": {…}}`. */
type Item = readonly [kind: string, value: { readonly [key: string]: Json }];

function itemsOf(json: Json): readonly Item[] {
  return listOf(objectOf(json).nftables).flatMap((each) =>
    Object.entries(objectOf(each)).map(([kind, value]): Item => [kind, objectOf(value)]),
  );
}

const IPTABLES = new Set(['filter', 'nat', 'mangle', 'raw', 'security']);

/** Whether iptables-nft or arptables and ebtables may have made the table: then iptables-save prints it. */
const isOfIptables = (family: string, table: string): boolean =>
  (family === 'ip' || family === 'ip6') && IPTABLES.has(table);

/**
 * The native tables of listings as a text that is the same as long as the tables are: without counters, handles and
 * the time that members have left.
 * @param outputs of `nft -j list ruleset`, or of `nft -j list table` for each
 * @param backend of iptables: the tables of iptables-nft are not native
 * @param devices of netdev chains, by `TABLE CHAIN`, which nft 1.0.6 does not print in JSON
 */
export function nativeTablesText(
  outputs: readonly string[],
  backend: 'nft' | 'legacy',
  devices: ReadonlyMap<string, readonly string[]> = new Map(),
): string {
  const items: Item[] = [];
  for (const output of outputs) {
    const json = parseJson(output);
    if (json === undefined) return unreadTablesText('the output of nft is not JSON');
    items.push(...itemsOf(json));
  }
  const lines = items.flatMap(([kind, value]) => {
    const family = textOf(value.family);
    const table = kind === 'table' ? textOf(value.name) : textOf(value.table);
    if (kind === 'metainfo' || (backend === 'nft' && isOfIptables(family, table))) return [];
    const known = kind === 'chain' ? devices.get(`${table} ${textOf(value.name)}`) : undefined;
    const whole = known === undefined || value.dev !== undefined ? value : { ...value, dev: known };
    return [JSON.stringify({ [kind]: withoutState(whole) })];
  });
  return lines.length === 0 ? '' : `{"nftables": [\n${lines.join(',\n')}\n]}\n`;
}

function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** The text for tables that could not be read. @param reason a clause */
export const unreadTablesText = (reason: string): string => `${JSON.stringify({ unread: reason })}\n`;

/** What changes without a change of the rules. */
const STATE = new Set(['handle', 'packets', 'bytes', 'expires', 'used', 'index']);

function withoutState(json: Json): Json {
  if (Array.isArray(json)) return json.map(withoutState);
  if (typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(
    Object.entries(json).flatMap(([key, value]) => (STATE.has(key) ? [] : [[key, withoutState(value)]])),
  );
}

/** The tables of a text that {@link nativeTablesText} or {@link unreadTablesText} made; none of an empty one. */
export function readNftables(text: string): NftRuleset {
  if (text.trim() === '') return { tables: [] };
  const json = parseJson(text);
  if (json === undefined) return { tables: [], unread: 'their listing is not JSON' };
  const { unread } = objectOf(json);
  if (typeof unread === 'string') return { tables: [], unread };
  const items = itemsOf(json);
  const byTable = groupBy(
    items,
    ([kind, { family, table, name }]) => `${textOf(family)} ${textOf(kind === 'table' ? name : table)}`,
  );
  const tables = items
    .filter(([kind]) => kind === 'table')
    .map(([, { name, family }]) =>
      readTable(
        textOf(family) as NftFamily,
        textOf(name),
        byTable.get(`${textOf(family)} ${textOf(name)}`) ?? [],
      ),
    );
  return { tables };
}

function readTable(family: NftFamily, name: string, items: readonly Item[]): NftTable {
  const of = (...kinds: readonly string[]): readonly Item[1][] =>
    items.flatMap(([kind, value]) => (kinds.includes(kind) ? [value] : []));
  const rules = of('rule');
  const byChain = groupBy(rules, ({ chain }) => textOf(chain));
  const changed = new Set(rules.flatMap(({ expr }) => listOf(expr).flatMap(changedSets)));
  return {
    family,
    name,
    chains: of('chain').map((chain) => readChain(chain, byChain.get(textOf(chain.name)) ?? [])),
    sets: new Map(of('set', 'map').map((set) => [textOf(set.name), readSet(set, changed)])),
  };
}

function readChain(chain: Item[1], rules: readonly Item[1][]): NftChain {
  return {
    name: textOf(chain.name),
    base: chain.hook === undefined ? undefined : readBase(chain),
    rules: rules.map(readRule),
  };
}

const readRule = ({ comment, expr }: Item[1]): NftRule => ({
  comment: typeof comment === 'string' ? comment : undefined,
  expr: listOf(expr),
});

function readBase({ type, hook, prio, policy, dev }: Item[1]): NftBase {
  return {
    type: textOf(type) as NftBase['type'],
    hook: textOf(hook) as NftBase['hook'],
    priority: Number(prio),
    policy: policy === 'drop' ? 'drop' : 'accept',
    devices: dev === undefined ? undefined : listOf(dev).map(String),
  };
}

/** The sets that a statement adds to or deletes from: `{"set": {"op": "add", "set": "@name"}}`, and maps alike. */
const changedSets = (statement: Json): readonly string[] =>
  Object.values(objectOf(statement)).flatMap((each) => {
    const { set, map, op } = objectOf(each);
    return op === undefined ? [] : [textOf(set), textOf(map)].filter((name) => name.startsWith('@'));
  });

function readSet({ name, elem, flags }: Item[1], changed: ReadonlySet<string>): NftSet {
  return {
    name: textOf(name),
    elements: listOf(elem),
    dynamic: listOf(flags).includes('dynamic') || changed.has(`@${textOf(name)}`),
  };
}
