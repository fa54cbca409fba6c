/**
 * The space of packets as bits: each field is cut where some rule or question tells values apart, and a value is the
 * number of its piece. Below all fields come the unknowns, one bit each.
 */
import type { Family } from '../../lib/family.js';
import type { Range, Ranges } from '../../lib/ranges.js';
import type { CompiledRuleset } from '../program/compiled-ruleset.js';
import { domain, FIELDS, type Field } from '../program/fields.js';
import { leaves, type Predicate } from '../program/predicate.js';
import { type BddManager, type Budget, createManager, FALSE, LEAF, TRUE } from './bdd.js';
import { reachableMarks, testMark, UNKNOWN_MARK } from './marks.js';
import { nameOccurrences, type Occurrence } from './unknowns.js';

export interface Axis {
  readonly field: Field;
  /** The first value of each piece, ascending; the first is 0. */
  readonly starts: readonly bigint[];
  /** The level of its highest bit, and how many bits it has. */
  readonly first: number;
  readonly width: number;
}

export interface Space {
  readonly family: Family;
  readonly manager: BddManager;
  readonly axes: ReadonlyMap<Field, Axis>;
  /** Marks that rules can make, by their index. */
  readonly marks: readonly number[];
  /** The first level below all fields. */
  readonly unknownsFrom: number;
  /** The node of a predicate; `name` names its unknowns, by default `nameOf`. */
  readonly encode: (predicate: Predicate, name?: (occurrence: Occurrence) => string) => number;
  /** The bit of an unknown. */
  readonly unknown: (name: string) => number;
  /** The base name of an occurrence: the same before and after where it is the same match. */
  readonly nameOf: (occurrence: Occurrence) => string;
  /** The piece that contains a value. */
  readonly pieceOf: (field: Field, value: bigint) => number;
  /** `node` with the field set to this value. */
  readonly fix: (node: number, field: Field, value: bigint) => number;
  /** Whether some, or every, value of the field makes `node` true. */
  readonly exists: (node: number, field: Field) => number;
  readonly forAll: (node: number, field: Field) => number;
  /** Names of the unknowns that a node depends on. */
  readonly unknownsOf: (node: number) => readonly string[];
}

/** Lays out the fields for these rulesets. @param predicates that will be encoded beside those of the rulesets */
export function createSpace(
  family: Family,
  rulesets: readonly CompiledRuleset[],
  predicates: readonly Predicate[],
  budget: Budget,
): Space {
  const manager = createManager(budget);
  const marks = reachableMarks(rulesets);
  const { axes, unknownsFrom } = layOut(cuts(family, rulesets, predicates, marks));
  const names = nameOccurrences(rulesets);
  const nameOf = (occurrence: Occurrence): string => names.get(occurrence) ?? '';
  const unknowns = new Map<string, number>();
  const known = new Map<Predicate, number>();

  const axisOf = (field: Field): Axis => axes.get(field) as Axis;
  const overField = (quantifier: BddManager['exists'], node: number, field: Field): number => {
    const { first, width } = axisOf(field);
    return width === 0 ? node : quantifier(node, first, first + width);
  };
  const pieceOf = (field: Field, value: bigint): number => lastAtMost(axisOf(field).starts, value);

  function unknown(name: string): number {
    let level = unknowns.get(name);
    if (level === undefined) {
      level = unknownsFrom + unknowns.size;
      unknowns.set(name, level);
    }
    return manager.node(level, FALSE, TRUE);
  }

  function encodeRanges(field: Field, ranges: Ranges): number {
    const { first, width, starts } = axisOf(field);
    const pieces = ranges.map(
      ([from, to]) => [lastAtMost(starts, from), lastAtMost(starts, to)] as readonly [number, number],
    );
    const last = 2 ** width - 1;
    // Codes beyond the last piece stand for the last piece.
    const closed = pieces.map(([from, to]) => [from, to === starts.length - 1 ? last : to] as const);
    const build = (level: number, base: number, size: number, from: number, to: number): number => {
      if (from >= to) return FALSE;
      const [low, high] = closed[from] as readonly [number, number];
      if (low <= base && high >= base + size - 1) return TRUE;
      const half = size / 2;
      const middle = base + half;
      let cut = from;
      while (cut < to && (closed[cut] as readonly [number, number])[1] < middle) cut++;
      const straddles = cut < to && (closed[cut] as readonly [number, number])[0] < middle;
      return manager.node(
        level,
        build(level + 1, base, half, from, straddles ? cut + 1 : cut),
        build(level + 1, middle, half, cut, to),
      );
    };
    return build(first, 0, 2 ** width, 0, closed.length);
  }

  function encode(predicate: Predicate, name = nameOf): number {
    switch (predicate.kind) {
      case 'field': {
        const found = known.get(predicate);
        if (found !== undefined) return found;
        const made = encodeRanges(predicate.field, predicate.ranges);
        known.set(predicate, made);
        return made;
      }
      case 'not':
        return manager.not(encode(predicate.of, name));
      case 'all': {
        // Deepest first, so that every conjunction adds levels on top.
        const parts = predicate.of
          .map((each) => encode(each, name))
          .sort((a, b) => manager.level(b) - manager.level(a));
        return parts.reduce(manager.and, TRUE);
      }
      case 'any':
        return manager.orAll(predicate.of.map((each) => encode(each, name)));
      case 'mark': {
        const matching = marks.flatMap((mark, index): readonly Range[] =>
          testMark(mark, predicate.value, predicate.mask) ? [[BigInt(index), BigInt(index)]] : [],
        );
        const unknownMark = encodeRanges('mark', [[UNKNOWN_MARK, UNKNOWN_MARK]]);
        return manager.or(encodeRanges('mark', matching), manager.and(unknownMark, unknown(name(predicate))));
      }
      case 'unknown':
        return unknown(name(predicate));
    }
  }

  function unknownsOf(node: number): readonly string[] {
    const levels = new Set<number>();
    const seen = new Set<number>();
    const visit = (at: number): void => {
      const level = manager.level(at);
      if (level === LEAF || seen.has(at)) return;
      seen.add(at);
      if (level >= unknownsFrom) levels.add(level);
      visit(manager.low(at));
      visit(manager.high(at));
    };
    visit(node);
    return [...unknowns].filter(([, level]) => levels.has(level)).map(([each]) => each);
  }

  return {
    family,
    manager: manager,
    axes,
    marks,
    unknownsFrom,
    encode,
    unknown,
    nameOf,
    pieceOf,
    exists: (node, field) => overField(manager.exists, node, field),
    forAll: (node, field) => overField(manager.forAll, node, field),
    fix: (node, field, value) => {
      const { first, width } = axisOf(field);
      return width === 0 ? node : manager.restrict(node, first, width, pieceOf(field, value));
    },
    unknownsOf,
  };
}

