/** The rules that a built-in chain leads through, one after the other, without the chains between them. */
import { isOwned } from '../../compile/names.js';
import { programOfChain, programOfRule } from '../../compile/programs.js';
import { chainOf, isEntryJump } from '../../compile/tables.js';
import type { Family } from '../../lib/family.js';
import type { Chain, IpSet, Rule, Table } from '../../netfilter/model.js';
import { parseRules } from '../../netfilter/text/parse.js';
import {
  both,
  type Condition,
  conditionsOf,
  conditionsText,
  counts,
  endingText,
  isChangeable,
  opposite,
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
export interface Item {
  readonly origin: Origin;
  /** The rule of the built-in chain; `origin` may stand in a chain behind it. */
  readonly top: Origin;
  /** As the policy says it. */
  readonly said?: Statement | NatStatement;
  /** As literal rules. */
  readonly literal?: readonly Flat[];
  /** From behind the hook of an owned chain. */
  readonly owned: boolean;
  /** Nobody's but this program's. */
  readonly program?: string;
  /** Why its chain stays on the host and the literal rule jumps to it. */
  readonly stays?: string;
  /** Of a table that is left as it is. */
  readonly aside?: true;
  readonly logs?: Logs;
}

/** Where the verdict is the same and the log is not: a log beside the verdict is left, or a limit before the log. */
export type Logs = 'less' | 'more';

/** A literal rule. */
export interface Flat {
  readonly rule: Rule;
  readonly origin: Origin;
}

/** One statement behind a jump. */
interface Piece {
  readonly origin: Origin;
  readonly said?: Statement | NatStatement;
  readonly literal?: readonly Flat[];
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
const MOST_RULES = 20_000;
/** Chains behind chains. */
const MOST_DEEP = 64;

/** The statements of a built-in chain, in their order. */
export function itemsOf(chain: Chain, context: FlattenContext): readonly Item[] {
  const { family, table } = context;
  return chain.rules.flatMap((rule, index): readonly Item[] => {
    const origin: Origin = { family, table: table.name, chain: chain.name, number: index + 1, rule };
    const base = { origin, top: origin, owned: isEntryJump(rule) };
    const program = programBehind(chain.name, rule, table);
    if (program !== undefined) return [{ ...base, program }];
    const pieces = flatten(rule, origin, chain, context);
    // Each rule behind a jump is a statement of its own.
    if (typeof pieces !== 'string') return pieces.map((piece) => ({ ...base, ...piece }));
    return isOwned(rule.target?.name ?? '')
      ? [base]
      : [{ ...base, literal: [{ rule, origin }], stays: pieces }];
  });
}

function saidOf(
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

interface Walk extends FlattenContext {
  readonly builtIn: Chain;
  readonly found: Piece[];
  readonly open: readonly string[];
}

/** Why a chain cannot be written without its jumps. */
class Unsayable extends Error {}

function flatten(
  rule: Rule,
  origin: Origin,
  builtIn: Chain,
  context: FlattenContext,
): readonly Piece[] | string {
  const found: Piece[] = [];
  try {
    step([], rule, origin, { ...context, builtIn, found, open: [] });
    return found;
  } catch (thrown) {
    if (thrown instanceof Unsayable) return thrown.message;
    throw thrown;
  }
}

/** One rule under the conditions of the jumps that lead to it. What of these conditions goes on to the next rule. */
function step(
  under: readonly Condition[],
  rule: Rule,
  origin: Origin,
  walk: Walk,
): readonly (readonly Condition[])[] {
  if (walk.never.has(rule)) return [under];
  const own = conditionsOf(rule, walk.family);
  const { target } = rule;
  const chain = target?.chain ? chainOf(walk.table, target.name) : undefined;
  if (target?.name === 'RETURN' && !target.chain) {
    if (origin.chain === walk.builtIn.name) emit(under, returnAsPolicy(rule, walk), origin, walk);
    return origin.chain === walk.builtIn.name ? [under] : without(under, own, walk.family);
  }
  // What is no chain is a target, perhaps one that others have made.
  if (target === undefined || chain === undefined) {
    emit(under, rule, origin, walk);
    return [under];
  }
  if (!isOwned(target.name) && isSharedCount(target.name, walk))
    throw new Unsayable('it counts packets, and is entered from several places');
  const whole = statement(under, rule, origin, walk);
  if (whole !== undefined) {
    walk.found.push(whole);
    return [under];
  }
  const inner = both(under, own, walk.family);
  if (inner === 'unsayable') throw new Unsayable('iptables cannot ask for both in one rule');
  if (programOfChain(chain.name) !== undefined) throw new Unsayable(`it leads into ${chain.name}`);
  if (inner !== 'never') enter(inner, chain, walk);
  if (!target.goto) return [under];
  if (origin.chain === walk.builtIn.name) {
    if (!endsHard(chain)) throw new Unsayable('what comes back from a goto meets the policy');
    return [under];
  }
  return without(under, own, walk.family);
}

const isLog = ({ target }: Rule): boolean => /^(LOG|NFLOG)$/.test(target?.name ?? '');

/** A log that is limited decides nothing, and may be limited twice. */
const decidesByCount = (rule: Rule, family: Family): boolean =>
  !isLog(rule) && conditionsOf(rule, family).some(counts);

/** A limit can leave nothing but packets out of a log: it decides nothing, and is let go where it has no words. */
const isPace = ({ match }: Condition): boolean => match === 'limit' || match === 'hashlimit';

/** A chain that decides nothing. */
const onlyLogs = ({ rules }: Chain): boolean =>
  rules.some(isLog) &&
  rules.every((rule) => isLog(rule) || (rule.target?.name === 'RETURN' && !rule.target.chain));

/** Whether several rules lead to a chain that keeps one count for all of them. */
function isSharedCount(name: string, { table, family }: Walk): boolean {
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
function statement(under: readonly Condition[], rule: Rule, origin: Origin, walk: Walk): Piece | undefined {
  const head = under.length === 0 ? rule : conjoined(under, rule, origin, walk);
  const said = head && translateJump(head, walk.builtIn.name, walk);
  if (head === undefined || said === undefined) return undefined;
  const chain = chainOf(walk.table, head.target?.name ?? '');
  const inside: Walk = { ...walk, found: [] };
  try {
    if (chain !== undefined) enter(conditionsOf(head, walk.family), chain, inside);
  } catch (thrown) {
    if (thrown instanceof Unsayable) return { origin, said };
    throw thrown;
  }
  return { origin, said, literal: inside.found.flatMap(({ literal = [] }) => literal) };
}

const endsHard = ({ rules }: Chain): boolean => {
  const last = rules.at(-1);
  return (
    /^(ACCEPT|DROP|REJECT)$/.test(last?.target?.name ?? '') && conditionsOf(last as Rule, 'v4').length === 0
  );
};

function enter(under: readonly Condition[], chain: Chain, walk: Walk): void {
  if (walk.open.includes(chain.name)) throw new Unsayable('its chains lead back to themselves');
  if (walk.open.length > MOST_DEEP) throw new Unsayable('its chains lead too deep');
  const before = walk.found.length;
  const logs = onlyLogs(chain);
  const isLetGo = (rule: Rule): boolean =>
    logs && !isLog(rule) && conditionsOf(rule, walk.family).some(isPace);
  let contexts: readonly (readonly Condition[])[] = [under];
  for (const [index, rule] of chain.rules.entries()) {
    if (isLetGo(rule)) continue;
    const origin: Origin = {
      family: walk.family,
      table: walk.table.name,
      chain: chain.name,
      number: index + 1,
      rule,
    };
    const inside = { ...walk, open: [...walk.open, chain.name] };
    if (contexts.length > 1 && decidesByCount(rule, walk.family))
      throw new Unsayable('a rule in it counts packets, and would be asked in several places');
    contexts = contexts.flatMap((context) => step(context, rule, origin, inside));
    if (walk.found.length > MOST_RULES || contexts.length > 64)
      throw new Unsayable('it would be too many rules');
  }
  if (chain.rules.some(isLetGo))
    for (const [index, piece] of walk.found.entries())
      if (index >= before) walk.found[index] = { ...piece, logs: 'more' };
  if (under.some(counts)) countOnce(walk.found, before);
  const changes = walk.found
    .slice(before)
    .some(({ literal = [] }) => literal.some(({ rule }) => isChanging(rule)));
  if (changes && contexts.concat([under]).some((context) => context.some(isChangeable)))
    throw new Unsayable('its jump asks for what a rule behind it changes');
}

/** What a jump that counts leads to must be one rule; logs beside the one that decides are let go. */
function countOnce(found: Piece[], from: number): void {
  const pieces = found.slice(from);
  if (pieces.length < 2) return;
  const deciding = pieces.filter(({ literal = [] }) => !literal.every(({ rule }) => isLog(rule)));
  const [one, ...more] = deciding.length === 0 ? pieces.slice(0, 1) : deciding;
  if (one === undefined || more.length > 0)
    throw new Unsayable('its jump counts packets, and may do so once only');
  found.splice(from, pieces.length, { ...one, logs: 'less' });
}

/** The packets of `under` that do not fit all of `own`, as alternatives that have no packet in common. */
function without(
  under: readonly Condition[],
  own: readonly Condition[],
  family: Family,
): readonly (readonly Condition[])[] {
  const left: (readonly Condition[])[] = [];
  let fitting: readonly Condition[] = under;
  for (const condition of own) {
    const other = opposite(condition);
    if (other === undefined)
      throw new Unsayable(`iptables has no words for the opposite of ${conditionsText([condition])}`);
    const rest = both(fitting, [other], family);
    if (rest === 'unsayable') throw new Unsayable('iptables cannot ask for both in one rule');
    if (rest !== 'never') left.push(rest);
    const next = both(fitting, [condition], family);
    if (next === 'never') return left;
    if (next === 'unsayable') throw new Unsayable('iptables cannot ask for both in one rule');
    fitting = next;
  }
  return left;
}

function returnAsPolicy(rule: Rule, { builtIn }: Walk): Rule {
  const name = builtIn.policy ?? 'ACCEPT';
  return {
    ...rule,
    text: rule.text.replace(/-j RETURN$/, `-j ${name}`),
    target: { name, options: [], known: true, goto: false, chain: false },
  };
}

function emit(under: readonly Condition[], rule: Rule, origin: Origin, walk: Walk): void {
  // A log that has a limit needs no other.
  const limited = isLog(rule) && conditionsOf(rule, walk.family).some(isPace);
  const asked = limited ? under.filter((condition) => !isPace(condition)) : under;
  const flat = asked.length === 0 ? rule : conjoined(asked, rule, origin, walk);
  if (flat === undefined) return;
  const said = saidOf(flat, walk.builtIn.name, walk);
  walk.found.push({
    origin,
    ...(said === undefined ? {} : { said }),
    literal: [{ rule: flat, origin }],
    ...(asked.length < under.length ? { logs: 'more' } : {}),
  });
}

function conjoined(
  under: readonly Condition[],
  rule: Rule,
  origin: Origin,
  { family, table, builtIn }: Walk,
): Rule | undefined {
  const asked = both(under, conditionsOf(rule, family), family);
  const all = typeof asked === 'string' ? asked : possibleIn(asked, builtIn.name);
  if (all === 'never') return undefined;
  if (all === 'unsayable') throw new Unsayable('iptables cannot ask for both in one rule');
  const text = `${conditionsText(all)} ${endingText(rule)}`;
  const location = rule.location ?? { file: origin.chain, line: origin.number, column: 1 };
  const parsed = parseRules(text, { family, table: table.name, chain: builtIn.name, location });
  const [one, ...more] = parsed.ok ? parsed.value : [];
  if (one === undefined || more.length > 0) throw new Unsayable('iptables cannot ask for both in one rule');
  return one;
}
