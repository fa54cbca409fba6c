/**
 * Native nft tables as chains of the model. A rule of nft may do several things, and match between them: it becomes
 * several rules with its number, or a chain of its own behind the first thing that changes the packet.
 */
import type {
  Json,
  NftBase,
  NftChain,
  NftRule,
  NftRuleset,
  NftTable,
} from '../../../netfilter/nftables/model.js';
import { listOf, objectOf } from '../../../netfilter/nftables/read.js';
import { ruleText, valueText } from '../../../netfilter/nftables/text.js';
import type { MatchContext } from '../match-context.js';
import type { BaseChain, CompiledRule, NetfilterHook, PlainChain } from '../model.js';
import { ALWAYS, all, leaves, type Predicate, pure, stateful } from '../predicate.js';
import type { Action } from '../targets.js';
import type { CallSite, NativeContext } from './context.js';
import { keyPredicate, onDevices, readNativeMatch, setOf } from './matches.js';
import { type Operand, operandOf } from './operands.js';
import { isMap, readStatement, type Statement } from './statements.js';

export interface NativeChains {
  readonly chains: readonly PlainChain[];
  readonly baseChains: readonly BaseChain[];
  /** Some rule alters what an unmodelled match may test. */
  readonly altersPackets: boolean;
}

/** The families of tables that a packet of each family passes. */
const FAMILIES = { v4: ['ip', 'inet', 'netdev', 'bridge'], v6: ['ip6', 'inet', 'netdev', 'bridge'] };

/** Every chain that packets of the family may pass. */
export function compileNative(
  { tables, unread }: NftRuleset,
  context: Omit<MatchContext, 'table'>,
): NativeChains {
  const parts = tables
    .filter(({ family }) => FAMILIES[context.family].includes(family))
    .map((table) => compileTable(table, context));
  if (unread !== undefined) parts.push(unreadTables(unread));
  return {
    chains: parts.flatMap(({ chains }) => chains),
    baseChains: parts.flatMap(({ baseChains }) => baseChains),
    altersPackets: parts.some(({ altersPackets }) => altersPackets),
  };
}

/** `inet filter`, as nft writes it. */
const nameOf = ({ family, name }: NftTable): string => `${family} ${name}`;

/** Tables that could not be read may accept, drop or change every packet, before any other. */
function unreadTables(reason: string): NativeChains {
  const text = `native nft tables, which cannot be read: ${reason}`;
  const name = 'unread';
  const rule: CompiledRule = {
    table: 'nft',
    chain: name,
    number: 1,
    spec: { text, matches: [] },
    match: ALWAYS,
    action: { kind: 'external', continues: stateful(text), accepts: stateful(`${text} (accepted)`) },
  };
  const base = (hook: NetfilterHook): BaseChain => ({
    table: 'nft',
    chain: name,
    hook,
    priority: -1000,
    nat: false,
  });
  return {
    chains: [{ table: 'nft', name, policy: 'ACCEPT', rules: [rule] }],
    baseChains: [base('ingress'), base('output')],
    altersPackets: false,
  };
}

const SITES: { readonly [hook in NetfilterHook]: CallSite } = {
  ingress: 'arriving',
  prerouting: 'arriving',
  input: 'arriving',
  forward: 'passing',
  output: 'leaving',
  postrouting: 'leaving',
  egress: 'leaving',
};

/** nf_conntrack_ipv4 registers at -200. */
const isUntracked = ({ hook, priority, type }: NftBase): boolean =>
  type !== 'nat' && (hook === 'ingress' || ((hook === 'prerouting' || hook === 'output') && priority < -200));

interface TableState {
  readonly table: NftTable;
  readonly context: Omit<MatchContext, 'table'>;
  readonly byName: ReadonlyMap<string, NftChain>;
  readonly done: Map<string, PlainChain>;
  altersPackets: boolean;
}

