/** Arranges the statements of one host as a policy: its baseline, literal rules, rules, and the verdict at the end. */

import type { Family } from '../../lib/family.js';
import { BUILT_IN_CHAINS, type TableName } from '../../netfilter/model.js';
import { withoutComment } from '../../netfilter/text/print.js';
import type { ListName } from '../read/entry.js';
import type { ChainItem, LiteralRule } from '../read/flatten.js';
import { type Direction, HOOK_OF, type Statement, type StatementLog } from '../read/statement.js';
import { type DraftRule, joinFamilies, joinNeighbours } from './join.js';
import {
  type BaselineParts,
  coveredBy,
  matchesEverything,
  takenStates,
  withoutStates,
  withUsualStates,
} from './packets.js';

/** The statements of one built-in chain in one family. */
export interface BuiltInChain {
  readonly family: Family;
  readonly table: TableName;
  readonly chain: string;
  readonly policy: 'ACCEPT' | 'DROP';
  readonly items: readonly ChainItem[];
}

/** Which rules are literal: 0 those that must be, 1 all before the last that must be, 2 all. */
export type LiteralLevel = 0 | 1 | 2;

/** How a draft expresses the rules of a host. */
export interface DraftOptions {
  readonly parts: BaselineParts;
  readonly icmp: 'essential' | 'all' | 'none';
  readonly levels: { readonly [direction in Direction | 'nat']: LiteralLevel };
}

/** What the policy compiles to without any rule of the host: its baseline, and rules that its NAT entries need. */
export interface ImpliedRules {
  readonly baseline: (family: Family, direction: Direction) => readonly Statement[];
  /** Rules of the filter table for NAT entries, without their comments. */
  readonly fromNat: ReadonlySet<string>;
}

/** No baseline and no NAT entries. */
export const NOTHING_IMPLIED: ImpliedRules = { baseline: () => [], fromNat: new Set() };

export interface BaselineDraft {
  readonly input: 'drop' | 'accept';
  readonly forward: 'drop' | 'accept';
  readonly output: 'drop' | 'accept';
  readonly icmp: DraftOptions['icmp'];
  readonly parts: BaselineParts;
  readonly log?: StatementLog;
}

export interface HostDraft {
  readonly baseline: BaselineDraft;
  readonly lists: { readonly [list in ListName]: readonly DraftRule[] };
}

/** The options need a literal rule for an item that has none. */
class NotLiteral extends Error {}

/** The policy of one host; `undefined` if it cannot be written with these options. */
export function draftHost(
  chains: readonly BuiltInChain[],
  options: DraftOptions,
  implied: ImpliedRules,
): HostDraft | undefined {
  try {
    return draft(chains, options, implied);
  } catch (thrown) {
    if (thrown instanceof NotLiteral) return undefined;
    throw thrown;
  }
}

function draft(chains: readonly BuiltInChain[], options: DraftOptions, implied: ImpliedRules): HostDraft {
  const draftOf = (direction: Direction): DirectionDraft =>
    draftDirection(
      direction,
      chains.filter(({ table, chain }) => table === 'filter' && chain === HOOK_OF[direction]),
      options,
      implied,
    );
  const [input, forward, output] = [draftOf('input'), draftOf('forward'), draftOf('output')];
  const nat = draftNat(
    chains.filter(({ table }) => table === 'nat'),
    options.levels.nat,
  );
  const others = chains.filter(({ table }) => table !== 'nat' && table !== 'filter');
  return {
    baseline: {
      input: input.verdict,
      forward: forward.verdict,
      output: output.verdict,
      icmp: options.icmp,
      parts: options.parts,
      log: input.log ?? output.log ?? forward.log,
    },
    lists: {
      input: input.rules,
      forward: forward.rules,
      output: output.rules,
      nat: nat.rules,
      raw: [
        ...byChain(others, ({ items }) => literals(items)),
        ...nat.literal,
        ...[input, forward, output].flatMap((each) => each.literal),
      ],
    },
  };
}

const CHAIN_NAMES = Object.entries(BUILT_IN_CHAINS).flatMap(([table, chains]) =>
  chains.map((chain) => `${table} ${chain}`),
);

