/** The statements of one host, arranged as a policy arranges them: baseline, literal rules, rules, what is left. */

import type { Family } from '../../lib/family.js';
import { BUILT_IN_CHAINS, type TableName } from '../../netfilter/model.js';
import type { Flat, Item } from '../read/flatten.js';
import type { Direction, Statement, StatementLog } from '../read/statement.js';
import type { Draft } from './join.js';
import { joinFamilies, joinNeighbours } from './join.js';
import { afterStates, coveredBy, inUsualStates, isEverything, type Parts, takenStates } from './packets.js';

/** The statements of one built-in chain in one family. */
export interface ChainItems {
  readonly family: Family;
  readonly table: TableName;
  readonly chain: string;
  readonly policy: 'ACCEPT' | 'DROP';
  readonly items: readonly Item[];
}

/** How much is left to literal rules: what must be; all before the last that must be; everything. */
export type Level = 0 | 1 | 2;

/** One way to say a host's rules. */
export interface Attempt {
  readonly parts: Parts;
  readonly icmp: 'essential' | 'all' | 'none';
  readonly levels: { readonly [direction in Direction | 'nat']: Level };
}

/** What the policy says without any rule of the host: its baseline, and what its translations bring. */
export interface Given {
  readonly baseline: (family: Family, direction: Direction) => readonly Statement[];
  /** Rules of the filter table that translations bring, without their comments. */
  readonly brought: ReadonlySet<string>;
}

export const NOTHING_GIVEN: Given = { baseline: () => [], brought: new Set() };

export interface BaselineDraft {
  readonly input: 'drop' | 'accept';
  readonly forward: 'drop' | 'accept';
  readonly output: 'drop' | 'accept';
  readonly icmp: Attempt['icmp'];
  readonly parts: Parts;
  readonly log?: StatementLog;
}

export interface HostDraft {
  readonly baseline: BaselineDraft;
  readonly lists: {
    readonly [list in Direction | 'nat' | 'raw']: readonly Draft[];
  };
}

export const DIRECTIONS: { readonly [direction in Direction]: string } = {
  input: 'INPUT',
  forward: 'FORWARD',
  output: 'OUTPUT',
};

/** The attempt needs a literal rule where there is none. */
class NotLiteral extends Error {}

/** `undefined` when the attempt cannot be written down. */
export function draftHost(
  chains: readonly ChainItems[],
  attempt: Attempt,
  given: Given,
): HostDraft | undefined {
  try {
    return draft(chains, attempt, given);
  } catch (thrown) {
    if (thrown instanceof NotLiteral) return undefined;
    throw thrown;
  }
}

