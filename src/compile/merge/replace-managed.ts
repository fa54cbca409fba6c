/** What of a host's rules is ours and what is others', and those rules with our part replaced. */

import { FAMILIES, type Family } from '../../lib/family.js';
import { error, type Problem, warning } from '../../lib/problem.js';
import {
  BUILT_IN_CHAINS,
  type Chain,
  type IpSet,
  type Rule,
  type Ruleset,
  type Table,
  type TableName,
  type Tables,
} from '../../netfilter/model.js';
import { inSetOrder, setMeaning } from '../../netfilter/sets.js';
import {
  chainOf,
  inSaveOrder,
  isBuiltIn,
  setsNamedBy,
  TABLE_NAMES,
  tableOf,
} from '../../netfilter/tables.js';
import type { ProgramName } from '../../policy/programs.js';
import { isEntryJump, isOwned, ownedChain, TEMPORARY_SET } from '../names.js';
import { programOfRule } from '../programs.js';
import { withoutTail } from '../rules/baseline.js';
import { bypassing, hasOthersBelow, withEntryJumps } from './entry-jump.js';
import { takeTables } from './take-tables.js';

export type Ownership = 'chains' | 'tables';

export interface Replacement {
  /** The rules with the owned part replaced by what is desired. */
  readonly next: Ruleset;
  /** Others' chains (`DOCKER`, `nat DOCKER`), and how many rules of theirs there are. */
  readonly foreign: { readonly chains: readonly string[]; readonly rules: number };
  readonly problems: readonly Problem[];
}

export interface ReplaceOptions {
  /** With `tables`: programs whose rules may go although they may be running. */
  readonly mayRemove?: readonly ProgramName[];
}

/**
 * Replaces the owned part of what a host runs, or of a file that it loads. With `chains` everything else is equal
 * before and after, rule for rule; with `tables` nothing else is left. Placing twice changes nothing more.
 */
export function replaceManaged(
  live: Ruleset,
  desired: Ruleset,
  ownership: Ownership,
  options: ReplaceOptions = {},
): Replacement {
  const { next, problems } =
    ownership === 'tables' ? takeTables(live, desired, options.mayRemove ?? []) : placeChains(live, desired);
  return {
    next,
    foreign: foreignOf(live),
    problems: [...problems, ...FAMILIES.flatMap((family) => unresolved(next[family], next.sets))],
  };
}

function placeChains(live: Ruleset, desired: Ruleset): Pick<Replacement, 'next' | 'problems'> {
  const tables = (family: Family): Tables =>
    TABLE_NAMES.flatMap((name) =>
      placeTable(name, tableOf(live[family], name), tableOf(desired[family], name)),
    );
  return {
    next: { v4: tables('v4'), v6: tables('v6'), sets: placeSets(live, desired) },
    problems: FAMILIES.flatMap((family) => findings(live[family], desired[family], family)),
  };
}

const emptyTable = (name: TableName): Table => ({
  name,
  chains: BUILT_IN_CHAINS[name].map((chain): Chain => ({ name: chain, policy: 'ACCEPT', rules: [] })),
});

function placeTable(name: TableName, live: Table | undefined, desired: Table | undefined): readonly Table[] {
  if (live === undefined && desired === undefined) return [];
  const base = live ?? emptyTable(name);
  const builtIn = base.chains.filter((chain) => isBuiltIn(name, chain.name));
  const placed = builtIn.map((chain): Chain => {
    const hooks = chainOf(desired, chain.name)?.rules ?? [];
    const rules = withEntryJumps({ live: base, desired, chain }, hooks);
    return { ...chain, policy: policyOf(base, desired, chain), rules };
  });
  const foreign = base.chains.filter((chain) => !isBuiltIn(name, chain.name) && !isOwned(chain.name));
  const forward = name === 'filter' ? placed.find((chain) => chain.name === 'FORWARD') : undefined;
  const fallsThrough = forward !== undefined && forward.policy === 'DROP' && hasOthersBelow(forward);
  const own = (desired?.chains ?? [])
    .filter((chain) => isOwned(chain.name))
    .map((chain) =>
      fallsThrough && chain.name === ownedChain('FORWARD')
        ? { ...chain, rules: withoutTail(chain.rules) }
        : chain,
    );
  return [{ ...base, chains: inSaveOrder(name, [...placed, ...foreign, ...own]) }];
}

