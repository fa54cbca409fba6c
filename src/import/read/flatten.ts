/** The rules that a built-in chain leads through, one after the other, without the chains between them. */
import { isOwned } from '../../compile/names.js';
import { programOfChain, programOfRule } from '../../compile/programs.js';
import { chainOf, isEntryJump } from '../../compile/tables.js';
import type { Family } from '../../lib/family.js';
import type { Chain, IpSet, Rule, Table } from '../../netfilter/model.js';
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

/** Where a statement comes from. */
export interface Origin {
  readonly family: Family;
  readonly table: Table['name'];
  readonly chain: string;
  /** From 1. */
  readonly number: number;
  readonly rule: Rule;
}

/** One rule of a built-in chain, or all that its jump leads to. */
export interface ChainItem {
  readonly origin: Origin;
  /** The rule of the built-in chain; `origin` may stand in a chain behind it. */
  readonly top: Origin;
  /** As the policy says it. */
  readonly statement?: Statement | NatStatement;
  /** As literal rules. */
  readonly literal?: readonly LiteralRule[];
  /** From behind the hook of an owned chain. */
  readonly owned: boolean;
  /** Nobody's but this program's. */
  readonly program?: string;
  /** Why its chain stays on the host and the literal rule jumps to it. */
  readonly keptReason?: string;
  /** Of a table that is left as it is. */
  readonly leftInPlace?: true;
  readonly logs?: Logs;
}

/** Where the verdict is the same and the log is not: a log beside the verdict is left, or a limit before the log. */
export type Logs = 'less' | 'more';

/** A literal rule. */
export interface LiteralRule {
  readonly rule: Rule;
  readonly origin: Origin;
}

/** One statement behind a jump. */
interface FlatItem {
  readonly origin: Origin;
  readonly statement?: Statement | NatStatement;
  readonly literal?: readonly LiteralRule[];
  readonly logs?: Logs;
}

export interface FlattenContext {
  readonly family: Family;
  readonly table: Table;
  readonly sets: ReadonlyMap<string, IpSet>;
  /** Rules that no packet can match and that not every iptables takes: `! -s 0.0.0.0/0`. */
  readonly never: ReadonlySet<Rule>;
}

/** More than this is no ruleset that anyone wants to read, or a chain that doubles with every rule. */
const MAX_RULES = 20_000;
/** Chains behind chains. */
const MAX_DEPTH = 64;

