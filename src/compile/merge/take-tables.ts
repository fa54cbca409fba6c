/** `ownership: tables`: everything is ours, and what is not of the policy goes, each rule of it named first. */

import { FAMILIES } from '../../lib/family.js';
import { error, type Problem, warning } from '../../lib/problem.js';
import type { Rule, Ruleset, Table, TableName, Tables } from '../../netfilter/model.js';
import { inSetOrder } from '../../netfilter/sets.js';
import { chainOf, TABLE_NAMES, tableOf, withBuiltIns } from '../../netfilter/tables.js';
import type { ProgramName } from '../../policy/programs.js';
import { isEntryJump, isOwned } from '../names.js';
import { programOfRule } from '../programs.js';

/**
 * The desired tables in place of the live ones; tables that only the host has are there, empty. Sets of others stay:
 * they decide nothing without a rule.
 */
export function takeTables(
  live: Ruleset,
  desired: Ruleset,
  mayRemove: readonly ProgramName[],
): { readonly next: Ruleset; readonly problems: readonly Problem[] } {
  const replace = (mine: Tables, theirs: Tables): Tables => {
    const names = theirs.map(({ name }): TableName => name);
    const all = withBuiltIns(mine, names);
    return TABLE_NAMES.flatMap((name) => tableOf(all, name) ?? []);
  };
  const others = live.sets.filter(({ name }) => !isOwned(name));
  return {
    next: {
      v4: replace(desired.v4, live.v4),
      v6: replace(desired.v6, live.v6),
      sets: inSetOrder([...others, ...desired.sets]),
    },
    problems: FAMILIES.flatMap((family) =>
      live[family].flatMap((table) => removals(table, tableOf(desired[family], table.name), mayRemove)),
    ),
  };
}

function removals(
  live: Table,
  desired: Table | undefined,
  mayRemove: readonly ProgramName[],
): readonly Problem[] {
  return live.chains
    .filter(({ name }) => !isOwned(name))
    .flatMap(({ name, rules }) => {
      const stays = new Set(chainOf(desired, name)?.rules.map(({ text }) => text));
      return rules
        .filter((rule) => !isEntryJump(rule) && !stays.has(rule.text))
        .map((rule) => removal(`${live.name} ${name}`, name, rule, mayRemove));
    });
}

function removal(where: string, chain: string, rule: Rule, mayRemove: readonly ProgramName[]): Problem {
  const program = programOfRule(chain, rule);
  const text = rule.text === '' ? 'an empty rule' : rule.text;
  return program === undefined || mayRemove.includes(program)
    ? warning('removes-foreign', `The policy owns the whole table, so this rule of ${where} goes: ${text}`, {
        location: rule.location,
        hint: 'Take it into the policy, or write "ownership: chains".',
      })
    : error(
        'removes-program',
        `The policy owns the whole table, but this rule of ${where} belongs to ${program}: ${text}`,
        {
          location: rule.location,
          hint: `Write "ownership: chains", or stop ${program} on this host, or let its rules go with "may_remove: [${program}]".`,
        },
      );
}
