/** One family of a ruleset as a program: chains of steps, each with what it asks and what it does. */

import type { Family } from '../../lib/family.js';
import { networkRanges, parseAddresses } from '../../lib/ip.js';
import { ofValues, one } from '../../lib/ranges.js';
import { protocolNumber } from '../../netfilter/extensions/protocols.js';
import type { IpSet, Rule, Ruleset, Table, TableName } from '../../netfilter/model.js';
import type { DecidingRule } from '../model.js';
import { type Field, interfaceRange } from './fields.js';
import type { MatchContext } from './match-context.js';
import { readMatch } from './matches.js';
import { ALWAYS, all, field, type Leaf, leaves, type Predicate, pure, unless } from './predicate.js';
import { type Action, altersPackets, readTarget } from './targets.js';

export interface CompiledRule {
  readonly table: TableName;
  readonly chain: string;
  /** From 1. */
  readonly number: number;
  readonly spec: Rule;
  readonly match: Predicate;
  readonly action: Action;
}

export interface CompiledChain {
  readonly table: TableName;
  readonly name: string;
  /** Absent for a user chain. */
  readonly policy?: 'ACCEPT' | 'DROP';
  readonly rules: readonly CompiledRule[];
  /** Somewhere below, a rule changes the packet, its mark or its state, or hands it away. */
  readonly rewrites: boolean;
  /** Somewhere below, a rule's answer differs from one evaluation to the next. */
  readonly nondeterministic: boolean;
}

export interface CompiledRuleset {
  readonly family: Family;
  /** By `table chain`. */
  readonly chains: ReadonlyMap<string, CompiledChain>;
  /** Addresses of the host in this family; empty when they are not known. */
  readonly addresses: readonly bigint[];
  /** Fields that some rule asks for. */
  readonly usedFields: ReadonlySet<Field>;
  /** Some rule alters packets, so that an unmodelled match may answer differently before and after it. */
  readonly rewritesPackets: boolean;
}

export const chainKey = (table: TableName, chain: string): string => `${table} ${chain}`;

interface Compiled {
  readonly ruleset: Ruleset;
  readonly family: Family;
  readonly addresses: string;
  readonly program: CompiledRuleset;
}

/** Anomalies, guards, tests and the lock-out proof all ask about one ruleset, one after the other. */
const LATEST: Compiled[] = [];
const MOST_LATEST = 4;

/** @param addresses the host's own, of either family; those of the other are left aside. */
export function compileRuleset(
  ruleset: Ruleset,
  family: Family,
  addresses: readonly string[],
): CompiledRuleset {
  const own = addresses.join(' ');
  const found = LATEST.find(
    (one) => one.ruleset === ruleset && one.family === family && one.addresses === own,
  );
  if (found !== undefined) return found.program;
  const program = programOf(ruleset, family, addresses);
  LATEST.unshift({ ruleset, family, addresses: own, program });
  LATEST.length = Math.min(LATEST.length, MOST_LATEST);
  return program;
}

function programOf(ruleset: Ruleset, family: Family, addresses: readonly string[]): CompiledRuleset {
  const own = parseAddresses(addresses, family);
  const tables = ruleset[family];
  const sets = new Map(ruleset.sets.map((set): [string, IpSet] => [set.name, set]));
  const rules = tables.flatMap((table) => table.chains.flatMap((chain) => chain.rules));
  const world: Omit<MatchContext, 'table'> = {
    family,
    sets,
    changing: changingSets(ruleset),
    addresses: ofValues(own),
  };
  const unsteady = rules.some((rule) => altersPackets(rule.target));
  const routines = new Map<string, CompiledChain>();
  for (const table of tables)
    for (const routine of compileTable(table, world, unsteady))
      routines.set(chainKey(table.name, routine.name), routine);
  const asks = new Set(
    [...routines.values()].flatMap((routine) =>
      routine.rules.flatMap((step) =>
        leaves(step.match).flatMap((leaf) => (leaf.kind === 'field' ? [leaf.field] : [])),
      ),
    ),
  );
  return { family, chains: routines, addresses: own, usedFields: asks, rewritesPackets: unsteady };
}

/** Names of the sets whose contents rules change, those of either family: a set of ports has none. */
export function changingSets({ v4, v6 }: Ruleset): ReadonlySet<string> {
  const rules = [...v4, ...v6].flatMap((table) => table.chains.flatMap((chain) => chain.rules));
  const options = rules.flatMap(({ target }) => (target?.name === 'SET' ? target.options : []));
  return new Set(
    options
      .filter(({ flag }) => flag === '--add-set' || flag === '--del-set')
      .map(({ values: [name = ''] }) => name),
  );
}

