/** The statements of one host, arranged as a policy arranges them: baseline, literal rules, rules, what is left. */

import type { Family } from '../../lib/family.js';
import { BUILT_IN_CHAINS, type TableName } from '../../netfilter/model.js';
import { withoutComment } from '../../netfilter/text/print.js';
import type { ChainItem, LiteralRule } from '../read/flatten.js';
import type { Direction, Statement, StatementLog } from '../read/statement.js';
import type { DraftRule } from './join.js';
import { joinFamilies, joinNeighbours } from './join.js';
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

/** How much is left to literal rules: what must be; all before the last that must be; everything. */
export type LiteralLevel = 0 | 1 | 2;

/** One way to say a host's rules. */
export interface DraftOptions {
  readonly parts: BaselineParts;
  readonly icmp: 'essential' | 'all' | 'none';
  readonly levels: { readonly [direction in Direction | 'nat']: LiteralLevel };
}

/** What the policy says without any rule of the host: its baseline, and what its translations bring. */
export interface ImpliedRules {
  readonly baseline: (family: Family, direction: Direction) => readonly Statement[];
  /** Rules of the filter table that translations bring, without their comments. */
  readonly fromNat: ReadonlySet<string>;
}

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
  readonly lists: {
    readonly [list in Direction | 'nat' | 'raw']: readonly DraftRule[];
  };
}

export const HOOK_OF: { readonly [direction in Direction]: string } = {
  input: 'INPUT',
  forward: 'FORWARD',
  output: 'OUTPUT',
};

/** The attempt needs a literal rule where there is none. */
class NotLiteral extends Error {}

/** `undefined` when the attempt cannot be written down. */
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
  const filter = (['input', 'forward', 'output'] as const).map((direction) =>
    draftDirection(
      direction,
      chains.filter(({ table, chain }) => table === 'filter' && chain === HOOK_OF[direction]),
      options,
      implied,
    ),
  );
  const [input, forward, output] = filter as [DirectionDraft, DirectionDraft, DirectionDraft];
  const nat = draftNat(
    chains.filter(({ table }) => table === 'nat'),
    options.levels.nat,
  );
  const others = chains.filter(({ table }) => table !== 'nat' && table !== 'filter');
  const log = [input, output, forward].find((each) => each.log !== undefined)?.log;
  return {
    baseline: {
      input: input.verdict,
      forward: forward.verdict,
      output: output.verdict,
      icmp: options.icmp,
      parts: options.parts,
      ...(log === undefined ? {} : { log }),
    },
    lists: {
      input: input.rules,
      forward: forward.rules,
      output: output.rules,
      nat: nat.translations,
      raw: [
        ...byChain(others, ({ items }) => literals(items)),
        ...nat.literal,
        ...filter.flatMap((each) => each.literal),
      ],
    },
  };
}

/** The same chain of both families side by side. */
function byChain(
  chains: readonly BuiltInChain[],
  lines: (chain: BuiltInChain) => readonly DraftRule[],
): readonly DraftRule[] {
  const names = new Set(
    Object.entries(BUILT_IN_CHAINS).flatMap(([table, some]) => some.map((chain) => `${table} ${chain}`)),
  );
  return [...names].flatMap((name) => {
    const some = chains.filter(({ table, chain }) => `${table} ${chain}` === name);
    const of = (family: Family): readonly DraftRule[] =>
      some.filter((chain) => chain.family === family).flatMap(lines);
    return joinFamilies(of('v4'), of('v6'));
  });
}

const literals = (items: readonly ChainItem[]): readonly DraftRule[] => items.flatMap(literal);

/** What the host does not say to others' programs. */
export const isImported = ({ program, leftInPlace }: ChainItem): boolean =>
  program === undefined && leftInPlace === undefined;

function literal(item: ChainItem): readonly DraftRule[] {
  if (!isImported(item)) return [];
  if (item.literal === undefined) throw new NotLiteral();
  return item.literal.map(({ rule, origin }): DraftRule => {
    const { table, family, chain } = item.top;
    // A rule that only counts, every packet, has no text.
    const text = rule.text === '' ? '-p all' : rule.text;
    return { statement: { kind: 'raw', table, chain, text }, families: [family], origins: [origin] };
  });
}

/** Lets a packet go on, or takes note of it: its place among the others matters though it decides nothing. */
const hasEffects = ({ rule: { target, matches } }: LiteralRule): boolean =>
  !/^(ACCEPT|DROP|REJECT)$/.test(target?.name ?? '') ||
  matches.some(
    ({ name, known }) => !known || /^(limit|hashlimit|recent|quota|statistic|rateest)$/.test(name),
  );

/** How many of the first statements must be literal so that literal ones may stand before all others. */
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
  const lines = (family: Family): readonly DraftRule[] => {
    const own = of(family);
    return own === undefined ? [] : [...own.rules, ...endLines(own, direction, verdict)];
  };
  const log = drafts.find((each) => each.log !== undefined)?.log;
  return {
    verdict,
    rules: shortest(lines('v4'), lines('v6')),
    literal: joinFamilies(of('v4')?.literal ?? [], of('v6')?.literal ?? []),
    ...(log === undefined ? {} : { log }),
  };
}

