/** A host's rules with the part that the policy manages replaced. */

import { FAMILIES, type Family } from '../../lib/family.js';
import { error, type Problem, warning } from '../../lib/problem.js';
import type { Chain, IpSet, Rule, Ruleset, Table, TableName, Tables } from '../../netfilter/model.js';
import { inSetOrder, setMeaning } from '../../netfilter/sets.js';
import {
  chainOf,
  emptyTable,
  inSaveOrder,
  isBuiltIn,
  setsNamedBy,
  TABLE_NAMES,
  tableOf,
} from '../../netfilter/tables.js';
import type { ProgramName } from '../../policy/programs.js';
import { chainText, isEntryJump, isOwned, ownedChain, TEMPORARY_SET } from '../names.js';
import { programOfRule } from '../programs.js';
import { withoutTail } from '../rules/baseline.js';
import { bypassing, hasForeignBelow, withEntryJumps } from './entry-jump.js';
import { takeTables } from './take-tables.js';

export type Ownership = 'chains' | 'tables';

export interface Replacement {
  /** The rules with the owned part replaced by what is desired. */
  readonly next: Ruleset;
  /** Foreign chains (`DOCKER`, `nat DOCKER`), and the number of foreign rules. */
  readonly foreign: { readonly chains: readonly string[]; readonly rules: number };
  readonly problems: readonly Problem[];
}

export interface ReplaceOptions {
  /** With `tables`: programs whose rules may go although they may be running. */
  readonly mayRemove?: readonly ProgramName[];
  /**
   * For saved rules: those that the host will run. Programs append their rules to FORWARD when they start, after the saved ones
   * are loaded; these must then reach them as they do now.
   */
  readonly running?: Ruleset;
}

/**
 * Replaces the owned part of the rules that a host runs, or of a file that it loads. With `chains` everything else stays
 * the same, rule for rule; with `tables` nothing else is left. A second replacement changes nothing.
 */
export function replaceManaged(
  live: Ruleset,
  desired: Ruleset,
  ownership: Ownership,
  options: ReplaceOptions = {},
): Replacement {
  const { next, problems } =
    ownership === 'tables'
      ? takeTables(live, desired, options.mayRemove ?? [])
      : replaceChains(live, desired, options.running);
  return {
    // What others made with nft stays as it is, and decides as before.
    next: live.nft === undefined ? next : { ...next, nft: live.nft },
    foreign: foreignOf(live),
    problems: [...problems, ...FAMILIES.flatMap((family) => unresolved(next[family], next.sets))],
  };
}

function replaceChains(
  live: Ruleset,
  desired: Ruleset,
  running: Ruleset | undefined,
): Pick<Replacement, 'next' | 'problems'> {
  const tables = (family: Family): Tables =>
    TABLE_NAMES.flatMap((name) =>
      replaceTable(
        name,
        tableOf(live[family], name),
        tableOf(desired[family], name),
        running && tableOf(running[family], name),
      ),
    );
  return {
    next: { v4: tables('v4'), v6: tables('v6'), sets: replaceSets(live, desired) },
    problems: FAMILIES.flatMap((family) => findings(live[family], desired[family], family)),
  };
}

function replaceTable(
  name: TableName,
  live: Table | undefined,
  desired: Table | undefined,
  running: Table | undefined,
): readonly Table[] {
  if (live === undefined && desired === undefined) return [];
  const base = live ?? emptyTable(name);
  const builtIn = base.chains.filter((chain) => isBuiltIn(name, chain.name));
  const replaced = builtIn.map((chain): Chain => {
    const jumps = chainOf(desired, chain.name)?.rules ?? [];
    const rules = withEntryJumps({ live: base, desired, chain }, jumps);
    return { ...chain, policy: policyOf(base, desired, chain), rules };
  });
  const foreign = base.chains.filter((chain) => !isBuiltIn(name, chain.name) && !isOwned(chain.name));
  const forward = name === 'filter' ? replaced.find((chain) => chain.name === 'FORWARD') : undefined;
  const fallsThrough =
    forward !== undefined &&
    forward.policy === 'DROP' &&
    [forward, chainOf(running, 'FORWARD')].some((chain) => chain !== undefined && hasForeignBelow(chain));
  const own = (desired?.chains ?? [])
    .filter((chain) => isOwned(chain.name))
    .map((chain) =>
      fallsThrough && chain.name === ownedChain('FORWARD')
        ? { ...chain, rules: withoutTail(chain.rules) }
        : chain,
    );
  return [{ ...base, chains: inSaveOrder(name, [...replaced, ...foreign, ...own]) }];
}

