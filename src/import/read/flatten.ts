/** Flattens a built-in chain: its rules and those of the chains that it jumps to, in order, as rules of its own. */
import { isEntryJump, isOwned } from '../../compile/names.js';
import { programOfChain, programOfRule } from '../../compile/programs.js';
import type { Family } from '../../lib/family.js';
import type { Chain, IpSet, Rule, Table } from '../../netfilter/model.js';
import { chainOf } from '../../netfilter/tables.js';
import { parseRules } from '../../netfilter/text/parse.js';
import {
  type Condition,
  conditionsOf,
  conditionsText,
  conjunction,
  endingText,
  isChangeable,
  isCounting,
  negated,
  possibleIn,
} from './conditions.js';
import { translateJump } from './jumps.js';
import type { NatStatement, Statement } from './statement.js';
import { translate, translateNat } from './translate.js';

/** The rule that a statement comes from. */
export interface Origin {
  readonly family: Family;
  readonly table: Table['name'];
  readonly chain: string;
  /** From 1. */
  readonly number: number;
  readonly rule: Rule;
}

/** One statement, as the policy expresses it and as literal rules. */
interface FlatItem {
  readonly origin: Origin;
  readonly statement?: Statement | NatStatement;
  readonly literal?: readonly LiteralRule[];
  readonly logs?: LogChange;
}

/** A rule of a built-in chain, or one of those that its jump leads to. */
export interface ChainItem extends FlatItem {
  /** The rule of the built-in chain; `origin` may be in a chain that it jumps to. */
  readonly top: Origin;
  /** Reached through the entry jump of an owned chain. */
  readonly owned: boolean;
  /** The program that manages the rule; the item then has no statement. */
  readonly program?: string;
  /** Why its chain stays on the host, with a literal rule that jumps to it. */
  readonly keptReason?: string;
  /** In a table that is not imported. */
  readonly leftInPlace?: true;
}

/** The verdict is the same and less or more is logged: a log before a verdict is dropped, or the limit of a log. */
export type LogChange = 'less' | 'more';

export interface LiteralRule {
  readonly rule: Rule;
  readonly origin: Origin;
}

export interface FlattenContext {
  readonly family: Family;
  readonly table: Table;
  readonly sets: ReadonlyMap<string, IpSet>;
  /** Rules that no packet can match and that iptables-nft refuses: `! -s 0.0.0.0/0`. */
  readonly never: ReadonlySet<Rule>;
}

/** Stops at rulesets in which every rule doubles the number of rules. */
const MAX_RULES = 20_000;
/** Nested chains. */
const MAX_DEPTH = 64;
/** Alternatives of what one chain passes on. */
const MAX_ALTERNATIVES = 64;

const originOf = (chain: string, index: number, rule: Rule, { family, table }: FlattenContext): Origin => ({
  family,
  table: table.name,
  chain,
  number: index + 1,
  rule,
});

/** The statements of a built-in chain, in order. */
export function itemsOf(chain: Chain, context: FlattenContext): readonly ChainItem[] {
  return chain.rules.flatMap((rule, index): readonly ChainItem[] => {
    const origin = originOf(chain.name, index, rule, context);
    const base = { origin, top: origin, owned: isEntryJump(rule) };
    const program = managingProgram(chain.name, rule, context.table);
    if (program !== undefined) return [{ ...base, program }];
    const flat = itemsOrReason((items) => {
      flattenRule([], rule, origin, { ...context, builtIn: chain, items, callPath: [] });
    });
    if (typeof flat !== 'string') return flat.map((item) => ({ ...base, ...item }));
    return isOwned(rule.target?.name ?? '')
      ? [base]
      : [{ ...base, literal: [{ rule, origin }], keptReason: flat }];
  });
}

function statementOf(
  rule: Rule,
  chain: string,
  { family, table, sets }: FlattenContext,
): Statement | NatStatement | undefined {
  if (table.name === 'filter') return translate(rule, chain, { family, sets });
  return table.name === 'nat' ? translateNat(rule, chain, { family, sets }) : undefined;
}

/**
 * The program that manages the rule. In INPUT and OUTPUT an interface of a program is not enough: what administrators
 * allow on it is theirs.
 */
function managingProgram(chain: string, rule: Rule, table: Table): string | undefined {
  const program = programOfRule(chain, rule);
  if (program === undefined || table.name !== 'filter' || chain === 'FORWARD') return program;
  return programOfRule(chain, { ...rule, inInterface: undefined, outInterface: undefined });
}

/** Whether a rule changes what {@link isChangeable} conditions test. */
const isChanging = ({ target }: Rule): boolean =>
  target !== undefined && /^(MARK|CONNMARK|DSCP|TOS|TTL|HL|ECN|SET)$/.test(target.name);

interface FlattenState extends FlattenContext {
  readonly builtIn: Chain;
  /** The result so far. */
  readonly items: FlatItem[];
  /** The chains that lead to the current rule. */
  readonly callPath: readonly string[];
}

