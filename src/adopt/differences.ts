/** What differs on one host, thing by thing, and its rules with only some of these differences in them. */
import { diffArrays } from 'diff';
import { aboveEntryJump, bypassing } from '../compile/merge/entry-jump.js';
import { isOwned } from '../compile/names.js';
import { chainOf, isBuiltIn, isEntryJump, tableOf } from '../compile/tables.js';
import { FAMILIES, type Family } from '../lib/family.js';
import type { SourceLocation } from '../lib/problem.js';
import type { Chain, Rule, Ruleset, TableName, Tables } from '../netfilter/model.js';

export type Difference =
  /** In the kernel and not in the policy; `above` the hook when it stands in a built-in chain that is others'. */
  | (ChainDifference & {
      readonly kind: 'added';
      readonly rules: readonly ChangedRule[];
      readonly above: boolean;
    })
  /** In the policy and not in the kernel: every kernel rule that one line of it stands for, or one of the baseline. */
  | (ChainDifference & { readonly kind: 'removed'; readonly rules: readonly ChangedRule[] })
  | (ChainDifference & { readonly kind: 'moved'; readonly rules: readonly ChangedRule[] })
  | (ChainDifference & { readonly kind: 'policy'; readonly policy: 'ACCEPT' | 'DROP' })
  | {
      readonly kind: 'hook';
      readonly key: string;
      readonly table: TableName;
      readonly chain: string;
      readonly families: readonly Family[];
    }
  | {
      readonly kind: 'set';
      readonly key: string;
      readonly name: string;
      readonly added: readonly string[];
      readonly removed: readonly string[];
    };

interface ChainDifference {
  /** The same thing has the same key on every host. */
  readonly key: string;
  readonly table: TableName;
  readonly chain: string;
  readonly families: readonly Family[];
}

/** A rule, and where it stands: behind which lines of the policy, from the top of its chain. */
export interface ChangedRule {
  readonly family: Family;
  readonly chain: string;
  readonly rule: Rule;
  readonly preceding: readonly SourceLocation[];
}

/** Two states of a host: what it runs, and what it would run by its policy. */
export interface RulesetPair {
  readonly live: Ruleset;
  readonly next: Ruleset;
  readonly ownership: 'chains' | 'tables';
}

interface DiffLine {
  readonly rule: Rule;
  readonly change?: 'added' | 'removed';
  readonly key?: string;
}

/** A chain as a walk through both of its sides. */
interface ChainDiff {
  readonly family: Family;
  readonly table: TableName;
  readonly chain: string;
  readonly lines: readonly DiffLine[];
}

/** Everything by which the live rules differ from the policy's, in the order of tables, chains and rules. */
export function differencesOf(rulesets: RulesetPair): readonly Difference[] {
  const found = new Map<string, Difference>();
  for (const diff of chainDiffs(rulesets)) collect(diff, found);
  for (const family of FAMILIES) {
    policies(rulesets, family, found);
    if (rulesets.ownership === 'chains') builtIns(rulesets, family, found);
  }
  sets(rulesets, found);
  return [...found.values()];
}

/** The policy's rules with these differences in them, as the host runs them: all of them give what it runs. */
export function withDifferences(rulesets: RulesetPair, keys: ReadonlySet<string>): Ruleset {
  const scripts = chainDiffs(rulesets);
  const tables = (family: Family): Tables =>
    rulesets.next[family].map((table) => {
      const known = table.chains.map((chain): Chain => {
        const diff = scripts.find(
          (one) => one.family === family && one.table === table.name && one.chain === chain.name,
        );
        const rules =
          diff === undefined ? ownBuiltIn(rulesets, family, table.name, chain, keys) : rulesWith(diff, keys);
        const policy = keys.has(policyKey(table.name, chain.name))
          ? liveChain(rulesets, family, table.name, chain.name)?.policy
          : chain.policy;
        return { ...chain, rules, ...(policy === undefined ? {} : { policy }) };
      });
      const more = scripts
        .filter(
          (one) =>
            one.family === family && one.table === table.name && chainOf(table, one.chain) === undefined,
        )
        .map((one): Chain => ({ name: one.chain, rules: rulesWith(one, keys) }));
      return { ...table, chains: [...known, ...more] };
    });
  const all = new Map(rulesets.next.sets.map((set) => [set.name, set]));
  for (const set of rulesets.live.sets)
    if (keys.has(setKey(set.name)) || !all.has(set.name)) all.set(set.name, set);
  return { v4: tables('v4'), v6: tables('v6'), sets: [...all.values()] };
}

