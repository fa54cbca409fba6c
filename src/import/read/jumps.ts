/** A jump to a chain that is one statement of the policy: exceptions, a log beside a verdict, a limit over both. */

import { programOfChain } from '../../compile/programs.js';
import { chainOf } from '../../compile/tables.js';
import type { Family } from '../../lib/family.js';
import type { IpSet, Rule, Table } from '../../netfilter/model.js';
import { criteriaOf } from './matches.js';
import type { Statement } from './statement.js';
import { logOf, translate } from './translate.js';

export interface JumpContext {
  readonly family: Family;
  readonly table: Table;
  readonly sets: ReadonlyMap<string, IpSet>;
}

const ACCEPT = { name: 'ACCEPT', options: [], known: true, goto: false, chain: false } as const;

/** Leaves out one network: `-s 10.0.0.0/8 -j RETURN`. */
function returnedNetwork({ text, target }: Rule): readonly [flag: string, network: string] | undefined {
  const [, flag, network] = /^(-s|-d) (\S+\/\d+) -j RETURN$/.exec(text) ?? [];
  return target?.name === 'RETURN' && flag !== undefined && network !== undefined
    ? [flag, network]
    : undefined;
}

/** Jumps behind jumps that may still be one statement; chains may lead back to themselves. */
const MAX_DEPTH = 3;

/** `undefined` when the chain is more than one statement. */
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
  const first = chain.rules.findIndex((each) => returnedNetwork(each) === undefined);
  if (first === -1) return undefined;
  const returns = chain.rules.slice(0, first).flatMap((each) => [returnedNetwork(each) ?? ['', '']] as const);
  const flag = head.direction === 'output' ? '-d' : '-s';
  if (returns.some(([side]) => side !== flag)) return undefined;
  if (returns.length > 0 && (head.except !== undefined || head.rate !== undefined)) return undefined;
  const except = returns.map(([, network]) => network ?? '');
  const whole = except.length === 0 ? head : { ...head, except };
  return bodyStatement(whole, rule, chain.rules.slice(first), builtIn, {
    ...context,
    chain: chain.name,
    depth,
  });
}

interface Body extends JumpContext {
  readonly depth: number;
  readonly chain: string;
}

/** Only what the head asks anyway (a target may want to see its protocol), a limit and a comment. */
function addsNoConditions(rule: Rule, head: Rule): boolean {
  const { source, destination, inInterface, outInterface, protocol, fragment } = rule;
  const sides = [source, destination, inInterface, outInterface, fragment];
  return (
    sides.every((side) => side === undefined) &&
    (protocol === undefined ||
      (protocol.value === head.protocol?.value && !protocol.negated && !head.protocol.negated)) &&
    rule.matches.every(({ name }) => name === 'comment' || name === 'limit' || name === 'hashlimit')
  );
}

function bodyStatement(
  head: Statement,
  headRule: Rule,
  body: readonly Rule[],
  builtIn: string,
  context: Body,
): Statement | undefined {
  const { family, table, sets, chain } = context;
  if (body.length > 2 || !body.every((rule) => addsNoConditions(rule, headRule))) return undefined;
  const [first, second] = body;
  if (first === undefined) return undefined;
  const inside = (rule: Rule): Statement | undefined =>
    translate(rule, builtIn, { family, sets }, `${family} ${chain}`);
  if (second === undefined && first.target?.chain) {
    const inner = translateJump(first, builtIn, { family, table, sets }, context.depth + 1);
    return inner === undefined || inner.except !== undefined ? undefined : merged(head, inner, inner.log);
  }
  const log = first.target?.name === 'LOG' ? first : undefined;
  const verdict = log === undefined ? first : second;
  if (log === undefined && second !== undefined) return undefined;
  const criteria = log && criteriaOf(log.matches, { family, sets });
  const written = log && criteria && logOf(log, criteria);
  if (log !== undefined && written === undefined) return undefined;
  if (verdict === undefined) {
    const { rate, ...rest } = head;
    if (rate?.perSource) return undefined;
    // The limit of the jump is the log's, when the log has none.
    if (rate !== undefined && written?.limit !== undefined) return undefined;
    return {
      ...rest,
      verb: 'log',
      log: { prefix: '', level: 'warning', ...written, ...(rate && { limit: rate }) },
    };
  }
  const statement = inside(verdict);
  return statement === undefined || statement.verb === 'log' ? undefined : merged(head, statement, written);
}

/** The packets of the head with the verdict of what it leads to. */
function merged(head: Statement, inner: Statement, log: Statement['log']): Statement | undefined {
  if (head.rate !== undefined && inner.rate !== undefined) return undefined;
  const rate = head.rate ?? inner.rate;
  if (rate !== undefined && inner.verb !== 'allow') return undefined;
  const comment = head.comment ?? inner.comment;
  return {
    ...head,
    verb: inner.verb,
    ...(rate === undefined ? {} : { rate }),
    ...(log === undefined ? {} : { log }),
    ...(inner.answer === undefined ? {} : { answer: inner.answer }),
    ...(comment === undefined ? {} : { comment }),
  };
}
