/** What differs between two states of a host, as data and as words. */
import { diffSets, diffTables } from '../../netfilter/diff.js';
import type { Ruleset } from '../../netfilter/model.js';
import type { StateDiff } from './model.js';

export const diffStates = (before: Ruleset, after: Ruleset): StateDiff => ({
  v4: diffTables(before.v4, after.v4),
  v6: diffTables(before.v6, after.v6),
  sets: diffSets(before.sets, after.sets),
});

/** `"INPUT -p tcp … -j ACCEPT" is there`, `"…" is gone`: what a state has that another one had not. */
export const differences = ({ v4, v6, sets }: StateDiff): readonly string[] => [
  ...[v4, v6].flatMap(({ added, removed, moved }) => [
    ...added.map(({ chain, text }) => `"${chain} ${text}" is there`),
    ...removed.map(({ chain, text }) => `"${chain} ${text}" is gone`),
    ...moved.map(({ chain, text }) => `"${chain} ${text}" is at another place`),
  ]),
  ...sets.map(({ name }) => `the set ${name} has other members`),
];
