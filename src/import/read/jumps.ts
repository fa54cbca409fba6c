/** Translates a jump whose chain is one statement: exceptions, a log with a verdict, a limit over both. */

import { programOfChain } from '../../compile/programs.js';
import type { Family } from '../../lib/family.js';
import type { IpSet, Rule, Table } from '../../netfilter/model.js';
import { chainOf } from '../../netfilter/tables.js';
import { criteriaOf } from './matches.js';
import type { Statement } from './statement.js';
import { logOf, translate } from './translate.js';

export interface JumpContext {
  readonly family: Family;
  readonly table: Table;
  readonly sets: ReadonlyMap<string, IpSet>;
}

const ACCEPT = { name: 'ACCEPT', options: [], known: true, goto: false, chain: false } as const;

/** The network of a rule that excludes one: `-s 10.0.0.0/8 -j RETURN`. */
function excludedNetwork({ text, target }: Rule): readonly [flag: string, network: string] | undefined {
  const [, flag, network] = /^(-s|-d) (\S+\/\d+) -j RETURN$/.exec(text) ?? [];
  return target?.name === 'RETURN' && flag !== undefined && network !== undefined
    ? [flag, network]
    : undefined;
}

/** Limits nested jumps; chains may form a loop. */
const MAX_DEPTH = 3;

/**
 * Translates a jump and its chain into one statement; `undefined` if the chain is more than that.
 * @param builtIn the built-in chain that the jump is reached from
 */
export function translateJump(
  rule: Rule,
  builtIn: string,
  context: JumpContext,
  depth = 0,
): Statement | undefined {
  if (depth > MAX_DEPTH) return undefined;
  const { family, table, sets } = context;
  const { target } = rule;
  if (table.name !== 'filter' || !target?.chain || target.goto || programOfChain(target.name) !== undefined)
    return undefined;
  const chain = chainOf(table, target.name);
  const head = translate({ ...rule, target: ACCEPT }, builtIn, { family, sets }, `${family} ${target.name}`);
  if (chain === undefined || head === undefined) return undefined;
  const first = chain.rules.findIndex((each) => excludedNetwork(each) === undefined);
  if (first === -1) return undefined;
  const excluded = chain.rules
    .slice(0, first)
    .flatMap((each) => [excludedNetwork(each) ?? ['', '']] as const);
  const flag = head.direction === 'output' ? '-d' : '-s';
  if (excluded.some(([side]) => side !== flag)) return undefined;
  if (excluded.length > 0 && (head.except !== undefined || head.rate !== undefined)) return undefined;
  const except = excluded.map(([, network]) => network);
  const whole = except.length === 0 ? head : { ...head, except };
  return bodyStatement(whole, rule, chain.rules.slice(first), builtIn, {
    ...context,
    chain: chain.name,
    depth,
  });
}

interface BodyContext extends JumpContext {
  readonly depth: number;
  readonly chain: string;
}

/** Whether a rule has only the protocol of the head (which its target may require), a limit and a comment. */
function addsNoConditions(rule: Rule, head: Rule): boolean {
  const { source, destination, inInterface, outInterface, protocol, fragment } = rule;
  const others = [source, destination, inInterface, outInterface, fragment];
  return (
    others.every((part) => part === undefined) &&
    (protocol === undefined ||
      (protocol.value === head.protocol?.value && !protocol.negated && !head.protocol.negated)) &&
    rule.matches.every(({ name }) => name === 'comment' || name === 'limit' || name === 'hashlimit')
  );
}

/** The statement for the packets of `head` that reach `body`: a verdict, a log, or a log and a verdict. */
function bodyStatement(
  head: Statement,
  headRule: Rule,
  body: readonly Rule[],
  builtIn: string,
  { family, table, sets, chain, depth }: BodyContext,
): Statement | undefined {
  if (body.length > 2 || !body.every((rule) => addsNoConditions(rule, headRule))) return undefined;
  const [first, second] = body;
  if (first === undefined) return undefined;
  if (second === undefined && first.target?.chain) {
    const inner = translateJump(first, builtIn, { family, table, sets }, depth + 1);
    return inner === undefined || inner.except !== undefined ? undefined : merged(head, inner, inner.log);
  }
  const logRule = first.target?.name === 'LOG' ? first : undefined;
  const verdict = logRule === undefined ? first : second;
  if (logRule === undefined && second !== undefined) return undefined;
  const criteria = logRule && criteriaOf(logRule.matches, { family, sets });
  const log = logRule && criteria && logOf(logRule, criteria);
  if (logRule !== undefined && log === undefined) return undefined;
  if (verdict === undefined && log !== undefined) {
    const { rate, ...rest } = head;
    if (rate?.perSource) return undefined;
    // The limit of the jump becomes the log's, if the log has none.
    if (rate !== undefined && log.limit !== undefined) return undefined;
    return { ...rest, verb: 'log', log: { ...log, limit: rate ?? log.limit } };
  }
  const statement = verdict && translate(verdict, builtIn, { family, sets }, `${family} ${chain}`);
  return statement === undefined || statement.verb === 'log' ? undefined : merged(head, statement, log);
}

/** The packets of the head with the verdict of its chain. */
function merged(head: Statement, inner: Statement, log: Statement['log']): Statement | undefined {
  if (head.rate !== undefined && inner.rate !== undefined) return undefined;
  const rate = head.rate ?? inner.rate;
  if (rate !== undefined && inner.verb !== 'allow') return undefined;
  return {
    ...head,
    verb: inner.verb,
    rate,
    log,
    answer: inner.answer,
    comment: head.comment ?? inner.comment,
  };
}