function compileTable(table: NftTable, context: Omit<MatchContext, 'table'>): NativeChains {
  const state: TableState = {
    table,
    context,
    byName: new Map(table.chains.map((chain) => [chain.name, chain])),
    done: new Map(),
    altersPackets: false,
  };
  const baseChains = table.chains.flatMap((chain) =>
    chain.base === undefined ? [] : compileBase(state, chain, chain.base),
  );
  return { chains: [...state.done.values()], baseChains, altersPackets: state.altersPackets };
}

function compileBase(state: TableState, chain: NftChain, base: NftBase): readonly BaseChain[] {
  const { table } = state;
  const context: NativeContext = {
    ...state.context,
    table: 'filter',
    native: table,
    site: SITES[base.hook],
    untracked: isUntracked(base),
  };
  const name = compileChain(state, chain.name, context);
  const place = { table: nameOf(table), hook: base.hook, priority: base.priority, nat: base.type === 'nat' };
  const only = onlyFor(table, base);
  if (only === undefined) return [{ ...place, chain: name }];
  // Not all packets of the hook pass it.
  const outer = `${name}${SEPARATOR}some`;
  const outerRule = (text: string, action: Action): CompiledRule => ({
    ...ruleOf(state, chain.name, 0, NO_RULE, only, action),
    spec: { text, matches: [] },
  });
  state.done.set(outer, {
    table: nameOf(table),
    name: outer,
    policy: 'ACCEPT',
    rules: [
      outerRule(`hook ${base.hook}`, { kind: 'call', chain: name, goto: false }),
      ...(base.policy === 'drop' ? [outerRule('policy drop', { kind: 'drop' })] : []),
    ],
  });
  const inner = state.done.get(name);
  if (inner !== undefined) state.done.set(name, { ...inner, policy: undefined });
  return table.family === 'bridge'
    ? bridgeHooks(base, { ...place, chain: outer })
    : [{ ...place, chain: outer }];
}

const NO_RULE: NftRule = { expr: [] };

/** The packets that pass a chain, where not all of its hook do. */
function onlyFor({ family }: NftTable, { hook, devices }: NftBase): Predicate | undefined {
  if (family === 'bridge') return pure('the packet passes a bridge');
  if (hook !== 'ingress' && hook !== 'egress') return undefined;
  return devices === undefined
    ? pure(`the device of the ${hook} chain, which nft does not print`)
    : onDevices(hook === 'ingress' ? 'in' : 'out', devices);
}

/** A bridge has its own hooks, before and after those of the host; what it forwards itself is not routed. */
function bridgeHooks({ hook }: NftBase, base: BaseChain): readonly BaseChain[] {
  if (hook === 'prerouting' || hook === 'input' || hook === 'ingress') return [{ ...base, hook: 'ingress' }];
  return hook === 'output' || hook === 'postrouting' ? [{ ...base, hook: 'egress' }] : [];
}

/** Between the name of a chain and which of its forms it is. */
const SEPARATOR = '\u0000';

/** The name of a chain as nft has it. */
export const nativeName = (name: string): string => name.split(SEPARATOR)[0] ?? name;

/** Compiles a chain, and those that it calls, for one call site; returns the name of this form of it. */
function compileChain(state: TableState, name: string, context: NativeContext): string {
  const form = `${name}${SEPARATOR}${context.site}${context.untracked ? ' untracked' : ''}`;
  if (state.done.has(form)) return form;
  const chain = state.byName.get(name);
  const table = nameOf(state.table);
  const policy = chain?.base && (chain.base.policy === 'drop' ? 'DROP' : 'ACCEPT');
  // Chains may not call one another in a circle; here they must only terminate.
  state.done.set(form, { table, name: form, policy, rules: [] });
  const rules = (chain?.rules ?? []).flatMap((rule, index) =>
    compileRule({ state, context, chain: name, number: index + 1, rule, form }),
  );
  state.done.set(form, { table, name: form, policy, rules });
  return form;
}

interface RuleState {
  readonly state: TableState;
  readonly context: NativeContext;
  readonly chain: string;
  readonly number: number;
  readonly rule: NftRule;
  readonly form: string;
}