/** The message says why a chain cannot be written without its jumps. */
class NotExpressible extends Error {}

function itemsOrReason(flatten: (items: FlatItem[]) => void): readonly FlatItem[] | string {
  const items: FlatItem[] = [];
  try {
    flatten(items);
    return items;
  } catch (thrown) {
    if (thrown instanceof NotExpressible) return thrown.message;
    throw thrown;
  }
}

/** All conditions in one rule. */
function inOneRule(
  a: readonly Condition[],
  b: readonly Condition[],
  family: Family,
): readonly Condition[] | 'never' {
  const all = conjunction(a, b, family);
  if (all === 'not-expressible') throw new NotExpressible('one rule cannot test all of its conditions');
  return all;
}

/**
 * Flattens one rule.
 * @param under the conditions of the jumps that lead to it
 * @returns the packets that go on to the next rule, as alternatives
 */
function flattenRule(
  under: readonly Condition[],
  rule: Rule,
  origin: Origin,
  state: FlattenState,
): readonly (readonly Condition[])[] {
  if (state.never.has(rule)) return [under];
  const own = conditionsOf(rule, state.family);
  const { target } = rule;
  const chain = target?.chain ? chainOf(state.table, target.name) : undefined;
  const inBuiltIn = origin.chain === state.builtIn.name;
  if (target?.name === 'RETURN' && !target.chain) {
    if (!inBuiltIn) return notMatching(under, own, state.family);
    addRule(under, returnAsPolicy(rule, state), origin, state);
    return [under];
  }
  // A target that is neither known nor a chain may be an extension of this host.
  if (target === undefined || chain === undefined) {
    addRule(under, rule, origin, state);
    return [under];
  }
  if (!isOwned(target.name) && isSharedCount(target.name, state))
    throw new NotExpressible('it counts packets, and several rules jump to it');
  const whole = jumpItem(under, rule, origin, state);
  if (whole !== undefined) {
    state.items.push(whole);
    return [under];
  }
  const inner = inOneRule(under, own, state.family);
  if (programOfChain(chain.name) !== undefined) throw new NotExpressible(`it jumps to ${chain.name}`);
  if (inner !== 'never') flattenChain(inner, chain, state);
  if (!target.goto) return [under];
  if (!inBuiltIn) return notMatching(under, own, state.family);
  if (!endsWithVerdict(chain))
    throw new NotExpressible('it is reached by a goto, after which the policy of the built-in chain decides');
  return [under];
}

const isLog = ({ target }: Rule): boolean => /^(LOG|NFLOG)$/.test(target?.name ?? '');

/** A log with a limit decides nothing, and may have a second limit. */
const decidesByCount = (rule: Rule, family: Family): boolean =>
  !isLog(rule) && conditionsOf(rule, family).some(isCounting);

/** A limit of a log only reduces what is logged: it is dropped if the policy cannot express it. */
const isRateLimit = ({ match }: Condition): boolean => match === 'limit' || match === 'hashlimit';

/** Whether a chain decides nothing. */
const onlyLogs = ({ rules }: Chain): boolean =>
  rules.some(isLog) &&
  rules.every((rule) => isLog(rule) || (rule.target?.name === 'RETURN' && !rule.target.chain));

/** Whether several rules jump to a chain that has one counter for all of them. */
function isSharedCount(name: string, { table, family }: FlattenState): boolean {
  const jumps = table.chains.flatMap(({ rules }) =>
    rules.filter(({ target }) => target?.chain && target.name === name),
  );
  const chain = chainOf(table, name);
  return (
    jumps.length > 1 &&
    chain !== undefined &&
    !onlyLogs(chain) &&
    chain.rules.some((rule) => decidesByCount(rule, family))
  );
}

/** A jump that is one statement; with its literal rules if there are some. */
function jumpItem(
  under: readonly Condition[],
  rule: Rule,
  origin: Origin,
  state: FlattenState,
): FlatItem | undefined {
  const head = under.length === 0 ? rule : combinedRule(under, rule, origin, state);
  const statement = head && translateJump(head, state.builtIn.name, state);
  if (head === undefined || statement === undefined) return undefined;
  const chain = chainOf(state.table, head.target?.name ?? '');
  const inside = itemsOrReason((items) => {
    if (chain !== undefined) flattenChain(conditionsOf(head, state.family), chain, { ...state, items });
  });
  return typeof inside === 'string'
    ? { origin, statement }
    : { origin, statement, literal: inside.flatMap(({ literal = [] }) => literal) };
}

function endsWithVerdict({ rules }: Chain): boolean {
  const last = rules.at(-1);
  return (
    last !== undefined &&
    /^(ACCEPT|DROP|REJECT)$/.test(last.target?.name ?? '') &&
    conditionsOf(last, 'v4').length === 0
  );
}