/** Chain by chain, each with the rules of both families. */
const byChain = (
  chains: readonly BuiltInChain[],
  rules: (chain: BuiltInChain) => readonly DraftRule[],
): readonly DraftRule[] =>
  CHAIN_NAMES.flatMap((name) => {
    const named = chains.filter(({ table, chain }) => `${table} ${chain}` === name);
    const of = (family: Family): readonly DraftRule[] =>
      named.filter((chain) => chain.family === family).flatMap(rules);
    return joinFamilies(of('v4'), of('v6'));
  });

const literals = (items: readonly ChainItem[]): readonly DraftRule[] => items.flatMap(literal);

/** Whether an item becomes part of the policy: neither a program nor a table that is not imported has it. */
export const isImported = ({ program, leftInPlace }: ChainItem): boolean =>
  program === undefined && leftInPlace === undefined;

function literal(item: ChainItem): readonly DraftRule[] {
  if (!isImported(item)) return [];
  if (item.literal === undefined) throw new NotLiteral();
  return item.literal.map(({ rule, origin }): DraftRule => {
    const { table, family, chain } = item.top;
    // A rule that only counts every packet has no text.
    const text = rule.text === '' ? '-p all' : rule.text;
    return { statement: { kind: 'raw', table, chain, text }, families: [family], origins: [origin] };
  });
}

/** Whether the position of a rule matters even though it decides nothing: it logs, marks, or changes a counter. */
const hasEffects = ({ rule: { target, matches } }: LiteralRule): boolean =>
  !/^(ACCEPT|DROP|REJECT)$/.test(target?.name ?? '') ||
  matches.some(
    ({ name, known }) => !known || /^(limit|hashlimit|recent|quota|statistic|rateest)$/.test(name),
  );

/** How many of the first items must be literal so that literal rules can come before all others. */
function literalUntil(items: readonly ChainItem[], level: LiteralLevel): number {
  if (level === 2) return items.length;
  const mustStay = (item: ChainItem, index: number): boolean =>
    item.statement === undefined &&
    (level === 1 ||
      (item.literal ?? []).some(hasEffects) ||
      items
        .slice(0, index)
        .some(({ statement }) => statement?.kind === 'rule' && statement.log !== undefined));
  return items.findLastIndex(mustStay) + 1;
}

interface DirectionDraft {
  readonly verdict: 'drop' | 'accept';
  readonly rules: readonly DraftRule[];
  readonly literal: readonly DraftRule[];
  readonly log?: StatementLog;
}

interface FamilyDraft {
  readonly family: Family;
  /** The verdict on what no rule matches, and the rule that gives it instead of the chain's policy. */
  readonly end: 'allow' | 'deny' | 'reject';
  readonly endItem?: ChainItem;
  readonly log?: StatementLog;
  readonly rules: readonly DraftRule[];
  readonly literal: readonly DraftRule[];
}

function draftDirection(
  direction: Direction,
  chains: readonly BuiltInChain[],
  options: DraftOptions,
  implied: ImpliedRules,
): DirectionDraft {
  const drafts = chains.map((chain) => draftFamily(direction, chain, options, implied));
  const verdict = drafts.some(({ end }) => end !== 'allow') || drafts.length === 0 ? 'drop' : 'accept';
  const of = (family: Family): FamilyDraft | undefined => drafts.find((each) => each.family === family);
  const rules = (family: Family): readonly DraftRule[] => {
    const own = of(family);
    return own === undefined ? [] : [...own.rules, ...endRules(own, direction, verdict)];
  };
  return {
    verdict,
    rules: shortest(rules('v4'), rules('v6')),
    literal: joinFamilies(of('v4')?.literal ?? [], of('v6')?.literal ?? []),
    log: drafts.find((each) => each.log !== undefined)?.log,
  };
}

/** Families may have the same services in one rule or in several: the shorter of two orders of merging. */
function shortest(v4: readonly DraftRule[], v6: readonly DraftRule[]): readonly DraftRule[] {
  const apart = joinNeighbours(joinFamilies(v4, v6), 'all');
  const together = joinNeighbours(joinFamilies(joinNeighbours(v4, 'all'), joinNeighbours(v6, 'all')), 'all');
  return together.length < apart.length ? together : apart;
}

/** The final verdict of a family as a rule, if the baseline has another one. */
function endRules(
  { end, endItem, log, family }: FamilyDraft,
  direction: Direction,
  verdict: 'drop' | 'accept',
): readonly DraftRule[] {
  if (end === 'deny' || (end === 'allow' && verdict === 'accept')) return [];
  const origin = endItem?.statement;
  const statement: Statement = {
    kind: 'rule',
    direction,
    verb: end,
    services: ['any'],
    log,
    answer: origin?.kind === 'rule' ? origin.answer : undefined,
    comment: origin?.comment,
  };
  return [{ statement, families: [family], origins: endItem === undefined ? [] : [endItem.origin] }];
}

