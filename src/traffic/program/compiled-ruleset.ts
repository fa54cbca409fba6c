/** One family of a ruleset, compiled: chains of rules, each with the packets it matches and what it does with them. */

import type { Family } from '../../lib/family.js';
import { networkRanges, parseAddresses } from '../../lib/ip.js';
import { ofValues, one } from '../../lib/ranges.js';
import { protocolNumber } from '../../netfilter/extensions/protocols.js';
import type { IpSet, Rule, Ruleset, Table } from '../../netfilter/model.js';
import { withoutComment } from '../../netfilter/text/print.js';
import type { DecidingRule } from '../model.js';
import { interfaceRange } from './fields.js';
import type { MatchContext } from './match-context.js';
import { readMatch } from './matches.js';
import type { CompiledChain, CompiledRule, CompiledRuleset, PlainChain } from './model.js';
import { compileNative, nativeName } from './native/compile.js';
import { ALWAYS, all, field, leaves, type Predicate, pure, unless } from './predicate.js';
import { type Action, altersPackets, readTarget } from './targets.js';

export type { BaseChain, CompiledChain, CompiledRule, CompiledRuleset, NetfilterHook } from './model.js';

/** `filter INPUT`: the key of a chain in {@link CompiledRuleset.chains}. */
export const chainKey = (table: string, chain: string): string => `${table} ${chain}`;

/** The chain of that name in a table, if there is one. */
export const chainOf = (ruleset: CompiledRuleset, table: string, name: string): CompiledChain | undefined =>
  ruleset.chains.get(chainKey(table, name));

/** Whether a table was made with nft: the name of its family comes first. */
export const isNative = (table: string): boolean => table.includes(' ') || table === 'nft';

/** The chain that a rule jumps or goes to; `undefined` for a rule with another target. */
export const calledChain = (
  ruleset: CompiledRuleset,
  { table, action }: CompiledRule,
): CompiledChain | undefined => (action.kind === 'call' ? chainOf(ruleset, table, action.chain) : undefined);

interface CacheEntry {
  readonly ruleset: Ruleset;
  readonly family: Family;
  readonly addresses: string;
  readonly compiled: CompiledRuleset;
}

/** Anomalies, guards, tests and the lock-out proof compile the same ruleset one after the other. */
const CACHE: CacheEntry[] = [];
const CACHE_SIZE = 4;

/** Compiles one family of a ruleset. @param addresses the host's own; those of the other family are ignored. */
export function compileRuleset(
  ruleset: Ruleset,
  family: Family,
  addresses: readonly string[],
): CompiledRuleset {
  const key = addresses.join(' ');
  const found = CACHE.find(
    (entry) => entry.ruleset === ruleset && entry.family === family && entry.addresses === key,
  );
  if (found !== undefined) return found.compiled;
  const compiled = compile(ruleset, family, parseAddresses(addresses, family));
  CACHE.unshift({ ruleset, family, addresses: key, compiled });
  CACHE.length = Math.min(CACHE.length, CACHE_SIZE);
  return compiled;
}

const rulesOf = (tables: readonly Table[]): readonly Rule[] =>
  tables.flatMap((table) => table.chains.flatMap((chain) => chain.rules));

function compile(ruleset: Ruleset, family: Family, addresses: readonly bigint[]): CompiledRuleset {
  const tables = ruleset[family];
  const shared: Omit<MatchContext, 'table'> = {
    family,
    sets: new Map(ruleset.sets.map((set): [string, IpSet] => [set.name, set])),
    changing: changingSets(ruleset),
    addresses: ofValues(addresses),
  };
  const native = compileNative(ruleset.nft ?? { tables: [] }, shared);
  const rewritesPackets = native.altersPackets || rulesOf(tables).some((rule) => altersPackets(rule.target));
  const plain = [
    ...tables.flatMap((table) => compileTable(table, { ...shared, table: table.name })),
    ...native.chains,
  ];
  const chains = withEffects(
    rewritesPackets
      ? plain.map((chain) => ({
          ...chain,
          rules: chain.rules.map((rule) => ({ ...rule, match: impure(rule.match) })),
        }))
      : plain,
  );
  const usedFields = new Set(
    [...chains.values()].flatMap(({ rules }) =>
      rules.flatMap(({ match }) =>
        leaves(match).flatMap((leaf) => (leaf.kind === 'field' ? [leaf.field] : [])),
      ),
    ),
  );
  return { family, baseChains: native.baseChains, chains, addresses, usedFields, rewritesPackets };
}

/** Names of the sets that rules add to or delete from, in either family: a set of ports belongs to neither. */
export function changingSets({ v4, v6 }: Ruleset): ReadonlySet<string> {
  const options = rulesOf([...v4, ...v6]).flatMap(({ target }) =>
    target?.name === 'SET' ? target.options : [],
  );
  return new Set(
    options
      .filter(({ flag }) => flag === '--add-set' || flag === '--del-set')
      .map(({ values: [name = ''] }) => name),
  );
}

function compileTable(table: Table, context: MatchContext): readonly PlainChain[] {
  const userChains = new Set(
    table.chains.filter((chain) => chain.policy === undefined).map((chain) => chain.name),
  );
  return table.chains.map(({ name, policy, rules }) => ({
    table: table.name,
    name,
    policy,
    rules: rules.map(
      (spec, index): CompiledRule => ({
        table: table.name,
        chain: name,
        number: index + 1,
        spec,
        match: predicateOf(spec, context),
        action: readTarget(spec, context.family, userChains),
      }),
    ),
  }));
}

