/** A ruleset as three texts, written and read. */
import type { Result } from '../lib/problem.js';
import type { Ruleset, RulesText } from '../netfilter/model.js';
import { readNftables } from '../netfilter/nftables/read.js';
import { parseSets, printSets } from '../netfilter/sets.js';
import { parseSave } from '../netfilter/text/parse.js';
import { printTables } from '../netfilter/text/print.js';

/**
 * What iptables-save, ip6tables-save and `ipset save` print after these rules are loaded into an empty kernel: without
 * comment lines and counters, members of sets sorted, and without the `bucketsize` and the random `initval` that
 * ipset 7.11 and later add to a set.
 */
export const renderRuleset = ({ v4, v6, sets }: Ruleset): RulesText => ({
  v4: printTables(v4),
  v6: printTables(v6),
  sets: printSets(sets),
});

/**
 * Parses both families and the sets; every problem of all three at once.
 * @param printed as for {@link parseSave}
 * @param name how locations call the text: `web-1 live` gives `web-1 live v4:12:1`
 */
export function readRuleset(text: RulesText, name: string, printed?: true): Result<Ruleset> {
  const v4 = parseSave(text.v4, 'v4', `${name} v4`, printed);
  const v6 = parseSave(text.v6, 'v6', `${name} v6`, printed);
  const sets = parseSets(text.sets, `${name} sets`);
  const problems = [...v4.problems, ...v6.problems, ...sets.problems];
  return v4.ok && v6.ok && sets.ok
    ? {
        ok: true,
        value: {
          v4: v4.value,
          v6: v6.value,
          sets: sets.value,
          nft: text.nft === undefined ? undefined : readNftables(text.nft),
        },
        problems,
      }
    : { ok: false, problems };
}
