/**
 * From the rules that hosts run to the policy that says the same. Pure: rulesets in, the text of policy files out.
 *
 * {@link ruleToPolicy} is the smallest piece: one rule of iptables as one entry of a policy file, in the words of the
 * policy where it can say exactly that packet for packet, else as a literal rule. It knows nothing of the rules around
 * it: an `allow` written without `state` counts on a baseline that takes standing connections and drops invalid packets,
 * so whoever uses it compares the traffic afterwards.
 */

import type { Family } from '../lib/family.js';
import { addressKey } from '../naming/address-sets.js';
import { BUILT_IN_CHAINS, type IpSet, type Rule, type TableName } from '../netfilter/model.js';
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
  /** The built-in chain in which it stands or from which it is reached. */
  readonly chain: string;
  /** The families in which the rule stands, in the same words. */
  readonly families: readonly Family[];
  readonly sets?: readonly IpSet[];
  /** The fleet's networks and the host's interfaces (policy name → kernel name), for their names. */
  readonly networks?: ReadonlyMap<string, AddressSet>;
  readonly interfaces?: ReadonlyMap<string, string>;
  readonly reason: string;
}

export interface PolicyEntry {
  readonly list: ListName;
  readonly entry: Entry;
}

/**
 * One rule as an entry of a policy file; `undefined` when not even a literal rule can say it, because it jumps to a
 * chain. `reason` is the entry's, unless the rule has a comment.
 */
export function ruleToPolicy(rule: Rule, context: RuleContext): PolicyEntry | undefined {
  const { table, chain, families, networks = new Map(), interfaces = new Map() } = context;
  if (rule.target?.chain || !BUILT_IN_CHAINS[table].includes(chain)) return undefined;
  const kernelNames = new Map([...interfaces].map(([name, kernel]): [string, string] => [kernel, name]));
  const named = new Map(
    [...networks].map(([name, set]: [string, AddressSet]) => [addressKey(toRanges(set)), name] as const),
  );
  const statement = statementInAll(rule, context, kernelNames);
  const line = { statement: statement ?? { kind: 'raw' as const, table, chain, text: rule.text }, families };
  const reason = plainComment(statement?.comment ?? '') || context.reason;
  return { list: listOf(line), entry: entryOf(line, namesFrom(named, kernelNames), reason) };
}

function statementInAll(
  rule: Rule,
  { table, chain, families, sets = [] }: RuleContext,
  interfaces: ReadonlyMap<string, string>,
): Statement | NatStatement | undefined {
  const byName = new Map(sets.map((set) => [set.name, set]));
  const [first, ...more] = families.map((family) => {
    const context = { family, sets: byName };
    const statement =
      table === 'filter'
        ? translate(rule, chain, context)
        : table === 'nat'
          ? translateNat(rule, chain, context)
          : undefined;
    return statement === undefined || statement.kind === 'nat' ? statement : inPolicyStates(statement);
  });
  const named = [first?.in, first?.out].every(
    (name) => name === undefined || name === 'lo' || interfaces.has(name),
  );
  const answers = first?.kind === 'rule' && (first.answer !== undefined || first.verb === 'log');
  const same = more.every((other) => JSON.stringify(other) === JSON.stringify(first));
  return named && same && !answers ? first : undefined;
}

/** Behind a baseline that takes standing connections and drops invalid packets, only first packets are left. */
const inPolicyStates = (statement: Statement): Statement =>
  withUsualStates(withoutStates(statement, ['established', 'related', 'invalid']) ?? statement);