/** The chains by their keys, with what their rules and those of the chains they call do. */
function withEffects(chains: readonly PlainChain[]): ReadonlyMap<string, CompiledChain> {
  const byKey = new Map(chains.map((chain) => [chainKey(chain.table, chain.name), chain]));
  const known = new Map<PlainChain, { rewrites: boolean; nondeterministic: boolean }>();
  const effectsOf = (chain: PlainChain): { rewrites: boolean; nondeterministic: boolean } => {
    const before = known.get(chain);
    if (before !== undefined) return before;
    const effects = {
      rewrites: chain.rules.some(({ action }) => REWRITING.has(action.kind)),
      nondeterministic: chain.rules.some(isNondeterministic),
    };
    // The kernel refuses loops; here they must only terminate.
    known.set(chain, effects);
    for (const { table, action } of chain.rules) {
      const called = action.kind === 'call' ? byKey.get(chainKey(table, action.chain)) : undefined;
      if (called === undefined) continue;
      const inner = effectsOf(called);
      effects.rewrites ||= inner.rewrites;
      effects.nondeterministic ||= inner.nondeterministic;
    }
    return effects;
  };
  return new Map([...byKey].map(([key, chain]) => [key, { ...chain, ...effectsOf(chain) }]));
}

const REWRITING: ReadonlySet<Action['kind']> = new Set([
  'untrack',
  'unknownMark',
  'mark',
  'dnat',
  'external',
]);

const isNondeterministic = ({ match, action }: CompiledRule): boolean =>
  action.kind === 'external' ||
  action.kind === 'dnat' ||
  leaves(match).some((leaf) => leaf.kind === 'mark' || (leaf.kind === 'unknown' && !leaf.pure));

/** The same with unmodelled matches that may differ from one rule to the next: rules between them alter packets. */
function impure(match: Predicate): Predicate {
  switch (match.kind) {
    case 'unknown':
      return { ...match, pure: false };
    case 'not':
      return { kind: 'not', of: impure(match.of) };
    case 'all':
    case 'any':
      return match.of.length === 0 ? match : { kind: match.kind, of: match.of.map(impure) };
    default:
      return match;
  }
}

/**
 * Rules with the same text have the same predicate on every host, as long as it consists of fields alone: sets, the
 * host's addresses and the table make a difference, and unmodelled matches are told apart rule by rule.
 */
const PREDICATES: { readonly [family in Family]: Map<string, Predicate> } = { v4: new Map(), v6: new Map() };
const MOST_PREDICATES = 20_000;
const DEPENDS_ON_HOST: ReadonlySet<string> = new Set(['set', 'addrtype']);

function predicateOf(rule: Rule, context: MatchContext): Predicate {
  if (context.table === 'raw') return readRule(rule, context);
  const cache = PREDICATES[context.family];
  const text = withoutComment(rule);
  const known = cache.get(text);
  if (known !== undefined) return known;
  const predicate = readRule(rule, context);
  if (
    rule.matches.some(({ name }) => DEPENDS_ON_HOST.has(name)) ||
    leaves(predicate).some(({ kind }) => kind !== 'field')
  )
    return predicate;
  if (cache.size >= MOST_PREDICATES) cache.clear();
  cache.set(text, predicate);
  return predicate;
}

function readRule(rule: Rule, context: MatchContext): Predicate {
  const { family } = context;
  const { protocol, source, destination, inInterface, outInterface, fragment } = rule;
  const number = protocol && protocolNumber(protocol.value);
  const sides = [
    ['src', source],
    ['dst', destination],
  ] as const;
  const devices = [
    ['in', inInterface],
    ['out', outInterface],
  ] as const;
  const parts: Predicate[] = [];
  if (protocol !== undefined)
    parts.push(
      number === undefined
        ? pure(`-p ${protocol.value}`)
        : unless(protocol.negated, field('protocol', one(BigInt(number))), family),
    );
  for (const [name, side] of sides) {
    if (side === undefined) continue;
    const ranges = networkRanges(side.value, family);
    const match = ranges === undefined ? pure(`${name} ${side.value}`) : field(name, ranges);
    parts.push(unless(side.negated, match, family));
  }
  for (const [name, device] of devices)
    if (device !== undefined)
      parts.push(unless(device.negated, field(name, [interfaceRange(device.value)]), family));
  if (fragment !== undefined) parts.push(unless(fragment.negated, FRAGMENT, family));
  for (const match of rule.matches) parts.push(readMatch(match, context));
  return parts.length === 0 ? ALWAYS : all(...parts);
}

/** Second and further fragments, which connection tracking reassembles before any table but raw sees them. */
export const FRAGMENT = pure('-f');

/** A compiled rule as reports name it. */
export const decidedBy = ({ table, chain, number, spec }: CompiledRule): DecidingRule => ({
  table,
  chain,
  number,
  text: spec.text,
  reason: spec.comment,
  source: spec.location,
});

/** The policy of a chain as reports name it: rule number 0. */
export const decidedByPolicy = (table: string, chain: string, policy: 'ACCEPT' | 'DROP'): DecidingRule => {
  const name = nativeName(chain);
  const text = isNative(table) ? `policy ${policy.toLowerCase()}` : `-P ${name} ${policy}`;
  return { table, chain: name, number: 0, text };
};