const rulesWith = ({ lines }: ChainDiff, keys: ReadonlySet<string>): readonly Rule[] =>
  lines
    .filter(({ change, key = '' }) => change === undefined || keys.has(key) === (change === 'added'))
    .map(({ rule }) => rule);

const policyKey = (table: TableName, chain: string): string => `policy ${table} ${chain}`;
const entryJumpKey = (table: TableName, chain: string): string => `hook ${table} ${chain}`;
const setKey = (name: string): string => `set ${name}`;

const liveChain = (
  { live }: RulesetPair,
  family: Family,
  table: TableName,
  name: string,
): Chain | undefined => chainOf(tableOf(live[family], table), name);

const CHAIN_DIFFS = new WeakMap<RulesetPair, readonly ChainDiff[]>();

/** Of every chain that is ours. */
function chainDiffs(rulesets: RulesetPair): readonly ChainDiff[] {
  const known = CHAIN_DIFFS.get(rulesets);
  if (known !== undefined) return known;
  const made = FAMILIES.flatMap((family) => {
    const tables = [...new Set([...rulesets.next[family], ...rulesets.live[family]].map(({ name }) => name))];
    return tables.flatMap((table) => {
      const [next, live] = [tableOf(rulesets.next[family], table), tableOf(rulesets.live[family], table)];
      const names = [...new Set([...(next?.chains ?? []), ...(live?.chains ?? [])].map(({ name }) => name))];
      return names
        .filter((name) => isOwned(name) || rulesets.ownership === 'tables')
        .map((chain) => ({
          family,
          table,
          chain,
          lines: diffRules(
            chainOf(next, chain)?.rules ?? [],
            chainOf(live, chain)?.rules ?? [],
            `${table} ${chain}`,
          ),
        }));
    });
  });
  CHAIN_DIFFS.set(rulesets, made);
  return made;
}

/** Myers' algorithm takes time in the product of rules and changes: past this many a chain is replaced as a whole. */
const MAX_EDITS = 1000;

function diffRules(next: readonly Rule[], live: readonly Rule[], spot: string): readonly DiffLine[] {
  const text = (rule: Rule): string => rule.text;
  const parts = diffArrays(next.map(text), live.map(text), { maxEditLength: MAX_EDITS }) ?? [
    { count: next.length, removed: true, added: false },
    { count: live.length, removed: false, added: true },
  ];
  let [left, right] = [0, 0];
  const lines: DiffLine[] = [];
  for (const { count, added, removed } of parts) {
    const some = added ? live.slice(right, right + count) : next.slice(left, left + count);
    if (!added) left += count;
    if (!removed) right += count;
    lines.push(
      ...some.map(
        (rule): DiffLine => ({
          rule,
          ...(added ? { change: 'added' } : removed ? { change: 'removed' } : {}),
        }),
      ),
    );
  }
  const both = (change: DiffLine['change']) =>
    new Set(lines.filter((step) => step.change === change).map(({ rule }) => rule.text));
  const [came, went] = [both('added'), both('removed')];
  return lines.map((step) =>
    step.change === undefined
      ? step
      : { ...step, key: keyOf(step, spot, came.has(step.rule.text) && went.has(step.rule.text)) },
  );
}

/** What one line of the policy stands for goes together: in both families, in its own chain. */
function keyOf({ rule, change }: DiffLine, spot: string, moved: boolean): string {
  if (moved) return `moved ${spot} ${rule.text}`;
  // The log of drops is one setting, wherever it writes.
  if (change === 'removed' && isBaselineLog(rule)) return 'removed log';
  const fromRule = change === 'removed' && rule.comment !== undefined && rule.location;
  return fromRule
    ? `removed ${fromRule.file}:${fromRule.line}:${fromRule.column}`
    : `${change} ${spot} ${rule.text}`;
}

const isBaselineLog = ({ target, matches }: Rule): boolean =>
  target?.name === 'LOG' && matches.every(({ name }) => name === 'limit');

