/**
 * Reduced ordered binary decision diagrams in typed arrays. Nodes are numbers; equal functions are the same number.
 * Inner nodes test one bit, the smallest level first; leaves are FALSE, TRUE and any other value of the caller. Nothing
 * is ever freed: a manager lives as long as one proof.
 */

import { grouped } from '../../lib/text.js';

export interface Budget {
  /** The maximum number of nodes. */
  readonly nodes: number;
  readonly milliseconds: number;
}

/** Thrown by any operation when the budget is spent; `tryProof` catches it. */
export class OverBudget extends Error {
  override readonly name = 'OverBudget';
}

export const FALSE = 0;
export const TRUE = 1;
/** The level of leaves, below every bit. */
export const LEAF = 0x7fffffff;

export interface BddManager {
  readonly level: (node: number) => number;
  readonly low: (node: number) => number;
  readonly high: (node: number) => number;
  /** The leaf for `value`, which is at least 2. */
  readonly leaf: (value: number) => number;
  /** The value of a leaf. */
  readonly value: (leaf: number) => number;
  readonly node: (level: number, low: number, high: number) => number;
  readonly and: (a: number, b: number) => number;
  readonly or: (a: number, b: number) => number;
  /** The disjunction of all, pairwise, which keeps the intermediate results small. */
  readonly orAll: (nodes: readonly number[]) => number;
  /** `a` and not `b`. */
  readonly diff: (a: number, b: number) => number;
  readonly not: (a: number) => number;
  /** `g` where `c` holds, else `f`; `c` has no leaves but FALSE and TRUE. */
  readonly ite: (c: number, g: number, f: number) => number;
  /** `c` with `f` instead of its leaf `hole`. */
  readonly fill: (c: number, hole: number, f: number) => number;
  /** The `width` levels from `first` on set to `bits`, the most significant first. */
  readonly restrict: (a: number, first: number, width: number, bits: number) => number;
  /** Whether some, or every, setting of the levels `from` to `to - 1` makes it true. */
  readonly exists: (a: number, from: number, to: number) => number;
  readonly forAll: (a: number, from: number, to: number) => number;
  /** Each leaf replaced by `replace(leaf)`. */
  readonly mapLeaves: (a: number, replace: (leaf: number) => number) => number;
  /** TRUE where the leaf satisfies `holds`, FALSE elsewhere. */
  readonly where: (a: number, holds: (leaf: number) => boolean) => number;
  /** The leaves of both combined. */
  readonly pairs: (a: number, b: number, combine: (left: number, right: number) => number) => number;
  /** Where the leaf depends on levels from `from` on, the preferred one of all. */
  readonly settle: (a: number, from: number, prefer: (one: number, other: number) => number) => number;
  /** To be called in long loops outside the manager, so that the time limit holds there too. */
  readonly tick: () => void;
}

const AND = -1;
const OR = -2;
const DIFF = -3;
const FILL = -4;
const EXISTS_BELOW = -5;
/** With the last level subtracted; `FILL` with a thousand times the hole, which is at least 2. */
const EXISTS = -16;

const FIRST_CAPACITY = 1 << 13;
const LARGEST_CACHE = 1 << 20;

