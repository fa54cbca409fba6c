/** What the last deploy left on a host: what differs from the policy only because of that was not done by hand. */
import { isOwned } from '../compile/names.js';
import { readRuleset } from '../compile/read.js';
import type { HostState } from '../host/client.js';
import { FAMILIES, type Family } from '../lib/family.js';
import type { Ruleset, TableName } from '../netfilter/model.js';
import type { Host } from '../policy/fleet.js';
import type { Difference } from './differences.js';

export interface Deployed {
  readonly has: (family: Family, table: TableName, chain: string, text: string) => boolean;
  readonly policy: (family: Family, table: TableName, chain: string) => string | undefined;
  /** The members of a set; empty when there is none. */
  readonly members: (name: string) => readonly string[];
}

/** From the newest known-good state that the host keeps; a host that was never deployed has none. */
export function deployedOn(host: Host, { record }: HostState): Deployed | undefined {
  const rules = record.history.find(({ number }) => number === 1)?.rules;
  const read = rules === undefined ? undefined : readRuleset(rules, `${host.name} known good`);
  return read?.ok ? index(read.value) : undefined;
}

function index(ruleset: Ruleset): Deployed {
  const rules = new Set<string>();
  const policies = new Map<string, string>();
  for (const family of FAMILIES)
    for (const { name: table, chains } of ruleset[family])
      for (const chain of chains) {
        if (chain.policy !== undefined) policies.set(`${family} ${table} ${chain.name}`, chain.policy);
        if (isOwned(chain.name))
          for (const { text } of chain.rules) rules.add(`${family} ${table} ${chain.name} ${text}`);
      }
  return {
    has: (family, table, chain, text) => rules.has(`${family} ${table} ${chain} ${text}`),
    policy: (family, table, chain) => policies.get(`${family} ${table} ${chain}`),
    members: (name) => ruleset.sets.find((set) => set.name === name)?.members ?? [],
  };
}

const NOT_YET = 'The policy has come to say it since the last deploy here; the next one brings it.';
const NO_MORE = 'The policy has ceased to say it since the last deploy here; the next one takes it out.';

/** Why a difference is none of somebody's hands; `undefined` when it is, or may be. */
export function changedInPolicy(difference: Difference, deployed: Deployed): string | undefined {
  switch (difference.kind) {
    case 'removed': {
      const { table, rules } = difference;
      return rules.some(({ family, chain, rule }) => deployed.has(family, table, chain, rule.text))
        ? undefined
        : NOT_YET;
    }
    case 'added': {
      const { table, rules } = difference;
      return rules.every(({ family, chain, rule }) => deployed.has(family, table, chain, rule.text))
        ? NO_MORE
        : undefined;
    }
    case 'policy': {
      const { table, chain, families, policy } = difference;
      return families.every((family) => deployed.policy(family, table, chain) === policy)
        ? NOT_YET
        : undefined;
    }
    case 'set': {
      const { name, added, removed } = difference;
      const was = new Set(deployed.members(name));
      return added.every((one) => was.has(one)) && !removed.some((one) => was.has(one)) ? NOT_YET : undefined;
    }
    case 'moved':
    case 'hook':
      return undefined;
  }
}
