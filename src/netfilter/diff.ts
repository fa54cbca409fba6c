/** What differs between two rulesets: rules added, removed and moved, chains, policies, and members of sets. */
import { structuredPatch } from 'diff';
import type { Chain, IpSet, Rule, RuleChange, RuleDiff, SetDiff, TableName, Tables } from './model.js';
import { setMeaning } from './sets.js';
import { equalTables, TABLE_NAMES, withBuiltIns } from './tables.js';
import { printRule } from './text/print.js';

interface ChainPair {
  readonly table: TableName;
  readonly name: string;
  readonly before: Chain | undefined;
  readonly after: Chain | undefined;
}

/**
 * The difference of two versions of the tables of one family. Counters, locations and the order of tables do not count,
 * and an absent table accepts everything. A rule at another position of its chain is `moved`, as few as possible.
 */
export function diffTables(before: Tables, after: Tables): RuleDiff {
  if (equalTables(before, after)) return { added: [], removed: [], moved: [], text: '' };
  const parts = pairs(before, after).map(diffChain);
  return {
    added: parts.flatMap((part) => part.added),
    removed: parts.flatMap((part) => part.removed),
    moved: parts.flatMap((part) => part.moved),
    text: parts.map((part) => part.text).join(''),
  };
}

function pairs(before: Tables, after: Tables): readonly ChainPair[] {
  const [old, next] = [byName(before), byName(after)];
  return TABLE_NAMES.flatMap((table) => {
    const [left, right] = [old.get(table) ?? new Map(), next.get(table) ?? new Map()];
    const names = new Set([...right.keys(), ...left.keys()]);
    return [...names].map((name) => ({ table, name, before: left.get(name), after: right.get(name) }));
  });
}

const byName = (tables: Tables): ReadonlyMap<TableName, ReadonlyMap<string, Chain>> =>
  new Map(
    withBuiltIns(tables, TABLE_NAMES).map((table) => [
      table.name,
      new Map(table.chains.map((chain) => [chain.name, chain])),
    ]),
  );

function diffChain(pair: ChainPair): RuleDiff {
  const chain = chainChanges(pair);
  const rules = matchRules(pair.before?.rules ?? [], pair.after?.rules ?? []);
  const change = (rule: Rule): RuleChange => ({
    table: pair.table,
    chain: pair.name,
    text: rule.text,
    source: rule.location,
  });
  return {
    added: [...chain.added, ...rules.added.map(change)],
    removed: [...rules.removed.map(change), ...chain.removed],
    moved: rules.moved.map(change),
    text: unified(pair),
  };
}

/** `-N NAME` for a new or removed chain, `-P NAME POLICY` for the two sides of a changed policy. */
function chainChanges(pair: ChainPair): {
  readonly added: readonly RuleChange[];
  readonly removed: readonly RuleChange[];
} {
  const { table, name, before, after } = pair;
  const change = (text: string): RuleChange => ({ table, chain: name, text });
  if (before?.policy !== after?.policy)
    return {
      added: after?.policy === undefined ? [] : [change(`-P ${name} ${after.policy}`)],
      removed: before?.policy === undefined ? [] : [change(`-P ${name} ${before.policy}`)],
    };
  if (before === undefined) return { added: [change(`-N ${name}`)], removed: [] };
  return { added: [], removed: after === undefined ? [change(`-N ${name}`)] : [] };
}

export interface Matched {
  readonly added: readonly Rule[];
  readonly removed: readonly Rule[];
  readonly moved: readonly Rule[];
}

/** Pairs the n-th of equal rules with the n-th; a pair outside the longest common order has moved. */
export function matchRules(before: readonly Rule[], after: readonly Rule[]): Matched {
  const positions = new Map<string, number[]>();
  for (const [index, rule] of before.entries()) {
    const known = positions.get(rule.text);
    if (known === undefined) positions.set(rule.text, [index]);
    else known.push(index);
  }
  const used = new Map<string, number>();
  const kept: Rule[] = [];
  const from: number[] = [];
  const added: Rule[] = [];
  for (const rule of after) {
    const count = used.get(rule.text) ?? 0;
    const index = positions.get(rule.text)?.[count];
    if (index === undefined) {
      added.push(rule);
      continue;
    }
    used.set(rule.text, count + 1);
    kept.push(rule);
    from.push(index);
  }
  const stayed = longestIncreasing(from);
  const paired = new Set(from);
  return {
    added,
    removed: before.filter((_, index) => !paired.has(index)),
    moved: kept.filter((_, index) => !stayed.has(index)),
  };
}