/** @throws OverBudget from any of its operations. */
export function createManager(budget: Budget): BddManager {
  const deadline = performance.now() + budget.milliseconds;
  let capacity = FIRST_CAPACITY;
  let levels = new Int32Array(capacity);
  let lows = new Int32Array(capacity);
  let highs = new Int32Array(capacity);
  let nexts = new Int32Array(capacity);
  let heads = new Int32Array(capacity).fill(-1);
  let count = 2;
  levels[FALSE] = LEAF;
  levels[TRUE] = LEAF;
  lows[TRUE] = TRUE;
  const leaves = new Map<number, number>();

  let cacheMask = FIRST_CAPACITY - 1;
  /** Four numbers per entry: two operands, the operation or third operand, the result. */
  let cache = new Int32Array(FIRST_CAPACITY * 4).fill(-1);

  const hash = (a: number, b: number, c: number): number => {
    let mixed = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35);
    mixed ^= mixed >>> 15;
    return Math.imul(mixed, 0x2c1b3c6d) >>> 4;
  };

  function grow(): void {
    capacity *= 2;
    const wider = (old: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> => {
      const next = new Int32Array(capacity);
      next.set(old);
      return next;
    };
    levels = wider(levels);
    lows = wider(lows);
    highs = wider(highs);
    nexts = wider(nexts);
    heads = new Int32Array(capacity).fill(-1);
    for (let node = 2; node < count; node++) {
      if (levels[node] === LEAF) continue;
      const slot = hash(levels[node] as number, lows[node] as number, highs[node] as number) & (capacity - 1);
      nexts[node] = heads[slot] as number;
      heads[slot] = node;
    }
    if (cacheMask + 1 < LARGEST_CACHE) {
      cacheMask = cacheMask * 2 + 1;
      cache = new Int32Array((cacheMask + 1) * 4).fill(-1);
    }
  }

  function allocate(level: number, low: number, high: number): number {
    if (count >= budget.nodes)
      throw new OverBudget(`The model needs more than ${grouped(budget.nodes)} nodes.`);
    if ((count & 0x3fff) === 0) checkTime();
    if (count === capacity) grow();
    levels[count] = level;
    lows[count] = low;
    highs[count] = high;
    return count++;
  }

  function checkTime(): void {
    if (performance.now() > deadline)
      throw new OverBudget(`The proof took longer than ${budget.milliseconds / 1000} s.`);
  }

  function node(level: number, low: number, high: number): number {
    if (low === high) return low;
    const code = hash(level, low, high);
    for (let at = heads[code & (capacity - 1)] as number; at !== -1; at = nexts[at] as number)
      if (levels[at] === level && lows[at] === low && highs[at] === high) return at;
    const made = allocate(level, low, high);
    const slot = code & (capacity - 1);
    nexts[made] = heads[slot] as number;
    heads[slot] = made;
    return made;
  }

  function leaf(value: number): number {
    const known = leaves.get(value);
    if (known !== undefined) return known;
    const made = allocate(LEAF, value, value);
    leaves.set(value, made);
    return made;
  }

  /** Steps since the last look at the clock: an operation may run long without making nodes. */
  let steps = 0;
  function tick(): void {
    if ((++steps & 0x3fff) === 0) checkTime();
  }

  function remember(a: number, b: number, c: number, result: number): number {
    tick();
    const slot = (hash(a, b, c) & cacheMask) * 4;
    cache[slot] = a;
    cache[slot + 1] = b;
    cache[slot + 2] = c;
    cache[slot + 3] = result;
    return result;
  }

  /** The cached result, or -1. */
  function recall(a: number, b: number, c: number): number {
    const slot = (hash(a, b, c) & cacheMask) * 4;
    return cache[slot] === a && cache[slot + 1] === b && cache[slot + 2] === c
      ? (cache[slot + 3] as number)
      : -1;
  }

  /** The children of a node at level `top`; of a node below it, the node itself. */
  const lowAt = (at: number, top: number): number => (levels[at] === top ? lows[at] : at) as number;
  const highAt = (at: number, top: number): number => (levels[at] === top ? highs[at] : at) as number;

  function and(a: number, b: number): number {
    if (a === b || b === TRUE) return a;
    if (a === TRUE) return b;
    if (a === FALSE || b === FALSE) return FALSE;
    if (a > b) return and(b, a);
    const known = recall(a, b, AND);
    if (known !== -1) return known;
    const top = Math.min(levels[a] as number, levels[b] as number);
    const low = and(lowAt(a, top), lowAt(b, top));
    return remember(a, b, AND, node(top, low, and(highAt(a, top), highAt(b, top))));
  }

  function or(a: number, b: number): number {
    if (a === b || b === FALSE) return a;
    if (a === FALSE) return b;
    if (a === TRUE || b === TRUE) return TRUE;
    if (a > b) return or(b, a);
    const known = recall(a, b, OR);
    if (known !== -1) return known;
    const top = Math.min(levels[a] as number, levels[b] as number);
    const low = or(lowAt(a, top), lowAt(b, top));
    return remember(a, b, OR, node(top, low, or(highAt(a, top), highAt(b, top))));
  }

  function diff(a: number, b: number): number {
    if (a === FALSE || b === TRUE || a === b) return FALSE;
    if (b === FALSE) return a;
    const known = recall(a, b, DIFF);
    if (known !== -1) return known;
    const top = Math.min(levels[a] as number, levels[b] as number);
    const low = diff(lowAt(a, top), lowAt(b, top));
    return remember(a, b, DIFF, node(top, low, diff(highAt(a, top), highAt(b, top))));
  }

  function ite(c: number, g: number, f: number): number {
    if (c === TRUE || g === f) return g;
    if (c === FALSE) return f;
    const known = recall(c, g, f);
    if (known !== -1) return known;
    const top = Math.min(levels[c] as number, levels[g] as number, levels[f] as number);
    const low = ite(lowAt(c, top), lowAt(g, top), lowAt(f, top));
    return remember(c, g, f, node(top, low, ite(highAt(c, top), highAt(g, top), highAt(f, top))));
  }

  function fill(c: number, hole: number, f: number): number {
    if (c === hole || f === hole) return c === hole ? f : c;
    if (levels[c] === LEAF) return c;
    const known = recall(c, f, FILL - 1000 * hole);
    if (known !== -1) return known;
    const top = Math.min(levels[c] as number, levels[f] as number);
    const low = fill(lowAt(c, top), hole, lowAt(f, top));
    const high = fill(highAt(c, top), hole, highAt(f, top));
    return remember(c, f, FILL - 1000 * hole, node(top, low, high));
  }

  function restrict(a: number, first: number, width: number, bits: number): number {
    const memo = new Map<number, number>();
    const end = first + width;
    const visit = (at: number): number => {
      const level = levels[at] as number;
      if (level >= end) return at;
      if (level >= first) {
        const bit = (bits >> (end - 1 - level)) & 1;
        return visit((bit === 1 ? highs[at] : lows[at]) as number);
      }
      const known = memo.get(at);
      if (known !== undefined) return known;
      tick();
      const result = node(level, visit(lows[at] as number), visit(highs[at] as number));
      memo.set(at, result);
      return result;
    };
    return visit(a);
  }

  function exists(a: number, from: number, to: number): number {
    const level = levels[a] as number;
    if (level >= to) return a;
    // Below the last level in question, any node that is not FALSE is true somewhere.
    if (to === LEAF && level >= from) return a === FALSE ? FALSE : TRUE;
    const operation = to === LEAF ? EXISTS_BELOW : EXISTS - to;
    const known = recall(a, from, operation);
    if (known !== -1) return known;
    const low = exists(lows[a] as number, from, to);
    const high = exists(highs[a] as number, from, to);
    return remember(a, from, operation, level >= from ? or(low, high) : node(level, low, high));
  }

  function orAll(nodes: readonly number[]): number {
    let level = nodes;
    while (level.length > 1) {
      const next: number[] = [];
      for (let index = 0; index < level.length; index += 2)
        next.push(or(level[index] as number, level[index + 1] ?? FALSE));
      level = next;
    }
    return level[0] ?? FALSE;
  }

  const not = (a: number): number => diff(TRUE, a);

  function mapLeaves(a: number, replace: (leaf: number) => number): number {
    const memo = new Map<number, number>();
    const visit = (at: number): number => {
      const known = memo.get(at);
      if (known !== undefined) return known;
      tick();
      const level = levels[at] as number;
      const result =
        level === LEAF
          ? replace(at)
          : ite(node(level, FALSE, TRUE), visit(highs[at] as number), visit(lows[at] as number));
      memo.set(at, result);
      return result;
    };
    return visit(a);
  }

  function pairs(a: number, b: number, combine: (left: number, right: number) => number): number {
    const memo = new Map<number, number>();
    const visit = (x: number, y: number): number => {
      const top = Math.min(levels[x] as number, levels[y] as number);
      if (top === LEAF) return combine(x, y);
      tick();
      const key = x * 0x4000000 + y;
      const known = memo.get(key);
      if (known !== undefined) return known;
      const low = visit(lowAt(x, top), lowAt(y, top));
      const result = node(top, low, visit(highAt(x, top), highAt(y, top)));
      memo.set(key, result);
      return result;
    };
    return visit(a, b);
  }

  function settle(a: number, from: number, prefer: (one: number, other: number) => number): number {
    const memo = new Map<number, number>();
    const visit = (at: number): number => {
      const level = levels[at] as number;
      if (level === LEAF) return at;
      const known = memo.get(at);
      if (known !== undefined) return known;
      tick();
      const [low, high] = [visit(lows[at] as number), visit(highs[at] as number)];
      const result = level < from ? node(level, low, high) : prefer(low, high);
      memo.set(at, result);
      return result;
    };
    return visit(a);
  }

  return {
    level: (at) => levels[at] as number,
    low: (at) => lows[at] as number,
    high: (at) => highs[at] as number,
    leaf,
    value: (at) => lows[at] as number,
    node,
    and,
    or,
    orAll,
    diff,
    not,
    ite,
    fill,
    restrict,
    exists,
    forAll: (a, from, to) => not(exists(not(a), from, to)),
    mapLeaves,
    where: (a, holds) => mapLeaves(a, (at) => (holds(at) ? TRUE : FALSE)),
    pairs,
    settle,
    tick,
  };
}