const ruleOf = (
  { table }: TableState,
  chain: string,
  number: number,
  rule: NftRule,
  match: Predicate,
  action: Action,
): CompiledRule => ({
  table: nameOf(table),
  chain,
  number,
  spec: { text: ruleText(rule), matches: [], comment: rule.comment },
  match,
  action,
});

const compileRule = (input: RuleState): readonly CompiledRule[] =>
  compileFrom(input, input.rule.expr, 0, ALWAYS);

/** The statements from `from` on, as rules for packets that match what came before. */
function compileFrom(
  input: RuleState,
  expr: readonly Json[],
  from: number,
  before: Predicate,
): readonly CompiledRule[] {
  const { state, context } = input;
  let match = before;
  for (let index = from; index < expr.length; index++) {
    const statement = expr[index] as Json;
    const { match: condition, vmap } = objectOf(statement);
    if (condition !== undefined) match = all(match, readNativeMatch(condition, context));
    else if (vmap !== undefined) return compileMap(input, match, vmap);
    else if (looksUp(statement)) return compileLookup(input, match, expr, index);
    else {
      const read = readStatement(statement, context);
      if (read.kind === 'condition') match = all(match, stateful(read.text));
      else if (read.kind === 'nothing') state.altersPackets ||= read.alters;
      else return act(input, match, read, expr, index);
    }
  }
  return [ruleFor(input, match, { kind: 'continue' })];
}

const ruleFor = ({ state, chain, number, rule }: RuleState, match: Predicate, action: Action): CompiledRule =>
  ruleOf(state, chain, number, rule, match, action);

/** An action, and what comes behind it. */
function act(
  input: RuleState,
  match: Predicate,
  { action, goesOn }: Extract<Statement, { kind: 'action' }>,
  expr: readonly Json[],
  index: number,
): readonly CompiledRule[] {
  const resolved = resolve(input, action);
  const first = ruleFor(input, match, resolved);
  if (!goesOn || index === expr.length - 1) return [first];
  if (isStable(match, action)) return [first, ...compileFrom(input, expr, index + 1, match)];
  const rest = compileFrom(input, expr, index + 1, ALWAYS);
  // A chain of its own would return to another rule.
  if (rest.some((each) => each.action.kind === 'return' || (each.action.kind === 'call' && each.action.goto)))
    return [ruleFor(input, match, anything(ruleText(input.rule)))];
  return inChain(input, match, `${index}`, [ruleFor(input, ALWAYS, resolved), ...rest]);
}

/** Whether a packet that matches does so again after the action. */
const isStable = (match: Predicate, action: Action): boolean =>
  leaves(match).every((leaf) =>
    leaf.kind === 'field'
      ? action.kind !== 'untrack' || leaf.field !== 'state'
      : leaf.kind === 'unknown' && leaf.pure,
  );

/** Rules for the packets that match, which are asked once. */
function inChain(
  input: RuleState,
  match: Predicate,
  suffix: string,
  rules: readonly CompiledRule[],
): readonly CompiledRule[] {
  const { state, form, number } = input;
  const name = `${form}${SEPARATOR}${number} ${suffix}`;
  state.done.set(name, { table: nameOf(state.table), name, rules });
  return [ruleFor(input, match, { kind: 'call', chain: name, goto: false })];
}

/** A call is of the form of the chain for the same call site. */
const resolve = ({ state, context }: RuleState, action: Action): Action =>
  action.kind === 'call' ? { ...action, chain: compileChain(state, action.chain, context) } : action;

/** Keys with the same value, in the order of the map; `*` stands for all others, and comes last. */
interface Entry {
  readonly keys: readonly Json[];
  readonly value: Json;
}

