/** What differs on one host, one thing at a time, and the policy's rules with some of these differences applied. */
import { diffArrays } from 'diff';
import { aboveEntryJump, bypassing } from '../compile/merge/entry-jump.js';
import { isEntryJump, isOwned } from '../compile/names.js';
import { FAMILIES, type Family } from '../lib/family.js';
import type { SourceLocation } from '../lib/problem.js';
import { diffSets } from '../netfilter/diff.js';
import type { Chain, Rule, Ruleset, Table, TableName, Tables } from '../netfilter/model.js';
import { chainOf, isBuiltIn, tableOf } from '../netfilter/tables.js';
import { locationKey } from '../rollout/plan/expiry.js';

interface ChainDifference {
  /** Equal for the same difference on every host. */
  readonly key: string;
  readonly table: TableName;
  readonly chain: string;
  readonly families: readonly Family[];
}

export type Difference =
  /** Not in the policy; `above` the entry jump if it is in a built-in chain that keeps the rules of others. */
  | (ChainDifference & {
      readonly kind: 'added';
      readonly rules: readonly ChangedRule[];
      readonly above?: true;
    })
  /** Not in the kernel: all kernel rules of one entry of the policy, or one rule of the baseline. */
  | (ChainDifference & { readonly kind: 'removed'; readonly rules: readonly ChangedRule[] })
  | (ChainDifference & { readonly kind: 'moved'; readonly rules: readonly ChangedRule[] })
  | (ChainDifference & { readonly kind: 'policy'; readonly policy: 'ACCEPT' | 'DROP' })
  /** The jump from a built-in chain to the policy's rules. */
  | (ChainDifference & { readonly kind: 'entry-jump' })
  | {
      readonly kind: 'set';
      readonly key: string;
      readonly name: string;
      readonly added: readonly string[];
      readonly removed: readonly string[];
    };

/** A rule, and the locations of the policy's rules before it in its chain. */
export interface ChangedRule {
  readonly family: Family;
  readonly chain: string;
  readonly rule: Rule;
  readonly preceding: readonly SourceLocation[];
}

/** What a host runs, and what it would run after a deploy of its policy. */
export interface RulesetPair {
  readonly live: Ruleset;
  readonly next: Ruleset;
  readonly ownership: 'chains' | 'tables';
}

interface DiffLine {
  readonly rule: Rule;
  readonly change?: 'added' | 'removed';
  /** Of the difference that the change belongs to. */
  readonly key?: string;
}

/** All rules of a chain of both rulesets, in one order. */
interface ChainDiff {
  readonly family: Family;
  readonly table: TableName;
  readonly chain: string;
  readonly lines: readonly DiffLine[];
}

/** All differences between the live rules and the policy's, in the order of tables, chains and rules. */
export function differencesOf(rulesets: RulesetPair): readonly Difference[] {
  const found = new Map<string, Difference>();
  for (const diff of chainDiffs(rulesets)) addRules(diff, found);
  for (const family of FAMILIES) {
    addPolicies(rulesets, family, found);
    if (rulesets.ownership === 'chains') addBuiltIns(rulesets, family, found);
  }
  return [...found.values(), ...setDifferences(rulesets)];
}

/** Adds a difference, or its families and rules to the one with the same key. */
function add(found: Map<string, Difference>, difference: Exclude<Difference, { kind: 'set' }>): void {
  const known = found.get(difference.key);
  if (known === undefined || known.kind === 'set') {
    found.set(difference.key, difference);
    return;
  }
  const families = [...new Set([...known.families, ...difference.families])];
  found.set(
    difference.key,
    'rules' in known && 'rules' in difference
      ? { ...known, families, rules: [...known.rules, ...difference.rules] }
      : { ...known, families },
  );
}

