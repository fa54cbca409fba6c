/** One word for a state, equal for two states exactly when nothing differs that a review is about. */
import { createHash } from 'node:crypto';
import { FAMILIES } from '../../lib/family.js';
import type { Ruleset, Table } from '../../netfilter/model.js';
import { setMeaning } from '../../netfilter/sets.js';
import { chainOf, isBuiltIn, TABLE_NAMES, tableOf } from '../../netfilter/tables.js';
import { isOwned, ownedChain } from '../names.js';
import { isDynamicSet, programOfChain, programOfRule } from '../programs.js';
import { withoutTail } from '../rules/baseline.js';
import { bypassing, endsInDrop, hasOthersBelow } from './entry-jump.js';
import type { Ownership } from './replace-managed.js';

/**
 * `sha256:<hex>` over rules, policies and sets. Counters, places, the order of tables and tables that say nothing do not
 * count. With `chains` neither does what programs change while they run, bans and containers, except where they stand
 * above a hook and accept; what stands in a chain of ours always counts. With `tables` everything does.
 */
export function rulesetDigest(ruleset: Ruleset, ownership: Ownership): string {
  const lines = FAMILIES.flatMap((family) =>
    TABLE_NAMES.flatMap((name) => {
      const table = tableOf(ruleset[family], name);
      const said = table === undefined ? [] : tableLines(table, ownership);
      return said.length === 0 ? [] : [`${family} ${name}`, ...said];
    }),
  );
  const sets = ruleset.sets
    .filter((set) => ownership === 'tables' || isOwned(set.name) || !isDynamicSet(set))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((set) => [`set ${set.name} ${setMeaning(set)}`, ...set.members.toSorted()]);
  return `sha256:${createHash('sha256')
    .update([...lines, ...sets].join('\n'))
    .digest('hex')}`;
}

function tableLines(table: Table, ownership: Ownership): readonly string[] {
  const all = ownership === 'tables';
  const forward = table.name === 'filter' ? chainOf(table, 'FORWARD') : undefined;
  return table.chains.flatMap((chain) => {
    if (!all && programOfChain(chain.name) !== undefined) return [];
    // Whether FORWARD drops or leaves the rest to others follows from the others: only what is out of step counts.
    const flexible = !all && forward?.policy === 'DROP' && chain.name === ownedChain('FORWARD');
    const counted = flexible ? withoutTail(chain.rules) : chain.rules;
    const rules = counted
      .filter((rule) => all || isOwned(chain.name) || programOfRule(chain.name, rule) === undefined)
      .map(({ text }) => text);
    const marks = [
      ...(flexible && endsInDrop(chain) === hasOthersBelow(forward) ? ['out of step'] : []),
      ...(!all && bypassing({ live: table, desired: table, chain }).length > 0 ? ['bypassed'] : []),
    ];
    const silent = isBuiltIn(table.name, chain.name) && chain.policy !== 'DROP' && rules.length === 0;
    return silent && marks.length === 0 ? [] : [`:${chain.name} ${chain.policy ?? '-'}`, ...rules, ...marks];
  });
}
