/** What the last deploy left on a host: differences from it to the policy were not made by hand. */
import { isOwned } from '../compile/names.js';
import { readRuleset } from '../compile/render.js';
import type { HostState } from '../host/client.js';
import { FAMILIES, type Family } from '../lib/family.js';
import type { Ruleset, TableName } from '../netfilter/model.js';
import type { Host } from '../policy/fleet.js';
import type { ChangedRule, Difference } from './differences.js';

export interface Deployed {
  /** Rules of owned chains, and policies as `-P DROP`: keys of {@link ruleKey}. */
  readonly rules: ReadonlySet<string>;
  /** The members of each set, by its name. */
  readonly sets: ReadonlyMap<string, readonly string[]>;
}

const ruleKey = (family: Family, table: TableName, chain: string, rule: string): string =>
  `${family} ${table} ${chain} ${rule}`;

/** The newest known-good state that the host keeps; `undefined` if it was never deployed to. */
export function deployedOn(host: Host, { record }: HostState): Deployed | undefined {
  const rules = record.history.find(({ number }) => number === 1)?.rules;
  const read = rules === undefined ? undefined : readRuleset(rules, `${host.name} known good`);
  return read?.ok ? index(read.value) : undefined;
}

function index(ruleset: Ruleset): Deployed {
  const rules = new Set<string>();
  for (const family of FAMILIES)
    for (const { name: table, chains } of ruleset[family])
      for (const chain of chains) {
        if (chain.policy !== undefined) rules.add(ruleKey(family, table, chain.name, `-P ${chain.policy}`));
        if (isOwned(chain.name))
          for (const { text } of chain.rules) rules.add(ruleKey(family, table, chain.name, text));
      }
  return { rules, sets: new Map(ruleset.sets.map(({ name, members }) => [name, members])) };
}

const ADDED = 'It was added to the policy after the last deploy; the next deploy applies it.';
const REMOVED = 'It was removed from the policy after the last deploy; the next deploy removes it.';

/** Why a difference was not made by hand; `undefined` if it was, or may have been. */
export function changedInPolicy(difference: Difference, { rules, sets }: Deployed): string | undefined {
  switch (difference.kind) {
    case 'removed':
    case 'added': {
      const wasDeployed = ({ family, chain, rule }: ChangedRule): boolean =>
        rules.has(ruleKey(family, difference.table, chain, rule.text));
      if (difference.kind === 'added') return difference.rules.every(wasDeployed) ? REMOVED : undefined;
      return difference.rules.some(wasDeployed) ? undefined : ADDED;
    }
    case 'policy': {
      const { table, chain, families, policy } = difference;
      return families.every((family) => rules.has(ruleKey(family, table, chain, `-P ${policy}`)))
        ? ADDED
        : undefined;
    }
    case 'set': {
      const { name, added, removed } = difference;
      const members = new Set(sets.get(name));
      return added.every((one) => members.has(one)) && !removed.some((one) => members.has(one))
        ? ADDED
        : undefined;
    }
    case 'moved':
    case 'entry-jump':
      return undefined;
  }
}