function entriesOf(data: Json | undefined, context: NativeContext): readonly Entry[] | undefined {
  const named = setOf(data, context);
  if (named === 'missing' || named?.dynamic === true) return undefined;
  const pairs = named?.elements ?? listOf(objectOf(data).set);
  const groups = new Map<string, { readonly keys: Json[]; readonly value: Json }>();
  for (const pair of pairs) {
    const [key = null, value = null] = listOf(pair);
    const text = `${key === '*' ? '*' : ''}${JSON.stringify(value)}`;
    const group = groups.get(text);
    if (group === undefined) groups.set(text, { keys: [key], value });
    else group.keys.push(key);
  }
  return [...groups.values()].sort((a, b) => Number(a.keys.includes('*')) - Number(b.keys.includes('*')));
}

/** A verdict map: a rule for each verdict. */
function compileMap(input: RuleState, match: Predicate, vmap: Json): readonly CompiledRule[] {
  const { key, data } = objectOf(vmap);
  return compileEntries(input, match, key, data, (verdict) => {
    const read = readStatement(verdict, input.context);
    return read.kind === 'action' ? resolve(input, read.action) : undefined;
  });
}

/** A rule for each distinct value of a map, with the action that the value stands for. Of the keys one at most matches. */
function compileEntries(
  input: RuleState,
  match: Predicate,
  key: Json | undefined,
  data: Json | undefined,
  actionOf: (value: Json) => Action | undefined,
): readonly CompiledRule[] {
  const entries = entriesOf(data, input.context);
  if (entries === undefined)
    return [ruleFor(input, match, anything(`${valueText(key)} in ${valueText(data)}`))];
  const operand = operandOf(key, input.context);
  const covered = entries.reduce((sum, { keys }) => sum + keys.length, 0);
  return entries.flatMap(({ keys, value }, position) => {
    const action = actionOf(value);
    if (action === undefined) return [];
    const left = operand.kind === 'choice' && covered === operand.count && position === entries.length - 1;
    return [ruleFor(input, all(match, left ? ALWAYS : entryMatch(input, key, keys, operand)), action)];
  });
}

function entryMatch(
  { context }: RuleState,
  key: Json | undefined,
  keys: readonly Json[],
  operand: Operand,
): Predicate {
  if (keys.includes('*')) return ALWAYS;
  return operand.kind === 'choice'
    ? stateful(`${operand.text} is ${keys.map(valueText).join(', ')}`)
    : keyPredicate(key, keys, context);
}

const anything = (text: string): Action => ({
  kind: 'external',
  continues: stateful(`${text}: continues`),
  accepts: stateful(`${text}: accepts`),
});

/** Whether a statement takes an address, a port or a mark from a map. */
function looksUp(statement: Json): boolean {
  const [[, of] = []] = Object.entries(objectOf(statement));
  const { addr, port, value } = objectOf(of);
  return isMap(addr) || isMap(port) || isMap(value);
}

/** `dnat to tcp dport map { … }`: a rule for each value. Two maps in one statement are not understood. */
function compileLookup(
  input: RuleState,
  match: Predicate,
  expr: readonly Json[],
  index: number,
): readonly CompiledRule[] {
  const [[kind = '', of] = []] = Object.entries(objectOf(expr[index]));
  const parts = objectOf(of);
  const mapped = (['addr', 'port', 'value'] as const).filter((name) => isMap(parts[name]));
  const [name, second] = mapped;
  const rest = index < expr.length - 1;
  if (name === undefined || second !== undefined || rest)
    return [ruleFor(input, match, anything(valueText(of as Json)))];
  const { key, data } = objectOf(objectOf(parts[name]).map);
  return compileEntries(input, match, key, data, (value) => {
    const read = readStatement({ [kind]: { ...parts, ...partsOf(name, value) } }, input.context);
    return read.kind === 'action' ? read.action : undefined;
  });
}

/** A value may be an address and a port. */
function partsOf(name: 'addr' | 'port' | 'value', value: Json): { readonly [key: string]: Json } {
  const [address, port] = listOf(objectOf(value).concat);
  return address === undefined || port === undefined ? { [name]: value } : { addr: address, port };
}