function draft(chains: readonly ChainItems[], attempt: Attempt, given: Given): HostDraft {
  const filter = (['input', 'forward', 'output'] as const).map((direction) =>
    draftDirection(
      direction,
      chains.filter(({ table, chain }) => table === 'filter' && chain === DIRECTIONS[direction]),
      attempt,
      given,
    ),
  );
  const [input, forward, output] = filter as [DirectionDraft, DirectionDraft, DirectionDraft];
  const nat = draftNat(
    chains.filter(({ table }) => table === 'nat'),
    attempt.levels.nat,
  );
  const others = chains.filter(({ table }) => table !== 'nat' && table !== 'filter');
  const log = [input, output, forward].find((each) => each.log !== undefined)?.log;
  return {
    baseline: {
      input: input.verdict,
      forward: forward.verdict,
      output: output.verdict,
      icmp: attempt.icmp,
      parts: attempt.parts,
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
  chains: readonly ChainItems[],
  lines: (chain: ChainItems) => readonly Draft[],
): readonly Draft[] {
  const names = new Set(
    Object.entries(BUILT_IN_CHAINS).flatMap(([table, some]) => some.map((chain) => `${table} ${chain}`)),
  );
  return [...names].flatMap((name) => {
    const some = chains.filter(({ table, chain }) => `${table} ${chain}` === name);
    const of = (family: Family): readonly Draft[] =>
      some.filter((chain) => chain.family === family).flatMap(lines);
    return joinFamilies(of('v4'), of('v6'));
  });
}

const literals = (items: readonly Item[]): readonly Draft[] => items.flatMap(literal);

/** What the host does not say to others' programs. */
export const isOurs = ({ program, aside }: Item): boolean => program === undefined && aside === undefined;

function literal(item: Item): readonly Draft[] {
  if (!isOurs(item)) return [];
  if (item.literal === undefined) throw new NotLiteral();
  return item.literal.map(({ rule, origin }): Draft => {
    const { table, family, chain } = item.top;
    // A rule that only counts, every packet, has no text.
    const text = rule.text === '' ? '-p all' : rule.text;
    return { said: { kind: 'raw', table, chain, text }, families: [family], origins: [origin] };
  });
}

/** Lets a packet go on, or takes note of it: its place among the others matters though it decides nothing. */
const hasEffects = ({ rule: { target, matches } }: Flat): boolean =>
  !/^(ACCEPT|DROP|REJECT)$/.test(target?.name ?? '') ||
  matches.some(
    ({ name, known }) => !known || /^(limit|hashlimit|recent|quota|statistic|rateest)$/.test(name),
  );

/** How many of the first statements must be literal so that literal ones may stand before all others. */
function literalUntil(items: readonly Item[], level: Level): number {
  if (level === 2) return items.length;
  const mustStay = (item: Item, index: number): boolean =>
    item.said === undefined &&
    (level === 1 ||
      (item.literal ?? []).some(hasEffects) ||
      items.slice(0, index).some(({ said }) => said?.kind === 'rule' && said.log !== undefined));
  return items.findLastIndex(mustStay) + 1;
}

interface DirectionDraft {
  readonly verdict: 'drop' | 'accept';
  readonly rules: readonly Draft[];
  readonly literal: readonly Draft[];
  readonly log?: StatementLog;
}

interface FamilyDraft {
  readonly family: Family;
  readonly end: 'allow' | 'deny' | 'reject';
  readonly endItem?: Item;
  readonly log?: StatementLog;
  readonly rules: readonly Draft[];
  readonly literal: readonly Draft[];
}

function draftDirection(
  direction: Direction,
  chains: readonly ChainItems[],
  attempt: Attempt,
  given: Given,
): DirectionDraft {
  const drafts = chains.map((chain) => draftFamily(direction, chain, attempt, given));
  const verdict = drafts.some(({ end }) => end !== 'allow') || drafts.length === 0 ? 'drop' : 'accept';
  const of = (family: Family): FamilyDraft | undefined => drafts.find((each) => each.family === family);
  const lines = (family: Family): readonly Draft[] => {
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
function shortest(v4: readonly Draft[], v6: readonly Draft[]): readonly Draft[] {
  const apart = joinNeighbours(joinFamilies(v4, v6), 'all');
  const before = [v4, v6].map((lines) => joinNeighbours(lines, 'all')) as [
    readonly Draft[],
    readonly Draft[],
  ];
  const together = joinNeighbours(joinFamilies(...before), 'all');
  return together.length < apart.length ? together : apart;
}

/** What is left in this family where the baseline says something else. */
function endLines(
  { end, endItem, log, family }: FamilyDraft,
  direction: Direction,
  verdict: 'drop' | 'accept',
): readonly Draft[] {
  if (end === 'deny' || (end === 'allow' && verdict === 'accept')) return [];
  const said: Statement = {
    kind: 'rule',
    direction,
    verb: end,
    services: ['any'],
    ...(log === undefined ? {} : { log }),
    ...(endItem?.said?.kind === 'rule' && endItem.said.answer !== undefined
      ? { answer: endItem.said.answer }
      : {}),
    ...(endItem?.said?.comment === undefined ? {} : { comment: endItem.said.comment }),
  };
  return [{ said, families: [family], origins: endItem === undefined ? [] : [endItem.origin] }];
}

const ENDS = { ACCEPT: 'allow', DROP: 'deny' } as const;

function draftFamily(
  direction: Direction,
  chain: ChainItems,
  { parts, levels }: Attempt,
  given: Given,
): FamilyDraft {
  const { family } = chain;
  const ours = chain.items.filter(isOurs).filter((item) => !isBrought(item, given));
  const at = ours.findIndex(({ said }) => said?.kind === 'rule' && said.verb !== 'log' && isEverything(said));
  const endItem = at === -1 ? undefined : ours[at];
  const ending = endItem?.said?.kind === 'rule' ? endItem.said : undefined;
  const end = ending === undefined || ending.verb === 'log' ? ENDS[chain.policy] : ending.verb;
  const before = at === -1 ? ours : ours.slice(0, at);
  const last = before.at(-1)?.said;
  const tailLog = last?.kind === 'rule' && last.verb === 'log' && isEverything(last) ? last.log : undefined;
  const log = end === 'allow' ? undefined : (ending?.log ?? tailLog);
  const items = end !== 'allow' && tailLog !== undefined ? before.slice(0, -1) : before;
  const taken = takenStates(parts, direction);
  const baseline = given.baseline(family, direction);
  const left = items.flatMap((item): readonly Item[] => {
    if (item.said?.kind !== 'rule') return [item];
    const said = afterStates(item.said, taken);
    if (said === undefined || baseline.some((earlier) => coveredBy(said, earlier))) return [];
    return [{ ...item, said: inUsualStates(said) }];
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

/** A rule's text without its comment. */
export const withoutComment = (text: string): string =>
  text.replace(/ ?-m comment --comment (?:"(?:[^"\\]|\\.)*"|\S+)/, '').trim();

const isBrought = ({ literal: some = [], said }: Item, { brought }: Given): boolean =>
  said === undefined && some.length > 0 && some.every(({ rule }) => brought.has(withoutComment(rule.text)));

/** Literal rules first, as they stand in a policy; then the rules in words, neighbours put together. */
function split(items: readonly Item[], level: Level): Pick<FamilyDraft, 'rules' | 'literal'> {
  const until = literalUntil(items, level);
  const rules = joinNeighbours(
    items.slice(until).flatMap((item): readonly Draft[] => {
      const { said, origin, top } = item;
      return said === undefined ? [] : [{ said, families: [top.family], origins: [origin] }];
    }),
    'sides',
  );
  const literalItems = [
    ...items.slice(0, until),
    ...items.slice(until).filter(({ said }) => said === undefined),
  ];
  const shared = sharedBuckets(rules);
  if (shared.size === 0) return { rules, literal: literals(literalItems) };
  // Rules that share one count are one rule of the policy, or none.
  const without = items.map((item): Item => {
    if (item.said?.kind !== 'rule' || !shared.has(item.said.rate?.bucket ?? '')) return item;
    const { said, ...rest } = item;
    return rest;
  });
  return split(without, level);
}

function sharedBuckets(rules: readonly Draft[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const shared = new Set<string>();
  for (const { said } of rules) {
    if (said.kind !== 'rule' || said.rate === undefined) continue;
    const { bucket } = said.rate;
    if (seen.has(bucket)) shared.add(bucket);
    seen.add(bucket);
  }
  return shared;
}

function draftNat(chains: readonly ChainItems[], level: Level) {
  const parts = chains.map((chain) => {
    const items = chain.items.filter(isOurs);
    const until = level === 2 ? items.length : items.findLastIndex(({ said }) => said === undefined) + 1;
    const translations = joinNeighbours(
      items
        .slice(until)
        .flatMap(({ said, origin, top }): readonly Draft[] =>
          said === undefined ? [] : [{ said, families: [top.family], origins: [origin] }],
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