/** Families may put the same services into one rule or into several: what comes out shorter says it better. */
function shortest(v4: readonly DraftRule[], v6: readonly DraftRule[]): readonly DraftRule[] {
  const apart = joinNeighbours(joinFamilies(v4, v6), 'all');
  const before = [v4, v6].map((lines) => joinNeighbours(lines, 'all')) as [
    readonly DraftRule[],
    readonly DraftRule[],
  ];
  const together = joinNeighbours(joinFamilies(...before), 'all');
  return together.length < apart.length ? together : apart;
}

/** What is left in this family where the baseline says something else. */
function endLines(
  { end, endItem, log, family }: FamilyDraft,
  direction: Direction,
  verdict: 'drop' | 'accept',
): readonly DraftRule[] {
  if (end === 'deny' || (end === 'allow' && verdict === 'accept')) return [];
  const statement: Statement = {
    kind: 'rule',
    direction,
    verb: end,
    services: ['any'],
    ...(log === undefined ? {} : { log }),
    ...(endItem?.statement?.kind === 'rule' && endItem.statement.answer !== undefined
      ? { answer: endItem.statement.answer }
      : {}),
    ...(endItem?.statement?.comment === undefined ? {} : { comment: endItem.statement.comment }),
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
  const ours = chain.items.filter(isImported).filter((item) => !isFromNat(item, implied));
  const at = ours.findIndex(
    ({ statement }) => statement?.kind === 'rule' && statement.verb !== 'log' && matchesEverything(statement),
  );
  const endItem = at === -1 ? undefined : ours[at];
  const ending = endItem?.statement?.kind === 'rule' ? endItem.statement : undefined;
  const end = ending === undefined || ending.verb === 'log' ? ENDS[chain.policy] : ending.verb;
  const before = at === -1 ? ours : ours.slice(0, at);
  const last = before.at(-1)?.statement;
  const tailLog =
    last?.kind === 'rule' && last.verb === 'log' && matchesEverything(last) ? last.log : undefined;
  const log = end === 'allow' ? undefined : (ending?.log ?? tailLog);
  const items = end !== 'allow' && tailLog !== undefined ? before.slice(0, -1) : before;
  const taken = takenStates(parts, direction);
  const baseline = implied.baseline(family, direction);
  const left = items.flatMap((item): readonly ChainItem[] => {
    if (item.statement?.kind !== 'rule') return [item];
    const statement = withoutStates(item.statement, taken);
    if (statement === undefined || baseline.some((earlier) => coveredBy(statement, earlier))) return [];
    return [{ ...item, statement: withUsualStates(statement) }];
  });
  const { rules, literal: literalLines } = split(left, levels[direction]);
  return {
    family,
    end,
    ...(endItem === undefined ? {} : { endItem }),
    ...(log === undefined ? {} : { log }),
    rules,
    literal: literalLines,
  };
}

const isFromNat = ({ literal: some = [], statement }: ChainItem, { fromNat }: ImpliedRules): boolean =>
  statement === undefined && some.length > 0 && some.every(({ rule }) => fromNat.has(withoutComment(rule)));

/** Literal rules first, as they stand in a policy; then the rules in words, neighbours put together. */
function split(items: readonly ChainItem[], level: LiteralLevel): Pick<FamilyDraft, 'rules' | 'literal'> {
  const until = literalUntil(items, level);
  const rules = joinNeighbours(
    items.slice(until).flatMap((item): readonly DraftRule[] => {
      const { statement, origin, top } = item;
      return statement === undefined ? [] : [{ statement, families: [top.family], origins: [origin] }];
    }),
    'sides',
  );
  const literalItems = [
    ...items.slice(0, until),
    ...items.slice(until).filter(({ statement }) => statement === undefined),
  ];
  const shared = sharedBuckets(rules);
  if (shared.size === 0) return { rules, literal: literals(literalItems) };
  // Rules that share one count are one rule of the policy, or none.
  const without = items.map((item): ChainItem => {
    if (item.statement?.kind !== 'rule' || !shared.has(item.statement.rate?.bucket ?? '')) return item;
    const { statement, ...rest } = item;
    return rest;
  });
  return split(without, level);
}

function sharedBuckets(rules: readonly DraftRule[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const shared = new Set<string>();
  for (const { statement } of rules) {
    if (statement.kind !== 'rule' || statement.rate === undefined) continue;
    const { bucket } = statement.rate;
    if (seen.has(bucket)) shared.add(bucket);
    seen.add(bucket);
  }
  return shared;
}

function draftNat(chains: readonly BuiltInChain[], level: LiteralLevel) {
  const parts = chains.map((chain) => {
    const items = chain.items.filter(isImported);
    const until =
      level === 2 ? items.length : items.findLastIndex(({ statement }) => statement === undefined) + 1;
    const translations = joinNeighbours(
      items
        .slice(until)
        .flatMap(({ statement, origin, top }): readonly DraftRule[] =>
          statement === undefined ? [] : [{ statement, families: [top.family], origins: [origin] }],
        ),
      'sides',
    );
    return { chain, translations, literal: items.slice(0, until) };
  });
  const found = new Map(parts.map((part) => [part.chain, part]));
  return {
    translations: joinNeighbours(
      byChain(chains, (chain) => found.get(chain)?.translations ?? []),
      'all',
    ),
    literal: byChain(chains, (chain) => literals(found.get(chain)?.literal ?? [])),
  };
}