/**
 * Only the filter table's policies are ours. Where nothing is desired any more, a chain that we had closed is opened
 * with our rules gone, else nobody would be let in. A FORWARD policy of DROP is Docker's own doing too, and stays as
 * long as it has rules there.
 */
function policyOf(live: Table, desired: Table | undefined, chain: Chain): 'ACCEPT' | 'DROP' {
  const now = chain.policy ?? 'ACCEPT';
  if (live.name !== 'filter') return now;
  const wanted = chainOf(desired, chain.name)?.policy;
  if (wanted === undefined) return chain.rules.some(isEntryJump) ? 'ACCEPT' : now;
  const shared = chain.rules.some(
    (rule) => !isEntryJump(rule) && programOfRule(chain.name, rule) !== undefined,
  );
  return chain.name === 'FORWARD' && wanted === 'ACCEPT' && now === 'DROP' && shared ? 'DROP' : wanted;
}

/** Ours replaced, where the kernel holds the same already as it is; a set that others' rules name is kept. */
function placeSets(live: Ruleset, desired: Ruleset): readonly IpSet[] {
  const wanted = new Map(desired.sets.map((set) => [set.name, set]));
  const named = new Set(
    FAMILIES.flatMap((family) =>
      live[family].flatMap((table) =>
        table.chains
          .filter((chain) => !isOwned(chain.name))
          .flatMap((chain) => chain.rules.filter((rule) => !isEntryJump(rule)).flatMap(setsNamedBy)),
      ),
    ),
  );
  const kept = live.sets.flatMap((set): readonly IpSet[] => {
    const ours = wanted.get(set.name);
    if (ours === undefined)
      return !isOwned(set.name) || (named.has(set.name) && set.name !== TEMPORARY_SET) ? [set] : [];
    return [sameSet(set, ours) ? set : ours];
  });
  const present = new Set(kept.map(({ name }) => name));
  return inSetOrder([...kept, ...desired.sets.filter(({ name }) => !present.has(name))]);
}

export const sameSet = (a: IpSet, b: IpSet): boolean =>
  setMeaning(a) === setMeaning(b) &&
  a.members.length === b.members.length &&
  a.members.toSorted().join('\n') === b.members.toSorted().join('\n');

const FAMILY_WORD: { readonly [family in Family]: string } = { v4: 'IPv4', v6: 'IPv6' };

function findings(live: Tables, desired: Tables, family: Family): readonly Problem[] {
  return live.flatMap((table) => {
    const wanted = tableOf(desired, table.name);
    const where = (chain: Chain): string =>
      `${table.name === 'filter' ? '' : `${table.name} `}${chain.name} (${FAMILY_WORD[family]})`;
    return table.chains.flatMap((chain) =>
      isOwned(chain.name)
        ? []
        : isBuiltIn(table.name, chain.name)
          ? [
              ...bypassing({ live: table, desired: wanted, chain }).map((rule) =>
                warning(
                  'bypass',
                  `In ${where(chain)} a rule above the hook may accept what the policy would drop: ${rule.text}`,
                  {
                    location: rule.location,
                    hint: 'A deploy puts the hook above it; take the rule out, or into the policy.',
                  },
                ),
              ),
              ...staleHooks(chain, wanted, where(chain)),
            ]
          : strayJumps(chain, wanted, where(chain)),
    );
  });
}