function compileTable(
  table: Table,
  world: Omit<MatchContext, 'table'>,
  unsteady: boolean,
): readonly CompiledChain[] {
  const context: MatchContext = { ...world, table: table.name };
  const names = new Set(
    table.chains.filter((chain) => chain.policy === undefined).map((chain) => chain.name),
  );
  const steps = new Map(
    table.chains.map((chain) => [
      chain.name,
      chain.rules.map((rule, index): CompiledRule => {
        const match = askOf(rule, context);
        return {
          table: table.name,
          chain: chain.name,
          number: index + 1,
          spec: rule,
          match: unsteady ? unsure(match) : match,
          action: readTarget(rule, world.family, names),
        };
      }),
    ]),
  );
  const reach = (start: string, holds: (step: CompiledRule) => boolean): boolean => {
    const seen = new Set<string>();
    const visit = (name: string): boolean => {
      if (seen.has(name)) return false;
      seen.add(name);
      return (steps.get(name) ?? []).some(
        (step) => holds(step) || (step.action.kind === 'call' && visit(step.action.chain)),
      );
    };
    return visit(start);
  };
  return table.chains.map((chain) => ({
    table: table.name,
    name: chain.name,
    ...(chain.policy && { policy: chain.policy }),
    rules: steps.get(chain.name) ?? [],
    rewrites: reach(chain.name, ({ action }) => REWRITING.has(action.kind)),
    nondeterministic: reach(chain.name, isNondeterministic),
  }));
}

const REWRITING: ReadonlySet<Action['kind']> = new Set(['untrack', 'loseMark', 'mark', 'send', 'ask']);

const isNondeterministic = ({ match, action }: CompiledRule): boolean =>
  action.kind === 'ask' ||
  action.kind === 'send' ||
  leaves(match).some((leaf) => leaf.kind === 'mark' || (leaf.kind === 'unknown' && !leaf.pure));

/** Where rules alter packets, an unmodelled match may answer differently before and after. */
function unsure(match: Predicate): Predicate {
  switch (match.kind) {
    case 'unknown':
      return { ...match, pure: false };
    case 'not':
      return { kind: 'not', of: unsure(match.of) };
    case 'all':
    case 'any':
      return match.of.length === 0 ? match : { kind: match.kind, of: match.of.map(unsure) };
    default:
      return match;
  }
}

/**
 * Rules with one text ask the same, on whatever host they stand, as long as they ask for nothing but fields: sets, the
 * host's addresses and the table make a difference, and what is not modelled is told apart rule by rule.
 */
const ASKED: { readonly [family in Family]: Map<string, Predicate> } = { v4: new Map(), v6: new Map() };
const MOST_REMEMBERED = 20_000;
const COMMENT = / -m comment --comment (?:"(?:[^"\\]|\\.)*"|\S+)/g;
const DEPENDS_ON_HOST: ReadonlySet<string> = new Set(['set', 'addrtype']);

function askOf(rule: Rule, context: MatchContext): Predicate {
  if (context.table === 'raw') return readRule(rule, context);
  const memory = ASKED[context.family];
  const text = rule.text.replace(COMMENT, '');
  const known = memory.get(text);
  if (known !== undefined) return known;
  const asked = readRule(rule, context);
  if (rule.matches.some(({ name }) => DEPENDS_ON_HOST.has(name)) || !leaves(asked).every(isField))
    return asked;
  if (memory.size >= MOST_REMEMBERED) memory.clear();
  memory.set(text, asked);
  return asked;
}

const isField = (leaf: Leaf): boolean => leaf.kind === 'field';

function readRule(rule: Rule, context: MatchContext): Predicate {
  const { family } = context;
  const parts: Predicate[] = [];
  const { protocol, inInterface, outInterface } = rule;
  if (protocol !== undefined) {
    const number = protocolNumber(protocol.value);
    parts.push(
      number === undefined
        ? pure(`-p ${protocol.value}`)
        : unless(protocol.negated, field('protocol', one(BigInt(number))), family),
    );
  }
  for (const [name, side] of [
    ['src', rule.source],
    ['dst', rule.destination],
  ] as const) {
    if (side === undefined) continue;
    const ranges = networkRanges(side.value, family);
    const asked = ranges === undefined ? pure(`${name} ${side.value}`) : field(name, ranges);
    parts.push(unless(side.negated, asked, family));
  }
  if (inInterface !== undefined)
    parts.push(unless(inInterface.negated, field('in', [interfaceRange(inInterface.value)]), family));
  if (outInterface !== undefined)
    parts.push(unless(outInterface.negated, field('out', [interfaceRange(outInterface.value)]), family));
  if (rule.fragment !== undefined) parts.push(unless(rule.fragment.negated, FRAGMENT, family));
  for (const match of rule.matches) parts.push(readMatch(match, context));
  return parts.length === 0 ? ALWAYS : all(...parts);
}

/** Second and further fragments, which connection tracking puts together before any table but raw sees them. */
export const FRAGMENT = pure('-f');

export const decidedBy = (step: CompiledRule): DecidingRule => ({
  table: step.table,
  chain: step.chain,
  number: step.number,
  text: step.spec.text,
  ...(step.spec.location && { source: step.spec.location }),
});

/** `number` 0: the chain's policy. */
export const decidedByPolicy = (
  table: TableName,
  chain: string,
  policy: 'ACCEPT' | 'DROP',
): DecidingRule => ({
  table,
  chain,
  number: 0,
  text: `-P ${chain} ${policy}`,
});
