/**
 * One iptables rule as one entry of a policy file: in the terms of the policy if that is exactly the same for every packet,
 * else as a literal rule. The rules around it are not known: an `allow` without `state` assumes a baseline that accepts
 * established connections and drops invalid packets, so the caller has to compare the traffic afterwards.
 */

import type { Family } from '../lib/family.js';
import { addressKey } from '../naming/address-sets.js';
import type { IpSet, Rule, TableName } from '../netfilter/model.js';
import { isBuiltIn } from '../netfilter/tables.js';
import { toRanges } from '../policy/addresses.js';
import type { AddressSet } from '../policy/fleet.js';
import { withoutStates, withUsualStates } from './draft/packets.js';
import { type Entry, entryOf, type ListName, listOf } from './read/entry.js';
import type { NatStatement, Statement } from './read/statement.js';
import { translate, translateNat } from './read/translate.js';
import { namesFrom } from './write/names.js';
import { plainComment } from './write/reason.js';

export interface RuleContext {
  readonly table: TableName;
  /** The built-in chain that holds the rule or leads to it. */
  readonly chain: string;
  /** The families that have the rule, with the same text. */
  readonly families: readonly Family[];
  readonly sets?: readonly IpSet[];
  /** The fleet's networks and the host's interfaces (policy name → kernel name). */
  readonly networks?: ReadonlyMap<string, AddressSet>;
  readonly interfaces?: ReadonlyMap<string, string>;
  readonly reason: string;
}

export interface PolicyEntry {
  readonly list: ListName;
  readonly entry: Entry;
}

/**
 * One rule as an entry of a policy file; `undefined` if it jumps to a chain, which not even a literal rule can express.
 * The entry has the comment of the rule as its reason, or that of the context.
 */
export function ruleToPolicy(rule: Rule, context: RuleContext): PolicyEntry | undefined {
  const { table, chain, families, networks = new Map<string, AddressSet>() } = context;
  if (rule.target?.chain || !isBuiltIn(table, chain)) return undefined;
  const kernelNames = new Map([...(context.interfaces ?? [])].map(([name, kernel]) => [kernel, name]));
  const networkNames = new Map([...networks].map(([name, set]) => [addressKey(toRanges(set)), name]));
  const statement = statementInAll(rule, context, kernelNames);
  const draft = { statement: statement ?? { kind: 'raw' as const, table, chain, text: rule.text }, families };
  const reason = plainComment(statement?.comment ?? '') || context.reason;
  return { list: listOf(draft), entry: entryOf(draft, namesFrom(networkNames, kernelNames), reason) };
}

/** The statement of the rule, if it is the same in all its families and the policy has all that it needs. */
function statementInAll(
  rule: Rule,
  { table, chain, families, sets = [] }: RuleContext,
  interfaces: ReadonlyMap<string, string>,
): Statement | NatStatement | undefined {
  const byName = new Map(sets.map((set) => [set.name, set]));
  const [first, ...more] = families.map((family) => {
    const context = { family, sets: byName };
    if (table === 'nat') return translateNat(rule, chain, context);
    const statement = table === 'filter' ? translate(rule, chain, context) : undefined;
    return statement && inPolicyStates(statement);
  });
  const named = [first?.in, first?.out].every(
    (name) => name === undefined || name === 'lo' || interfaces.has(name),
  );
  const answers = first?.kind === 'rule' && (first.answer !== undefined || first.verb === 'log');
  const same = more.every((other) => JSON.stringify(other) === JSON.stringify(first));
  return named && same && !answers ? first : undefined;
}

/** After a baseline that accepts established connections and drops invalid packets, only first packets are left. */
const inPolicyStates = (statement: Statement): Statement =>
  withUsualStates(withoutStates(statement, ['established', 'related', 'invalid']) ?? statement);
