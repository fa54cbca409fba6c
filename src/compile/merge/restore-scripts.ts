/** The way from one state of a host to another, as the texts that iptables-restore and ipset take. */

import type { Family } from '../../lib/family.js';
import {
  BUILT_IN_CHAINS,
  type Chain,
  type IpSet,
  type Ruleset,
  type RulesText,
  type Table,
  type TableName,
  type Tables,
} from '../../netfilter/model.js';
import { setMeaning } from '../../netfilter/sets.js';
import { chainOf, isBuiltIn, tableOf } from '../../netfilter/tables.js';
import { printRule } from '../../netfilter/text/print.js';
import { isEntryJump, isOwned, TEMPORARY_SET } from '../names.js';
import { sameSet } from './replace-managed.js';

/** What a host takes in this order: `sets`, `v4`, `v6`, `setsAfter` (the `Steps` of its port). */
export interface RestoreScript extends RulesText {
  readonly setsAfter: string;
}

/**
 * Turns `from` into `to`, naming only what differs, so that what others add in between stays. `v4` and `v6` are for
 * `iptables-restore --noflush`: one commit a table, so that no packet sees half of a table, and the filter first. `sets`
 * go before the rules that name them, `setsAfter` once no rule names them. What does not differ is the empty text.
 */
export const stepsBetween = (from: Ruleset, to: Ruleset): RestoreScript => ({
  sets: setSteps(from.sets, to.sets),
  v4: familySteps(from, to, 'v4'),
  v6: familySteps(from, to, 'v6'),
  setsAfter: setStepsAfter(from.sets, to.sets),
});

/** A verdict before a translation: a port is forwarded only when the filter is ready for it. */
const ORDER: readonly TableName[] = ['filter', 'raw', 'mangle', 'nat', 'security'];

const familySteps = (from: Ruleset, to: Ruleset, family: Family): string =>
  ORDER.map((name) => tableSteps(name, chainsOf(from[family], name), chainsOf(to[family], name))).join('');

/** A table that is absent decides like one whose chains are empty and accept. */
const chainsOf = (tables: Tables, name: TableName): Table =>
  tableOf(tables, name) ?? {
    name,
    chains: BUILT_IN_CHAINS[name].map((chain): Chain => ({ name: chain, policy: 'ACCEPT', rules: [] })),
  };

function tableSteps(name: TableName, from: Table, to: Table): string {
  const builtIn = BUILT_IN_CHAINS[name].map((chain) =>
    builtInSteps(chain, chainOf(from, chain), chainOf(to, chain)),
  );
  const own = (table: Table): readonly Chain[] =>
    table.chains.filter((chain) => !isBuiltIn(name, chain.name));
  const written = own(to).filter((chain) => !sameRules(chainOf(from, chain.name), chain));
  const gone = own(from).filter((chain) => chainOf(to, chain.name) === undefined);
  const lines = [
    ...builtIn.flatMap(({ policy }) => policy),
    // With --noflush a declaration empties the chain that is there, and only that one.
    ...[...written, ...gone].map((chain) => `:${chain.name} - [0:0]`),
    ...builtIn.flatMap(({ out }) => out),
    ...written.flatMap((chain) => chain.rules.map((rule) => printRule(chain, rule))),
    ...builtIn.flatMap(({ into }) => into),
    ...gone.map((chain) => `-X ${chain.name}`),
  ];
  return lines.length === 0 ? '' : [`*${name}`, ...lines, 'COMMIT', ''].join('\n');
}

interface BuiltInSteps {
  readonly policy: readonly string[];
  readonly out: readonly string[];
  readonly into: readonly string[];
}

const NOTHING: Pick<Chain, 'policy' | 'rules'> = { policy: 'ACCEPT', rules: [] };

/** Only hooks are moved; a chain in which others' rules differ (`ownership: tables`) is written anew. */
function builtInSteps(name: string, before: Chain | undefined, after: Chain | undefined): BuiltInSteps {
  const from = before ?? { name, ...NOTHING };
  const to = after ?? { name, ...NOTHING };
  const policy = from.policy === to.policy ? [] : [`:${name} ${to.policy ?? 'ACCEPT'} [0:0]`];
  if (sameRules(from, to)) return { policy, out: [], into: [] };
  if (!sameRules(foreign(from), foreign(to)))
    return { policy, out: [`-F ${name}`], into: to.rules.map((rule) => printRule({ name }, rule)) };
  return {
    policy,
    out: from.rules.filter(isEntryJump).map((rule) => `-D ${name} ${rule.text}`),
    into: to.rules.flatMap((rule, index) => (isEntryJump(rule) ? [insertion(name, to, index)] : [])),
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

/** At the end by -A, which holds however many rules of others have gone meanwhile; -I at a place too far would abort. */
function insertion(name: string, { rules }: Chain, index: number): string {
  const text = rules[index]?.text ?? '';
  const last = rules.slice(index + 1).every(isEntryJump);
  return last && index > 0 ? `-A ${name} ${text}` : `-I ${name} ${index + 1} ${text}`;
}

const owned = (sets: readonly IpSet[]): readonly IpSet[] =>
  sets.filter(({ name }) => isOwned(name) && name !== TEMPORARY_SET);

/**
 * Rules and sets cannot change in one moment. New members come before the rules and old ones go after them, so that in
 * between nobody is left out whom either state lets in. A set that must be made anew, or is too small to hold both, is
 * filled beside the one in use and the two are swapped: no packet meets half of it.
 */
function setSteps(from: readonly IpSet[], to: readonly IpSet[]): string {
  const before = new Map(from.map((set) => [set.name, set]));
  const lines = owned(to).flatMap((set) => {
    const old = before.get(set.name);
    if (old === undefined) return filled(set, set.name);
    if (sameSet(old, set)) return [];
    if (holdsBoth(old, set)) return only(set, old).map((member) => `add ${set.name} ${member}`);
    return [...filled(set, TEMPORARY_SET), `swap ${TEMPORARY_SET} ${set.name}`, `destroy ${TEMPORARY_SET}`];
  });
  // One that a broken run left behind.
  const stale = before.has(TEMPORARY_SET) ? [`destroy ${TEMPORARY_SET}`] : [];
  return [...stale, ...lines].map((line) => `${line}\n`).join('');
}

const filled = (set: IpSet, name: string): readonly string[] => [
  `create ${name} ${set.type} ${set.options}`.trimEnd(),
  ...set.members.map((member) => `add ${name} ${member}`),
];

function setStepsAfter(from: readonly IpSet[], to: readonly IpSet[]): string {
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

/** What the kernel gives a set that says nothing else (ipset(8)). */
const MAX_ELEMENTS = 65536;

function holdsBoth(from: IpSet, to: IpSet): boolean {
  if (setMeaning(from) !== setMeaning(to)) return false;
  const room = Number(/\bmaxelem (\d+)/.exec(to.options)?.[1] ?? MAX_ELEMENTS);
  return from.members.length + only(to, from).length <= room;
}

/** The members of one that the other has not. */
function only({ members }: IpSet, other: IpSet): readonly string[] {
  const known = new Set(other.members);
  return members.filter((member) => !known.has(member));
}
