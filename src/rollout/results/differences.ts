/** The differences between two states of a host, as data and as text. */
import { diffSets, diffTables } from '../../netfilter/diff.js';
import type { Ruleset } from '../../netfilter/model.js';
import type { StateDiff } from './model.js';

/** The diff of the rules of both families and of the sets. */
export const diffStates = (before: Ruleset, after: Ruleset): StateDiff => ({
  v4: diffTables(before.v4, after.v4),
  v6: diffTables(before.v6, after.v6),
  sets: diffSets(before.sets, after.sets),
});

/** `"INPUT -p tcp … -j ACCEPT" was added`, one for each difference; without a full stop. */
export const differences = ({ v4, v6, sets }: StateDiff): readonly string[] => [
  ...[v4, v6].flatMap(({ added, removed, moved }) => [
    ...added.map(({ chain, text }) => `"${chain} ${text}" was added`),
    ...removed.map(({ chain, text }) => `"${chain} ${text}" was removed`),
    ...moved.map(({ chain, text }) => `"${chain} ${text}" was moved`),
  ]),
  ...sets.map(({ name }) => `the set ${name} was changed`),
];
