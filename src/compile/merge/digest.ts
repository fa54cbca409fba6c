/** A digest of a state: equal for states with the same rules, policies and sets, apart from counters, locations and what programs add at run time. */
import { createHash } from 'node:crypto';
import { FAMILIES } from '../../lib/family.js';
import type { Ruleset, Table } from '../../netfilter/model.js';
import { setMeaning } from '../../netfilter/sets.js';
import { chainOf, isBuiltIn, TABLE_NAMES, tableOf } from '../../netfilter/tables.js';
import { isOwned, ownedChain } from '../names.js';
import { isDynamicSet, programOfChain, programOfRule } from '../programs.js';
import { withoutTail } from '../rules/baseline.js';
import { bypassing, endsInDrop, hasForeignBelow } from './entry-jump.js';
import { nativeDigests } from './native-digests.js';
import type { Ownership } from './replace-managed.js';

/**
 * `sha256:<hex>` over rules, policies and sets. Counters, locations, the order of tables and empty tables do not count.
 * Native nft tables count as {@link nativeDigests} says.
 * With `chains`, rules that programs change while they run (bans, containers) do not count either, unless they are above
 * an entry jump and accept; rules of owned chains always count. With `tables` everything counts.
 */
export function rulesetDigest(ruleset: Ruleset, ownership: Ownership): string {
  const lines = FAMILIES.flatMap((family) =>
    TABLE_NAMES.flatMap((name) => {
      const table = tableOf(ruleset[family], name);
      const found = table === undefined ? [] : tableLines(table, ownership);
      return found.length === 0 ? [] : [`${family} ${name}`, ...found];
    }),
  );
  const sets = ruleset.sets
    .filter((set) => ownership === 'tables' || isOwned(set.name) || !isDynamicSet(set))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((set) => [`set ${set.name} ${setMeaning(set)}`, ...set.members.toSorted()]);
  return `sha256:${createHash('sha256')
    .update([...lines, ...sets, ...nativeLines(ruleset.nft)].join('\n'))
    .digest('hex')}`;
}

const nativeLines = (nft: Ruleset['nft']): readonly string[] =>
  nft === undefined ? [] : [...nativeDigests(nft)].map(([name, digest]) => `native ${name} ${digest}`);

function tableLines(table: Table, ownership: Ownership): readonly string[] {
  const all = ownership === 'tables';
  const forward = table.name === 'filter' ? chainOf(table, 'FORWARD') : undefined;
  return table.chains.flatMap((chain) => {
    if (!all && programOfChain(chain.name) !== undefined) return [];
    // Whether FORWARD ends in a drop follows from the foreign rules below it: only a mismatch counts.
    const flexible = !all && forward?.policy === 'DROP' && chain.name === ownedChain('FORWARD');
    const counted = flexible ? withoutTail(chain.rules) : chain.rules;
    const rules = counted
      .filter((rule) => all || isOwned(chain.name) || programOfRule(chain.name, rule) === undefined)
      .map(({ text }) => text);
    const marks = [
      ...(flexible && endsInDrop(chain) === hasForeignBelow(forward) ? ['out of step'] : []),
      ...(!all && bypassing({ live: table, desired: table, chain }).length > 0 ? ['bypassed'] : []),
    ];
    const isEmpty = isBuiltIn(table.name, chain.name) && chain.policy !== 'DROP' && rules.length === 0;
    return isEmpty && marks.length === 0 ? [] : [`:${chain.name} ${chain.policy ?? '-'}`, ...rules, ...marks];
  });
}