/** The positions of a longest increasing subsequence (patience sorting, O(n log n)). */
function longestIncreasing(values: readonly number[]): ReadonlySet<number> {
  const tails: number[] = [];
  const previous: number[] = [];
  for (const [position, value] of values.entries()) {
    let low = 0;
    let high = tails.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((values[tails[middle] ?? 0] ?? 0) < value) low = middle + 1;
      else high = middle;
    }
    previous[position] = low === 0 ? -1 : (tails[low - 1] ?? -1);
    tails[low] = position;
  }
  const chosen = new Set<number>();
  for (let at = tails.at(-1) ?? -1; at !== -1; at = previous[at] ?? -1) chosen.add(at);
  return chosen;
}

/**
 * Myers' algorithm takes time in the product of lines and changes; past this many changes a chain is shown as the lines
 * removed and those added.
 */
const MAX_EDITS = 1000;
const MAX_MILLISECONDS = 2000;

function unified(pair: ChainPair): string {
  const [old, next] = [chainLines(pair.before), chainLines(pair.after)];
  if (old.join('\n') === next.join('\n')) return '';
  const title = `${pair.table} ${pair.name}`;
  const patch = structuredPatch(title, title, text(old), text(next), '', '', {
    context: 3,
    maxEditLength: MAX_EDITS,
    timeout: MAX_MILLISECONDS,
  });
  const body =
    patch === undefined
      ? setDifference(old, next)
      : patch.hunks.flatMap((hunk) => [
          `@@ -${hunk.oldStart},${hunk.oldLines} +${hunk.newStart},${hunk.newLines} @@`,
          ...hunk.lines,
        ]);
  return [`--- ${title}`, `+++ ${title}`, ...body].map((line) => `${line}\n`).join('');
}

const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

const chainLines = (chain: Chain | undefined): readonly string[] =>
  chain === undefined
    ? []
    : [
        chain.policy === undefined ? `-N ${chain.name}` : `-P ${chain.name} ${chain.policy}`,
        ...chain.rules.map((rule) => printRule(chain, rule)),
      ];

function setDifference(old: readonly string[], next: readonly string[]): readonly string[] {
  const [before, after] = [new Set(old), new Set(next)];
  return [
    '@@ too many changes to align: removed lines, then added lines @@',
    ...old.filter((line) => !after.has(line)).map((line) => `-${line}`),
    ...next.filter((line) => !before.has(line)).map((line) => `+${line}`),
  ];
}

/**
 * Members added and removed and options changed: an entry for each set that differs, by name. A missing set counts as
 * empty.
 */
export function diffSets(before: readonly IpSet[], after: readonly IpSet[]): readonly SetDiff[] {
  const [old, next] = [setsByName(before), setsByName(after)];
  const names = [...new Set([...old.keys(), ...next.keys()])].toSorted();
  return names.flatMap((name): readonly SetDiff[] => {
    const [left, right] = [old.get(name), next.get(name)];
    const added = membersBeyond(right, left);
    const removed = membersBeyond(left, right);
    if (left === undefined || right === undefined) return [{ name, added, removed }];
    const options = { before: setMeaning(left), after: setMeaning(right) };
    const changed = options.before !== options.after;
    if (added.length === 0 && removed.length === 0 && !changed) return [];
    return [{ name, added, removed, options: changed ? options : undefined }];
  });
}

function membersBeyond(set: IpSet | undefined, other: IpSet | undefined): readonly string[] {
  const known = new Set(other?.members);
  return set === undefined ? [] : [...new Set(set.members)].filter((member) => !known.has(member));
}

const setsByName = (sets: readonly IpSet[]): ReadonlyMap<string, IpSet> =>
  new Map(sets.map((set) => [set.name, set]));
