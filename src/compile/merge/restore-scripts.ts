/** Input for iptables-restore and ipset that turns one state of a host into another. */

import type { Family } from '../../lib/family.js';
import {
  BUILT_IN_CHAINS,
  type Chain,
  type IpSet,
  type RestoreScripts,
  type Ruleset,
  type Table,
  type TableName,
  type Tables,
} from '../../netfilter/model.js';
import { setMeaning } from '../../netfilter/sets.js';
import { chainOf, emptyTable, isBuiltIn, tableOf } from '../../netfilter/tables.js';
import { printRule } from '../../netfilter/text/print.js';
import { isEntryJump, isOwned, TEMPORARY_SET } from '../names.js';
import { sameSet } from './replace-managed.js';

/**
 * Turns `from` into `to`. It names only what differs, so that rules added by others meanwhile stay. `v4` and `v6` are for
 * `iptables-restore --noflush`: one commit for each table, so that no packet sees half of a table, the filter first.
 * `sets` come before the rules that name them, `setsAfter` when no rule names them any more. Equal parts are empty.
 */
export const restoreScripts = (from: Ruleset, to: Ruleset): RestoreScripts => ({
  sets: setScript(from.sets, to.sets),
  v4: familyScript(from, to, 'v4'),
  v6: familyScript(from, to, 'v6'),
  setsAfter: laterSetScript(from.sets, to.sets),
});

/** The filter comes before nat: a port is forwarded only when the filter is ready for it. */
const ORDER: readonly TableName[] = ['filter', 'raw', 'mangle', 'nat', 'security'];

const familyScript = (from: Ruleset, to: Ruleset, family: Family): string =>
  ORDER.map((name) =>
    tableScript(name, tableOrEmpty(from[family], name), tableOrEmpty(to[family], name)),
  ).join('');

const tableOrEmpty = (tables: Tables, name: TableName): Table => tableOf(tables, name) ?? emptyTable(name);

function tableScript(name: TableName, from: Table, to: Table): string {
  const builtIn = BUILT_IN_CHAINS[name].map((chain) =>
    builtInCommands(chain, chainOf(from, chain), chainOf(to, chain)),
  );
  const own = (table: Table): readonly Chain[] =>
    table.chains.filter((chain) => !isBuiltIn(name, chain.name));
  const changed = own(to).filter((chain) => !sameRules(chainOf(from, chain.name), chain));
  const gone = own(from).filter((chain) => chainOf(to, chain.name) === undefined);
  const lines = [
    ...builtIn.flatMap(({ policy }) => policy),
    // With --noflush a declaration empties an existing chain, and only that one.
    ...[...changed, ...gone].map((chain) => `:${chain.name} - [0:0]`),
    ...builtIn.flatMap(({ remove }) => remove),
    ...changed.flatMap((chain) => chain.rules.map((rule) => printRule(chain, rule))),
    ...builtIn.flatMap(({ add }) => add),
    ...gone.map((chain) => `-X ${chain.name}`),
  ];
  return lines.length === 0 ? '' : [`*${name}`, ...lines, 'COMMIT', ''].join('\n');
}

interface BuiltInCommands {
  readonly policy: readonly string[];
  readonly remove: readonly string[];
  readonly add: readonly string[];
}

const NOTHING: Pick<Chain, 'policy' | 'rules'> = { policy: 'ACCEPT', rules: [] };

/** Only entry jumps are moved; a chain whose foreign rules differ (`ownership: tables`) is written in full. */
function builtInCommands(name: string, before: Chain | undefined, after: Chain | undefined): BuiltInCommands {
  const from = before ?? { name, ...NOTHING };
  const to = after ?? { name, ...NOTHING };
  const policy = from.policy === to.policy ? [] : [`:${name} ${to.policy ?? 'ACCEPT'} [0:0]`];
  if (sameRules(from, to)) return { policy, remove: [], add: [] };
  if (!sameRules(foreign(from), foreign(to)))
    return { policy, remove: [`-F ${name}`], add: to.rules.map((rule) => printRule({ name }, rule)) };
  return {
    policy,
    remove: from.rules.filter(isEntryJump).map((rule) => `-D ${name} ${rule.text}`),
    add: to.rules.flatMap((rule, index) => (isEntryJump(rule) ? [insertion(name, to, index)] : [])),
  };
}

const foreign = (chain: Chain): Chain => ({
  ...chain,
  rules: chain.rules.filter((rule) => !isEntryJump(rule)),
});

const sameRules = (a: Chain | undefined, b: Chain): boolean =>
  a !== undefined &&
  a.rules.length === b.rules.length &&
  a.rules.every(({ text }, index) => text === b.rules[index]?.text);

/** `-A` at the end: `-I` with a number beyond the chain would fail when foreign rules have been removed meanwhile. */
function insertion(name: string, { rules }: Chain, index: number): string {
  const text = rules[index]?.text ?? '';
  const last = rules.slice(index + 1).every(isEntryJump);
  return last && index > 0 ? `-A ${name} ${text}` : `-I ${name} ${index + 1} ${text}`;
}

const owned = (sets: readonly IpSet[]): readonly IpSet[] =>
  sets.filter(({ name }) => isOwned(name) && name !== TEMPORARY_SET);

/**
 * Rules and sets cannot change at the same moment. New members are added before the rules change and old ones removed
 * after, so that in between nobody is refused whom either state accepts. A set that has to be created again, or is too
 * small for both, is filled under another name and swapped: no packet sees half of it.
 */
function setScript(from: readonly IpSet[], to: readonly IpSet[]): string {
  const before = new Map(from.map((set) => [set.name, set]));
  const lines = owned(to).flatMap((set) => {
    const old = before.get(set.name);
    if (old === undefined) return filled(set, set.name);
    if (sameSet(old, set)) return [];
    if (holdsBoth(old, set)) return only(set, old).map((member) => `add ${set.name} ${member}`);
    return [...filled(set, TEMPORARY_SET), `swap ${TEMPORARY_SET} ${set.name}`, `destroy ${TEMPORARY_SET}`];
  });
  // An interrupted run may have left it.
  const stale = before.has(TEMPORARY_SET) ? [`destroy ${TEMPORARY_SET}`] : [];
  return [...stale, ...lines].map((line) => `${line}\n`).join('');
}

const filled = (set: IpSet, name: string): readonly string[] => [
  `create ${name} ${set.type} ${set.options}`.trimEnd(),
  ...set.members.map((member) => `add ${name} ${member}`),
];

function laterSetScript(from: readonly IpSet[], to: readonly IpSet[]): string {
  const after = new Map(to.map((set) => [set.name, set]));
  return owned(from)
    .flatMap((old) => {
      const set = after.get(old.name);
      if (set === undefined) return [`destroy ${old.name}`];
      return holdsBoth(old, set) ? only(old, set).map((member) => `del ${old.name} ${member}`) : [];
    })
    .map((line) => `${line}\n`)
    .join('');
}

/** The default of `maxelem` (ipset(8)). */
const MAX_ELEMENTS = 65536;

function holdsBoth(from: IpSet, to: IpSet): boolean {
  if (setMeaning(from) !== setMeaning(to)) return false;
  const most = Number(/\bmaxelem (\d+)/.exec(to.options)?.[1] ?? MAX_ELEMENTS);
  return from.members.length + only(to, from).length <= most;
}

/** The members that the other set does not have. */
function only({ members }: IpSet, other: IpSet): readonly string[] {
  const known = new Set(other.members);
  return members.filter((member) => !known.has(member));
}