/** The policy's rules with the differences of `keys` applied: with all of them, they are the live rules. */
export function withDifferences(rulesets: RulesetPair, keys: ReadonlySet<string>): Ruleset {
  const tables = (family: Family): Tables =>
    rulesets.next[family].map((table) => {
      const diffs = chainDiffs(rulesets).filter(
        (diff) => diff.family === family && diff.table === table.name,
      );
      const known = table.chains.map((chain): Chain => {
        const diff = diffs.find((one) => one.chain === chain.name);
        const rules =
          diff === undefined ? ownBuiltIn(rulesets, family, table.name, chain, keys) : rulesWith(diff, keys);
        const policy = keys.has(policyKey(table.name, chain.name))
          ? liveChain(rulesets, family, table.name, chain.name)?.policy
          : chain.policy;
        return { ...chain, rules, policy };
      });
      const more = diffs
        .filter((diff) => chainOf(table, diff.chain) === undefined)
        .map((diff): Chain => ({ name: diff.chain, rules: rulesWith(diff, keys) }));
      return { ...table, chains: [...known, ...more] };
    });
  const sets = new Map(rulesets.next.sets.map((set) => [set.name, set]));
  for (const set of rulesets.live.sets)
    if (keys.has(setKey(set.name)) || !sets.has(set.name)) sets.set(set.name, set);
  return { v4: tables('v4'), v6: tables('v6'), sets: [...sets.values()] };
}

const rulesWith = ({ lines }: ChainDiff, keys: ReadonlySet<string>): readonly Rule[] =>
  lines
    .filter(({ change, key = '' }) => change === undefined || keys.has(key) === (change === 'added'))
    .map(({ rule }) => rule);

const policyKey = (table: TableName, chain: string): string => `policy ${table} ${chain}`;
const entryJumpKey = (table: TableName, chain: string): string => `entry-jump ${table} ${chain}`;
const addedKey = (table: TableName, chain: string, rule: Rule): string =>
  `added ${table} ${chain} ${rule.text}`;
const setKey = (name: string): string => `set ${name}`;

const liveChain = (
  { live }: RulesetPair,
  family: Family,
  table: TableName,
  name: string,
): Chain | undefined => chainOf(tableOf(live[family], table), name);

const CHAIN_DIFFS = new WeakMap<RulesetPair, readonly ChainDiff[]>();

/** The diffs of all chains that the policy owns. */
function chainDiffs(rulesets: RulesetPair): readonly ChainDiff[] {
  const known = CHAIN_DIFFS.get(rulesets);
  if (known !== undefined) return known;
  const made = FAMILIES.flatMap((family) => {
    const tables = new Set([...rulesets.next[family], ...rulesets.live[family]].map(({ name }) => name));
    return [...tables].flatMap((table) => {
      const [next, live] = [tableOf(rulesets.next[family], table), tableOf(rulesets.live[family], table)];
      const names = new Set([...(next?.chains ?? []), ...(live?.chains ?? [])].map(({ name }) => name));
      return [...names]
        .filter((name) => isOwned(name) || rulesets.ownership === 'tables')
        .map((chain) => ({ family, table, chain, lines: diffRules(next, live, table, chain) }));
    });
  });
  CHAIN_DIFFS.set(rulesets, made);
  return made;
}

/** Myers' algorithm takes time in the product of rules and changes: with more changes a chain is replaced as a whole. */
const MAX_EDITS = 1000;

function diffRules(
  next: Table | undefined,
  live: Table | undefined,
  table: TableName,
  chain: string,
): readonly DiffLine[] {
  const [before, after] = [chainOf(next, chain)?.rules ?? [], chainOf(live, chain)?.rules ?? []];
  const text = (rule: Rule): string => rule.text;
  const parts = diffArrays(before.map(text), after.map(text), { maxEditLength: MAX_EDITS }) ?? [
    { count: before.length, removed: true, added: false },
    { count: after.length, removed: false, added: true },
  ];
  let [left, right] = [0, 0];
  const lines: DiffLine[] = [];
  for (const { count, added, removed } of parts) {
    const rules = added ? after.slice(right, right + count) : before.slice(left, left + count);
    if (!added) left += count;
    if (!removed) right += count;
    lines.push(
      ...rules.map((rule): DiffLine => ({ rule, change: added ? 'added' : removed ? 'removed' : undefined })),
    );
  }
  const texts = (change: DiffLine['change']) =>
    new Set(lines.filter((line) => line.change === change).map(({ rule }) => rule.text));
  const [added, removed] = [texts('added'), texts('removed')];
  return lines.map(({ rule, change }) => {
    const isMoved = added.has(rule.text) && removed.has(rule.text);
    const moved = isMoved ? `moved ${table} ${chain} ${rule.text}` : undefined;
    const key = change === 'added' ? addedKey(table, chain, rule) : removedKey(table, chain, rule);
    return { rule, change, key: change && (moved ?? key) };
  });
}

