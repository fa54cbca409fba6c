/**
 * Reads `nft -j list ruleset`, of nft 1.0.6 to 1.1: what is not known is kept as it is or left out, and never an error.
 */
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
 * The native tables of a listing as a text that is the same as long as the tables are: without counters, handles and
 * the time that members have left.
 * @param output of `nft -j list ruleset`
 * @param backend of iptables: the tables of iptables-nft are not native
 * @param devices of netdev chains, by `TABLE CHAIN`, which nft 1.0.6 does not print in JSON
 */
export function nativeTablesText(
  output: string,
  backend: 'nft' | 'legacy',
  devices: ReadonlyMap<string, readonly string[]> = new Map(),
): string {
  let json: Json;
  try {
    json = JSON.parse(output) as Json;
  } catch {
    return unreadTablesText('the output of "nft -j list ruleset" is not JSON');
  }
  const lines = itemsOf(json).flatMap(([kind, value]) => {
    const family = textOf(value.family);
    const table = kind === 'table' ? textOf(value.name) : textOf(value.table);
    if (kind === 'metainfo' || (backend === 'nft' && isOfIptables(family, table))) return [];
    const known = kind === 'chain' ? devices.get(`${table} ${textOf(value.name)}`) : undefined;
    const whole = known === undefined || value.dev !== undefined ? value : { ...value, dev: known };
    return [JSON.stringify({ [kind]: withoutState(whole) })];
  });
  return lines.length === 0 ? '' : `{"nftables": [\n${lines.join(',\n')}\n]}\n`;
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
  let json: Json;
  try {
    json = JSON.parse(text) as Json;
  } catch {
    return { tables: [], unread: 'their listing is not JSON' };
  }
  const { unread } = objectOf(json);
  if (typeof unread === 'string') return { tables: [], unread };
  const items = itemsOf(json);
  const inTable = (table: Json | undefined, family: Json | undefined, wanted: string): readonly Item[] =>
    items.filter(([kind, value]) => kind === wanted && value.table === table && value.family === family);
  const tables = items
    .filter(([kind]) => kind === 'table')
    .map(([, { name, family }]): NftTable => {
      const rules = inTable(name, family, 'rule');
      const sets = [...inTable(name, family, 'set'), ...inTable(name, family, 'map')];
      return {
        family: textOf(family) as NftFamily,
        name: textOf(name),
        chains: inTable(name, family, 'chain').map(([, chain]) => readChain(chain, rules)),
        sets: new Map(sets.map(([, set]) => [textOf(set.name), readSet(set, rules)])),
      };
    });
  return { tables };
}

function readChain(chain: Item[1], rules: readonly Item[]): NftChain {
  return {
    name: textOf(chain.name),
    base: chain.hook === undefined ? undefined : readBase(chain),
    rules: rules.filter(([, rule]) => rule.chain === chain.name).map(([, rule]) => readRule(rule)),
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

/** Statements that add to a set or delete from it: `{"set": {"op": "add", "set": "@name"}}`, and maps alike. */
const changesSet = (statement: Json, name: string): boolean =>
  Object.values(objectOf(statement)).some((each) => {
    const { set, map, op } = objectOf(each);
    return op !== undefined && (set === `@${name}` || map === `@${name}`);
  });

function readSet({ name, elem, flags }: Item[1], rules: readonly Item[]): NftSet {
  const own = textOf(name);
  return {
    name: own,
    elements: listOf(elem),
    dynamic:
      listOf(flags).includes('dynamic') ||
      rules.some(([, { expr }]) => listOf(expr).some((statement) => changesSet(statement, own))),
  };
}