/** The statements of a built-in chain, in their order. */
export function itemsOf(chain: Chain, context: FlattenContext): readonly ChainItem[] {
  const { family, table } = context;
  return chain.rules.flatMap((rule, index): readonly ChainItem[] => {
    const origin: Origin = { family, table: table.name, chain: chain.name, number: index + 1, rule };
    const base = { origin, top: origin, owned: isEntryJump(rule) };
    const program = programBehind(chain.name, rule, table);
    if (program !== undefined) return [{ ...base, program }];
    const pieces = flatten(rule, origin, chain, context);
    // Each rule behind a jump is a statement of its own.
    if (typeof pieces !== 'string') return pieces.map((piece) => ({ ...base, ...piece }));
    return isOwned(rule.target?.name ?? '')
      ? [base]
      : [{ ...base, literal: [{ rule, origin }], keptReason: pieces }];
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
 * The program that keeps the rule. What an administrator lets in on a program's interface is the administrator's: in
 * INPUT and OUTPUT the interface alone tells nothing.
 */
function programBehind(chain: string, rule: Rule, table: Table): string | undefined {
  const program = programOfRule(chain, rule);
  const everywhere = table.name !== 'filter' || chain === 'FORWARD';
  if (program === undefined || everywhere) return program;
  const { inInterface, outInterface, ...rest } = rule;
  return programOfRule(chain, rest);
}

/** Targets that change what {@link isChangeable} asks for. */
const isChanging = ({ target }: Rule): boolean =>
  target !== undefined && /^(MARK|CONNMARK|DSCP|TOS|TTL|HL|ECN|SET)$/.test(target.name);

interface FlattenState extends FlattenContext {
  readonly builtIn: Chain;
  readonly items: FlatItem[];
  readonly callPath: readonly string[];
}

/** Why a chain cannot be written without its jumps. */
class NotExpressible extends Error {}

function flatten(
  rule: Rule,
  origin: Origin,
  builtIn: Chain,
  context: FlattenContext,
): readonly FlatItem[] | string {
  const found: FlatItem[] = [];
  try {
    flattenRule([], rule, origin, { ...context, builtIn, items: found, callPath: [] });
    return found;
  } catch (thrown) {
    if (thrown instanceof NotExpressible) return thrown.message;
    throw thrown;
  }
}

/** One rule under the conditions of the jumps that lead to it. What of these conditions goes on to the next rule. */
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
  if (target?.name === 'RETURN' && !target.chain) {
    if (origin.chain === state.builtIn.name) addRule(under, returnAsPolicy(rule, state), origin, state);
    return origin.chain === state.builtIn.name ? [under] : excluding(under, own, state.family);
  }
  // What is no chain is a target, perhaps one that others have made.
  if (target === undefined || chain === undefined) {
    addRule(under, rule, origin, state);
    return [under];
  }
  if (!isOwned(target.name) && isSharedCount(target.name, state))
    throw new NotExpressible('it counts packets, and is entered from several places');
  const whole = jumpStatement(under, rule, origin, state);
  if (whole !== undefined) {
    state.items.push(whole);
    return [under];
  }
  const inner = conjunction(under, own, state.family);
  if (inner === 'unsayable') throw new NotExpressible('iptables cannot ask for both in one rule');
  if (programOfChain(chain.name) !== undefined) throw new NotExpressible(`it leads into ${chain.name}`);
  if (inner !== 'never') flattenChain(inner, chain, state);
  if (!target.goto) return [under];
  if (origin.chain === state.builtIn.name) {
    if (!endsWithVerdict(chain)) throw new NotExpressible('what comes back from a goto meets the policy');
    return [under];
  }
  return excluding(under, own, state.family);
}

const isLog = ({ target }: Rule): boolean => /^(LOG|NFLOG)$/.test(target?.name ?? '');

/** A log that is limited decides nothing, and may be limited twice. */
const decidesByCount = (rule: Rule, family: Family): boolean =>
  !isLog(rule) && conditionsOf(rule, family).some(isCounting);

/** A limit can leave nothing but packets out of a log: it decides nothing, and is let go where it has no words. */
const isRateLimit = ({ match }: Condition): boolean => match === 'limit' || match === 'hashlimit';

/** A chain that decides nothing. */
const onlyLogs = ({ rules }: Chain): boolean =>
  rules.some(isLog) &&
  rules.every((rule) => isLog(rule) || (rule.target?.name === 'RETURN' && !rule.target.chain));

/** Whether several rules lead to a chain that keeps one count for all of them. */
function isSharedCount(name: string, { table, family }: FlattenState): boolean {
  const entries = table.chains.flatMap(({ rules }) =>
    rules.filter(({ target }) => target?.chain && target.name === name),
  );
  const chain = chainOf(table, name);
  return (
    entries.length > 1 &&
    chain !== undefined &&
    !onlyLogs(chain) &&
    chain.rules.some((rule) => decidesByCount(rule, family))
  );
}

/** A jump that is one statement, if there is one; as literal rules where it can be. */
function jumpStatement(
  under: readonly Condition[],
  rule: Rule,
  origin: Origin,
  state: FlattenState,
): FlatItem | undefined {
  const head = under.length === 0 ? rule : conjoined(under, rule, origin, state);
  const statement = head && translateJump(head, state.builtIn.name, state);
  if (head === undefined || statement === undefined) return undefined;
  const chain = chainOf(state.table, head.target?.name ?? '');
  const inside: FlattenState = { ...state, items: [] };
  try {
    if (chain !== undefined) flattenChain(conditionsOf(head, state.family), chain, inside);
  } catch (thrown) {
    if (thrown instanceof NotExpressible) return { origin, statement };
    throw thrown;
  }
  return { origin, statement, literal: inside.items.flatMap(({ literal = [] }) => literal) };
}

const endsWithVerdict = ({ rules }: Chain): boolean => {
  const last = rules.at(-1);
  return (
    /^(ACCEPT|DROP|REJECT)$/.test(last?.target?.name ?? '') && conditionsOf(last as Rule, 'v4').length === 0
  );
};

function flattenChain(under: readonly Condition[], chain: Chain, state: FlattenState): void {
  if (state.callPath.includes(chain.name)) throw new NotExpressible('its chains lead back to themselves');
  if (state.callPath.length > MAX_DEPTH) throw new NotExpressible('its chains lead too deep');
  const before = state.items.length;
  const logs = onlyLogs(chain);
  const isLetGo = (rule: Rule): boolean =>
    logs && !isLog(rule) && conditionsOf(rule, state.family).some(isRateLimit);
  let contexts: readonly (readonly Condition[])[] = [under];
  for (const [index, rule] of chain.rules.entries()) {
    if (isLetGo(rule)) continue;
    const origin: Origin = {
      family: state.family,
      table: state.table.name,
      chain: chain.name,
      number: index + 1,
      rule,
    };
    const inside = { ...state, callPath: [...state.callPath, chain.name] };
    if (contexts.length > 1 && decidesByCount(rule, state.family))
      throw new NotExpressible('a rule in it counts packets, and would be asked in several places');
    contexts = contexts.flatMap((context) => flattenRule(context, rule, origin, inside));
    if (state.items.length > MAX_RULES || contexts.length > 64)
      throw new NotExpressible('it would be too many rules');
  }
  if (chain.rules.some(isLetGo))
    for (const [index, piece] of state.items.entries())
      if (index >= before) state.items[index] = { ...piece, logs: 'more' };
  if (under.some(isCounting)) keepOneCounter(state.items, before);
  const changes = state.items
    .slice(before)
    .some(({ literal = [] }) => literal.some(({ rule }) => isChanging(rule)));
  if (changes && contexts.concat([under]).some((context) => context.some(isChangeable)))
    throw new NotExpressible('its jump asks for what a rule behind it changes');
}

/** What a jump that counts leads to must be one rule; logs beside the one that decides are let go. */
function keepOneCounter(found: FlatItem[], from: number): void {
  const pieces = found.slice(from);
  if (pieces.length < 2) return;
  const deciding = pieces.filter(({ literal = [] }) => !literal.every(({ rule }) => isLog(rule)));
  const [one, ...more] = deciding.length === 0 ? pieces.slice(0, 1) : deciding;
  if (one === undefined || more.length > 0)
    throw new NotExpressible('its jump counts packets, and may do so once only');
  found.splice(from, pieces.length, { ...one, logs: 'less' });
}

/** The packets of `under` that do not fit all of `own`, as alternatives that have no packet in common. */
function excluding(
  under: readonly Condition[],
  own: readonly Condition[],
  family: Family,
): readonly (readonly Condition[])[] {
  const left: (readonly Condition[])[] = [];
  let fitting: readonly Condition[] = under;
  for (const condition of own) {
    const other = negated(condition);
    if (other === undefined)
      throw new NotExpressible(`iptables has no words for the opposite of ${conditionsText([condition])}`);
    const rest = conjunction(fitting, [other], family);
    if (rest === 'unsayable') throw new NotExpressible('iptables cannot ask for both in one rule');
    if (rest !== 'never') left.push(rest);
    const next = conjunction(fitting, [condition], family);
    if (next === 'never') return left;
    if (next === 'unsayable') throw new NotExpressible('iptables cannot ask for both in one rule');
    fitting = next;
  }
  return left;
}

function returnAsPolicy(rule: Rule, { builtIn }: FlattenState): Rule {
  const name = builtIn.policy ?? 'ACCEPT';
  return {
    ...rule,
    text: rule.text.replace(/-j RETURN$/, `-j ${name}`),
    target: { name, options: [], known: true, goto: false, chain: false },
  };
}

function addRule(under: readonly Condition[], rule: Rule, origin: Origin, state: FlattenState): void {
  // A log that has a limit needs no other.
  const limited = isLog(rule) && conditionsOf(rule, state.family).some(isRateLimit);
  const criteria = limited ? under.filter((condition) => !isRateLimit(condition)) : under;
  const flat = criteria.length === 0 ? rule : conjoined(criteria, rule, origin, state);
  if (flat === undefined) return;
  const statement = statementOf(flat, state.builtIn.name, state);
  state.items.push({
    origin,
    ...(statement === undefined ? {} : { statement }),
    literal: [{ rule: flat, origin }],
    ...(criteria.length < under.length ? { logs: 'more' } : {}),
  });
}

function conjoined(
  under: readonly Condition[],
  rule: Rule,
  origin: Origin,
  { family, table, builtIn }: FlattenState,
): Rule | undefined {
  const criteria = conjunction(under, conditionsOf(rule, family), family);
  const all = typeof criteria === 'string' ? criteria : possibleIn(criteria, builtIn.name);
  if (all === 'never') return undefined;
  if (all === 'unsayable') throw new NotExpressible('iptables cannot ask for both in one rule');
  const text = `${conditionsText(all)} ${endingText(rule)}`;
  const location = rule.location ?? { kind: 'host', file: origin.chain, line: origin.number, column: 1 };
  const parsed = parseRules(text, { family, table: table.name, chain: builtIn.name, location });
  const [one, ...more] = parsed.ok ? parsed.value : [];
  if (one === undefined || more.length > 0)
    throw new NotExpressible('iptables cannot ask for both in one rule');
  return one;
}