function staleHooks(chain: Chain, wanted: Table | undefined, where: string): readonly Problem[] {
  const left = new Set(chainOf(wanted, chain.name)?.rules.map(({ text }) => text));
  return chain.rules
    .filter(isEntryJump)
    .filter((rule) => !left.delete(rule.text))
    .map((rule) =>
      warning(
        'stale-hook',
        `In ${where} a jump to an owned chain is not the hook that the policy wants: ${rule.text}`,
        { location: rule.location, hint: 'A deploy takes it out.' },
      ),
    );
}

/** Others' chains may lead into ours, until ours go. */
function strayJumps(chain: Chain, wanted: Table | undefined, where: string): readonly Problem[] {
  return chain.rules.filter(isEntryJump).flatMap((rule) => {
    const stays = chainOf(wanted, rule.target?.name ?? '') !== undefined;
    return stays
      ? []
      : [
          error(
            'jump-to-owned',
            `In ${where} a rule jumps to an owned chain that the policy no longer has: ${rule.text}`,
            {
              location: rule.location,
              hint: 'Take the rule out on the host: the chain cannot be removed while it is there.',
            },
          ),
        ];
  });
}

/** A literal rule may name a chain or a set of others: without it the whole table does not load. */
function unresolved(next: Tables, sets: readonly IpSet[]): readonly Problem[] {
  const present = new Set(sets.map(({ name }) => name));
  return next.flatMap((table) => {
    const chains = new Set(table.chains.map(({ name }) => name));
    return table.chains
      .filter(({ name }) => isOwned(name))
      .flatMap(({ rules }) =>
        rules.flatMap((rule) => [
          ...(rule.target?.chain && !chains.has(rule.target.name)
            ? [missing('chain', `${table.name} ${rule.target.name}`, rule)]
            : []),
          ...setsNamedBy(rule)
            .filter((name) => !present.has(name))
            .map((name) => missing('set', name, rule)),
        ]),
      );
  });
}

const missing = (what: 'chain' | 'set', name: string, rule: Rule): Problem =>
  error(`missing-${what}`, `There is no ${what} ${name} here, which this rule names: ${rule.text}`, {
    location: rule.location,
    hint: 'Make it on the host first, or take the rule out of the policy.',
  });

/** What of a ruleset is ours: enough to place it again. With `tables` that is everything but others' sets. */
export function ownedPart(ruleset: Ruleset, ownership: Ownership): Ruleset {
  const sets = ruleset.sets.filter(({ name }) => isOwned(name) && name !== TEMPORARY_SET);
  if (ownership === 'tables') return { ...ruleset, sets };
  return { v4: ownedTables(ruleset.v4), v6: ownedTables(ruleset.v6), sets };
}

function ownedTables(tables: Tables): Tables {
  return tables.flatMap((table): Tables => {
    const chains = table.chains.flatMap((chain): readonly Chain[] => {
      if (isOwned(chain.name)) return [chain];
      if (!isBuiltIn(table.name, chain.name)) return [];
      const policy = table.name === 'filter' ? (chain.policy ?? 'ACCEPT') : 'ACCEPT';
      return [{ ...chain, policy, rules: chain.rules.filter(isEntryJump) }];
    });
    const some = chains.some(({ name, rules }) => isOwned(name) || rules.length > 0);
    return some || table.name === 'filter' ? [{ ...table, chains }] : [];
  });
}

/** Others' chains by name (`DOCKER`, `nat DOCKER`) and how many rules of others there are, in both families. */
function foreignOf({ v4, v6 }: Ruleset): {
  readonly chains: readonly string[];
  readonly rules: number;
} {
  const chains = new Set<string>();
  let rules = 0;
  for (const { name: table, chains: all } of [...v4, ...v6])
    for (const { name, rules: some } of all) {
      if (isOwned(name)) continue;
      if (!isBuiltIn(table, name)) chains.add(table === 'filter' ? name : `${table} ${name}`);
      rules += some.filter((rule) => !isEntryJump(rule)).length;
    }
  return { chains: [...chains].toSorted(), rules };
}