/** The index of the last element that is at most `value`. */
function lastAtMost(starts: readonly bigint[], value: bigint): number {
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] as bigint) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** What a packet has before nat, and the field that nat changes: until then both are the same. */
export const BEFORE_NAT = [
  ['originalDst', 'dst'],
  ['originalDport', 'dport'],
] as const satisfies readonly (readonly [Field, Field])[];

type Cuts = { readonly [field in Field]: Set<bigint> };

function cuts(
  family: Family,
  rulesets: readonly CompiledRuleset[],
  predicates: readonly Predicate[],
  marks: readonly number[],
): Cuts {
  const found = Object.fromEntries(FIELDS.map((name) => [name, new Set([0n])])) as Cuts;
  const cutAt = (field: Field, ranges: Ranges): void => {
    const [, last] = domain(field, family);
    for (const [from, to] of ranges) {
      found[field].add(from);
      if (to < last) found[field].add(to + 1n);
    }
  };
  const addPredicate = (predicate: Predicate): void => {
    for (const leaf of leaves(predicate)) {
      if (leaf.kind === 'field') {
        cutAt(leaf.field, leaf.ranges);
        const now = BEFORE_NAT.find(([original]) => original === leaf.field)?.[1];
        if (now !== undefined) cutAt(now, leaf.ranges);
      } else if (leaf.kind === 'mark')
        for (const index of [...marks.map((_, each) => BigInt(each)), BigInt(marks.length), UNKNOWN_MARK])
          found.mark.add(index);
    }
  };
  for (const { addresses: own, chains } of rulesets) {
    for (const address of own) cutAt('dst', [[address, address]]);
    for (const { rules } of chains.values())
      for (const { match, action } of rules) {
        addPredicate(match);
        if (action.kind !== 'dnat') continue;
        const { addresses, ports } = action.to;
        if (addresses !== undefined && addresses !== 'own') cutAt('dst', addresses);
        if (ports !== undefined) cutAt('dport', ports);
      }
  }
  for (const predicate of predicates) addPredicate(predicate);
  return found;
}

function layOut(found: Cuts): { readonly axes: ReadonlyMap<Field, Axis>; readonly unknownsFrom: number } {
  const axes = new Map<Field, Axis>();
  let level = 0;
  for (const field of FIELDS) {
    const starts = [...found[field]].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    const width = Math.ceil(Math.log2(starts.length));
    axes.set(field, { field, starts, first: level, width });
    level += width;
  }
  return { axes, unknownsFrom: level };
}