/** The same for all rules of one entry of the policy: in both families, in all chains. */
function removedKey(table: TableName, chain: string, rule: Rule): string {
  const { target, matches, comment, location } = rule;
  // The log of drops is one setting, in whichever chains it writes.
  if (target?.name === 'LOG' && matches.every(({ name }) => name === 'limit')) return 'removed log';
  // Only rules of entries have a comment.
  return location !== undefined && comment !== undefined
    ? `removed ${locationKey(location)}`
    : `removed ${table} ${chain} ${rule.text}`;
}

function addRules({ family, table, chain, lines }: ChainDiff, found: Map<string, Difference>): void {
  const preceding: SourceLocation[] = [];
  for (const { rule, change, key } of lines) {
    if (key !== undefined && change !== undefined) {
      const kind = key.startsWith('moved') ? 'moved' : change;
      // A moved rule is reported at its live position.
      const rules =
        kind === 'moved' && change === 'removed' ? [] : [{ family, chain, rule, preceding: [...preceding] }];
      add(found, { kind, key, table, chain, families: [family], rules });
    }
    if (change !== 'added' && rule.location !== undefined) preceding.push(rule.location);
  }
}

function addPolicies(rulesets: RulesetPair, family: Family, found: Map<string, Difference>): void {
  for (const { name: table, chains } of rulesets.next[family])
    for (const { name: chain, policy } of chains) {
      const live = liveChain(rulesets, family, table, chain)?.policy;
      if (policy === undefined || live === undefined || live === policy) continue;
      const key = policyKey(table, chain);
      add(found, { kind: 'policy', key, table, chain, families: [family], policy: live });
    }
}

/**
 * The rules of others above the entry jump that a deploy moves below it: the first that accepts, and all that come after
 * that one.
 */
const above = (
  { live, next }: RulesetPair,
  family: Family,
  table: TableName,
  chain: Chain,
): readonly Rule[] => {
  const [here, desired] = [tableOf(live[family], table), tableOf(next[family], table)];
  if (here === undefined || bypassing({ live: here, desired, chain }).length === 0) return [];
  const stays = aboveEntryJump(chainOf(desired, chain.name)?.rules ?? []).length;
  return aboveEntryJump(chain.rules).slice(stays);
};

const entryJumps = (chain: Chain | undefined): string =>
  (chain?.rules ?? [])
    .filter(isEntryJump)
    .map(({ text }) => text)
    .join('\n');

/** Differences in built-in chains of which only the entry jump is the policy's: the jump, and rules above it. */
function addBuiltIns(rulesets: RulesetPair, family: Family, found: Map<string, Difference>): void {
  for (const { name: table, chains } of rulesets.live[family])
    for (const chain of chains.filter(({ name }) => isBuiltIn(table, name))) {
      const location = { table, chain: chain.name, families: [family] };
      for (const rule of above(rulesets, family, table, chain)) {
        const rules = [{ family, chain: chain.name, rule, preceding: [] }];
        const key = addedKey(table, chain.name, rule);
        add(found, { ...location, kind: 'added', key, rules, above: true });
      }
      const wanted = chainOf(tableOf(rulesets.next[family], table), chain.name);
      if (entryJumps(chain) !== entryJumps(wanted))
        add(found, { ...location, kind: 'entry-jump', key: entryJumpKey(table, chain.name) });
    }
}

/** A built-in chain with the differences of `keys`: rules above the entry jump that are not among them come after it. */
function ownBuiltIn(
  rulesets: RulesetPair,
  family: Family,
  table: TableName,
  chain: Chain,
  keys: ReadonlySet<string>,
): readonly Rule[] {
  const live = liveChain(rulesets, family, table, chain.name);
  if (live === undefined || !isBuiltIn(table, chain.name)) return chain.rules;
  if (keys.has(entryJumpKey(table, chain.name))) return live.rules;
  const kept = new Set(
    above(rulesets, family, table, live).filter((rule) => keys.has(addedKey(table, chain.name, rule))),
  );
  const stay = aboveEntryJump(chain.rules);
  return kept.size === 0
    ? chain.rules
    : [...stay, ...kept, ...chain.rules.slice(stay.length).filter((rule) => !kept.has(rule))];
}

/** Live sets of the policy with other members. */
const setDifferences = ({ live, next }: RulesetPair): readonly Difference[] =>
  diffSets(next.sets, live.sets).flatMap(({ name, added, removed }) =>
    isOwned(name) && live.sets.some((set) => set.name === name) && added.length + removed.length > 0
      ? [{ kind: 'set', key: setKey(name), name, added, removed }]
      : [],
  );