function collect({ family, table, chain, lines }: ChainDiff, found: Map<string, Difference>): void {
  const preceding: SourceLocation[] = [];
  for (const { rule, change, key } of lines) {
    if (key !== undefined && change !== undefined) {
      const before = found.get(key);
      const standing: ChangedRule = { family, chain, rule, preceding: [...preceding] };
      const kind = key.startsWith('moved') ? 'moved' : change;
      // Of what has moved, where it stands now.
      const rules = [
        ...(before !== undefined && 'rules' in before ? before.rules : []),
        ...(kind === 'moved' && change === 'removed' ? [] : [standing]),
      ];
      const families = [
        ...new Set([...(before !== undefined && 'families' in before ? before.families : []), family]),
      ];
      const spot = before !== undefined && 'rules' in before ? before : { key, table, chain };
      found.set(
        key,
        kind === 'added'
          ? { ...spot, kind, key, families, rules, above: false, table: spot.table, chain: spot.chain }
          : { ...spot, kind, key, families, rules, table: spot.table, chain: spot.chain },
      );
    }
    if (change !== 'added' && rule.location !== undefined) preceding.push(rule.location);
  }
}

function policies(rulesets: RulesetPair, family: Family, found: Map<string, Difference>): void {
  for (const { name: table, chains } of rulesets.next[family])
    for (const { name: chain, policy } of chains) {
      const now = liveChain(rulesets, family, table, chain)?.policy;
      if (policy === undefined || now === undefined || now === policy) continue;
      const key = policyKey(table, chain);
      const before = found.get(key);
      const families = before?.kind === 'policy' ? [...before.families, family] : [family];
      found.set(key, { kind: 'policy', key, table, chain, families, policy: now });
    }
}

/** Rules of others above the hook that will stand below it: the first that accepts, and whatever comes after that one. */
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

/** Built-in chains of which only the hook is ours: what others' rules decide before it, and the hook itself. */
function builtIns(rulesets: RulesetPair, family: Family, found: Map<string, Difference>): void {
  for (const { name: table, chains } of rulesets.live[family])
    for (const chain of chains.filter(({ name }) => isBuiltIn(table, name))) {
      for (const rule of above(rulesets, family, table, chain)) {
        const key = aboveKey(table, chain.name, rule);
        const before = found.get(key);
        const rules = [
          ...(before?.kind === 'added' ? before.rules : []),
          { family, chain: chain.name, rule, preceding: [] },
        ];
        const families = [...new Set(rules.map((one) => one.family))];
        found.set(key, { kind: 'added', key, table, chain: chain.name, families, rules, above: true });
      }
      const hooks = (rules: readonly Rule[] = []): string =>
        rules
          .filter(isEntryJump)
          .map(({ text }) => text)
          .join('\n');
      const wanted = chainOf(tableOf(rulesets.next[family], table), chain.name);
      if (hooks(chain.rules) === hooks(wanted?.rules)) continue;
      const key = entryJumpKey(table, chain.name);
      const before = found.get(key);
      const families = before?.kind === 'hook' ? [...before.families, family] : [family];
      found.set(key, { kind: 'hook', key, table, chain: chain.name, families });
    }
}

const aboveKey = (table: TableName, chain: string, rule: Rule): string =>
  `added ${table} ${chain} ${rule.text}`;

/** Rules of others above the hook that are not chosen come behind it; the hook is the policy's, or the kernel's. */
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
    above(rulesets, family, table, live).filter((rule) => keys.has(aboveKey(table, chain.name, rule))),
  );
  const stay = aboveEntryJump(chain.rules);
  return kept.size === 0
    ? chain.rules
    : [...stay, ...kept, ...chain.rules.slice(stay.length).filter((rule) => !kept.has(rule))];
}

function sets({ live, next }: RulesetPair, found: Map<string, Difference>): void {
  const wanted = new Map(next.sets.map((set) => [set.name, set.members]));
  for (const { name, members } of live.sets) {
    if (!isOwned(name)) continue;
    const policy = wanted.get(name) ?? [];
    const added = members.filter((member) => !policy.includes(member));
    const removed = policy.filter((member) => !members.includes(member));
    if (added.length + removed.length > 0)
      found.set(setKey(name), { kind: 'set', key: setKey(name), name, added, removed });
  }
}
