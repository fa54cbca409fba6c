/** A ruleset as the three texts of `sallyport render`. */
import type { Ruleset, RulesText } from '../netfilter/model.js';
import { printSets } from '../netfilter/sets.js';
import { printTables } from '../netfilter/text/print.js';

/**
 * What iptables-save, ip6tables-save and `ipset save` print after these rules are loaded into an empty kernel: without
 * comment lines and counters, members of sets sorted, and without the `bucketsize` and the random `initval` that
 * ipset 7.11 and later add to a set.
 */
export const renderHost = (desired: Ruleset): RulesText => ({
  v4: printTables(desired.v4),
  v6: printTables(desired.v6),
  sets: printSets(desired.sets),
});