/**
 * Only the policies of the filter table are managed. Where nothing is desired any more, a chain is set to ACCEPT when its
 * entry jump goes, because nothing would accept packets. Docker sets the policy of FORWARD to DROP too: it stays as
 * long as Docker has rules there.
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

/** Managed sets replaced; equal ones stay as the kernel has them, and a set that foreign rules name is kept. */
function replaceSets(live: Ruleset, desired: Ruleset): readonly IpSet[] {
  const managed = new Map(desired.sets.map((set) => [set.name, set]));
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
    const next = managed.get(set.name);
    if (next === undefined)
      return !isOwned(set.name) || (named.has(set.name) && set.name !== TEMPORARY_SET) ? [set] : [];
    return [sameSet(set, next) ? set : next];
  });
  const present = new Set(kept.map(({ name }) => name));
  return inSetOrder([...kept, ...desired.sets.filter(({ name }) => !present.has(name))]);
}

/** The same type, options and members. */
export const sameSet = (a: IpSet, b: IpSet): boolean =>
  setMeaning(a) === setMeaning(b) &&
  a.members.length === b.members.length &&
  a.members.toSorted().join('\n') === b.members.toSorted().join('\n');

function findings(live: Tables, desired: Tables, family: Family): readonly Problem[] {
  return live.flatMap((table) => {
    const wanted = tableOf(desired, table.name);
    return table.chains.flatMap((chain) => {
      if (isOwned(chain.name)) return [];
      const where = chainText(family, table, chain);
      return isBuiltIn(table.name, chain.name)
        ? [
            ...bypassing({ live: table, desired: wanted, chain }).map((rule) =>
              warning(
                'bypass',
                `In ${where} a rule above the jump to the policy's rules may accept what the policy drops: ${rule.text}`,
                {
                  location: rule.location,
                  hint: 'A deploy moves the jump above it; remove the rule, or add it to the policy.',
                },
              ),
            ),
            ...staleJumps(chain, wanted, where),
          ]
        : strayJumps(chain, wanted, where);
    });
  });
}

function staleJumps(chain: Chain, wanted: Table | undefined, where: string): readonly Problem[] {
  const left = new Set(chainOf(wanted, chain.name)?.rules.map(({ text }) => text));
  return chain.rules
    .filter((rule) => isEntryJump(rule) && !left.delete(rule.text))
    .map((rule) =>
      warning(
        'stale-hook',
        `In ${where} a jump to an owned chain is not the one of the policy: ${rule.text}`,
        { location: rule.location, hint: 'A deploy removes it.' },
      ),
    );
}

/** Jumps from foreign chains to owned ones that will be removed. */
const strayJumps = ({ rules }: Chain, wanted: Table | undefined, where: string): readonly Problem[] =>
  rules
    .filter((rule) => isEntryJump(rule) && chainOf(wanted, rule.target?.name ?? '') === undefined)
    .map((rule) =>
      error(
        'jump-to-owned',
        `In ${where} a rule jumps to an owned chain that the policy no longer has: ${rule.text}`,
        {
          location: rule.location,
          hint: 'Remove the rule on the host: the chain cannot be deleted while the rule exists.',
        },
      ),
    );

/** A literal rule may name a foreign chain or set: without it the whole table fails to load. */
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
  error(`missing-${what}`, `There is no ${what} ${name} on the host, which this rule names: ${rule.text}`, {
    location: rule.location,
    hint: 'Create it on the host first, or remove the rule from the policy.',
  });

/** The managed part of a ruleset, from which it can be restored. With `tables` that is everything but foreign sets. */
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

/** Foreign chains by name (`DOCKER`, `nat DOCKER`) and the number of foreign rules, in both families. */
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