function flattenChain(under: readonly Condition[], chain: Chain, state: FlattenState): void {
  const { items, callPath, family } = state;
  if (callPath.includes(chain.name)) throw new NotExpressible('its chains form a loop');
  if (callPath.length > MAX_DEPTH) throw new NotExpressible('its chains are nested too deep');
  const before = items.length;
  const logs = onlyLogs(chain);
  const isDropped = (rule: Rule): boolean =>
    logs && !isLog(rule) && conditionsOf(rule, family).some(isRateLimit);
  const inside = { ...state, callPath: [...callPath, chain.name] };
  let contexts: readonly (readonly Condition[])[] = [under];
  for (const [index, rule] of chain.rules.entries()) {
    if (isDropped(rule)) continue;
    const origin = originOf(chain.name, index, rule, state);
    if (contexts.length > 1 && decidesByCount(rule, family))
      throw new NotExpressible('a rule in it counts packets, and would be needed several times');
    contexts = contexts.flatMap((context) => flattenRule(context, rule, origin, inside));
    if (items.length > MAX_RULES || contexts.length > MAX_ALTERNATIVES)
      throw new NotExpressible('it would become too many rules');
  }
  if (chain.rules.some(isDropped))
    for (const [index, item] of items.entries())
      if (index >= before) items[index] = { ...item, logs: 'more' };
  if (under.some(isCounting)) keepOneCounter(items, before);
  const changes = items
    .slice(before)
    .some(({ literal = [] }) => literal.some(({ rule }) => isChanging(rule)));
  if (changes && contexts.concat([under]).some((context) => context.some(isChangeable)))
    throw new NotExpressible('its jump tests what a rule in it changes');
}

/** After a jump that counts, only one rule may repeat the counter; logs beside the one that decides are dropped. */
function keepOneCounter(items: FlatItem[], from: number): void {
  const added = items.slice(from);
  if (added.length < 2) return;
  const deciding = added.filter(({ literal = [] }) => !literal.every(({ rule }) => isLog(rule)));
  const [one, ...more] = deciding.length === 0 ? added.slice(0, 1) : deciding;
  if (one === undefined || more.length > 0)
    throw new NotExpressible('its jump counts packets, and would be needed several times');
  items.splice(from, added.length, { ...one, logs: 'less' });
}

/** The packets of `under` that do not match all of `own`, as alternatives without common packets. */
function notMatching(
  under: readonly Condition[],
  own: readonly Condition[],
  family: Family,
): readonly (readonly Condition[])[] {
  const alternatives: (readonly Condition[])[] = [];
  let matching: readonly Condition[] = under;
  for (const condition of own) {
    const opposite = negated(condition);
    if (opposite === undefined)
      throw new NotExpressible(`iptables cannot negate "${conditionsText([condition])}"`);
    const rest = inOneRule(matching, [opposite], family);
    if (rest !== 'never') alternatives.push(rest);
    const next = inOneRule(matching, [condition], family);
    if (next === 'never') return alternatives;
    matching = next;
  }
  return alternatives;
}

/** A RETURN in a built-in chain, as the verdict of its policy. */
function returnAsPolicy(rule: Rule, { builtIn }: FlattenState): Rule {
  const name = builtIn.policy ?? 'ACCEPT';
  return {
    ...rule,
    text: rule.text.replace(/-j RETURN$/, `-j ${name}`),
    target: { name, options: [], known: true, goto: false, chain: false },
  };
}

function addRule(under: readonly Condition[], rule: Rule, origin: Origin, state: FlattenState): void {
  // A log with a limit of its own needs no second one.
  const limited = isLog(rule) && conditionsOf(rule, state.family).some(isRateLimit);
  const kept = limited ? under.filter((condition) => !isRateLimit(condition)) : under;
  const flat = kept.length === 0 ? rule : combinedRule(kept, rule, origin, state);
  if (flat === undefined) return;
  state.items.push({
    origin,
    statement: statementOf(flat, state.builtIn.name, state),
    literal: [{ rule: flat, origin }],
    logs: kept.length < under.length ? 'more' : undefined,
  });
}

/** A rule of the built-in chain with the conditions of `under` and of `rule`; `undefined` if no packet matches both. */
function combinedRule(
  under: readonly Condition[],
  rule: Rule,
  origin: Origin,
  { family, table, builtIn }: FlattenState,
): Rule | undefined {
  const both = inOneRule(under, conditionsOf(rule, family), family);
  const all = both === 'never' ? both : possibleIn(both, builtIn.name);
  if (all === 'never') return undefined;
  const text = `${conditionsText(all)} ${endingText(rule)}`;
  const location = rule.location ?? { kind: 'host', file: origin.chain, line: origin.number, column: 1 };
  const parsed = parseRules(text, { family, table: table.name, chain: builtIn.name, location });
  const [one, ...more] = parsed.ok ? parsed.value : [];
  if (one === undefined || more.length > 0)
    throw new NotExpressible('one rule cannot test all of its conditions');
  return one;
}
