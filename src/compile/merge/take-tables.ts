/** `ownership: tables`: the policy manages everything, and each foreign rule that is removed is reported. */

import { FAMILIES } from '../../lib/family.js';
import { error, type Problem, warning } from '../../lib/problem.js';
import type { Rule, Ruleset, Table, TableName, Tables } from '../../netfilter/model.js';
import { inSetOrder } from '../../netfilter/sets.js';
import { chainOf, TABLE_NAMES, tableOf, withBuiltIns } from '../../netfilter/tables.js';
import type { ProgramName } from '../../policy/programs.js';
import { isEntryJump, isOwned } from '../names.js';
import { programOfRule } from '../programs.js';

/**
 * The desired tables instead of the live ones; tables that only the host has become empty. Foreign sets stay: they have
 * no effect without a rule.
 */
export function takeTables(
  live: Ruleset,
  desired: Ruleset,
  mayRemove: readonly ProgramName[],
): { readonly next: Ruleset; readonly problems: readonly Problem[] } {
  const replace = (next: Tables, present: Tables): Tables => {
    const names = present.map(({ name }): TableName => name);
    const all = withBuiltIns(next, names);
    return TABLE_NAMES.flatMap((name) => tableOf(all, name) ?? []);
  };
  const foreign = live.sets.filter(({ name }) => !isOwned(name));
  return {
    next: {
      v4: replace(desired.v4, live.v4),
      v6: replace(desired.v6, live.v6),
      sets: inSetOrder([...foreign, ...desired.sets]),
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
    ? warning(
        'removes-foreign',
        `The policy manages the whole table, so this rule of ${where} is removed: ${text}`,
        { location: rule.location, hint: 'Add it to the policy, or set "ownership: chains".' },
      )
    : error(
        'removes-program',
        `The policy manages the whole table, but this rule of ${where} belongs to ${program}: ${text}`,
        {
          location: rule.location,
          hint: `Set "ownership: chains", or stop ${program} on this host, or allow the removal with "may_remove: [${program}]".`,
        },
      );
}