const ENDS = { ACCEPT: 'allow', DROP: 'deny' } as const;

function draftFamily(
  direction: Direction,
  chain: BuiltInChain,
  { parts, levels }: DraftOptions,
  implied: ImpliedRules,
): FamilyDraft {
  const { family } = chain;
  const imported = chain.items.filter((item) => isImported(item) && !isFromNat(item, implied));
  const at = imported.findIndex(
    ({ statement }) => statement?.kind === 'rule' && statement.verb !== 'log' && matchesEverything(statement),
  );
  const endItem = at === -1 ? undefined : imported[at];
  const ending = endItem?.statement?.kind === 'rule' ? endItem.statement : undefined;
  const end = ending === undefined || ending.verb === 'log' ? ENDS[chain.policy] : ending.verb;
  const before = at === -1 ? imported : imported.slice(0, at);
  const last = before.at(-1)?.statement;
  const lastLog =
    last?.kind === 'rule' && last.verb === 'log' && matchesEverything(last) ? last.log : undefined;
  const items = end !== 'allow' && lastLog !== undefined ? before.slice(0, -1) : before;
  const taken = takenStates(parts, direction);
  const baseline = implied.baseline(family, direction);
  const left = items.flatMap((item): readonly ChainItem[] => {
    if (item.statement?.kind !== 'rule') return [item];
    const statement = withoutStates(item.statement, taken);
    if (statement === undefined || baseline.some((earlier) => coveredBy(statement, earlier))) return [];
    return [{ ...item, statement: withUsualStates(statement) }];
  });
  return {
    family,
    end,
    endItem,
    log: end === 'allow' ? undefined : (ending?.log ?? lastLog),
    ...split(left, levels[direction]),
  };
}

const isFromNat = ({ literal: rules = [], statement }: ChainItem, { fromNat }: ImpliedRules): boolean =>
  statement === undefined && rules.length > 0 && rules.every(({ rule }) => fromNat.has(withoutComment(rule)));

/** Those of the items that have a statement, as rules. */
const draftRules = (items: readonly ChainItem[]): readonly DraftRule[] =>
  joinNeighbours(
    items.flatMap(({ statement, origin, top }): readonly DraftRule[] =>
      statement === undefined ? [] : [{ statement, families: [top.family], origins: [origin] }],
    ),
    'addresses',
  );

/** Literal rules come first, as in a policy; then the others, with neighbours merged. */
function split(items: readonly ChainItem[], level: LiteralLevel): Pick<FamilyDraft, 'rules' | 'literal'> {
  const until = literalUntil(items, level);
  const [first, others] = [items.slice(0, until), items.slice(until)];
  const rules = draftRules(others);
  const shared = sharedBuckets(rules);
  if (shared.size === 0)
    return { rules, literal: literals([...first, ...others.filter((item) => item.statement === undefined)]) };
  // Rules that share one count must be one rule of the policy; otherwise they are literal.
  const literalInstead = items.map((item): ChainItem => {
    const bucket = item.statement?.kind === 'rule' ? item.statement.rate?.bucket : undefined;
    return bucket !== undefined && shared.has(bucket) ? { ...item, statement: undefined } : item;
  });
  return split(literalInstead, level);
}

/** The buckets of more than one rule. */
function sharedBuckets(rules: readonly DraftRule[]): ReadonlySet<string> {
  const buckets = rules.flatMap(({ statement }) =>
    statement.kind === 'rule' ? (statement.rate?.bucket ?? []) : [],
  );
  return new Set(buckets.filter((bucket, index) => buckets.indexOf(bucket) !== index));
}

function draftNat(chains: readonly BuiltInChain[], level: LiteralLevel) {
  const items = (chain: BuiltInChain) => {
    const imported = chain.items.filter(isImported);
    const until =
      level === 2 ? imported.length : imported.findLastIndex(({ statement }) => statement === undefined) + 1;
    return { literal: imported.slice(0, until), others: imported.slice(until) };
  };
  return {
    rules: joinNeighbours(
      byChain(chains, (chain) => draftRules(items(chain).others)),
      'all',
    ),
    literal: byChain(chains, (chain) => literals(items(chain).literal)),
  };
}
