/** A set of packets as few disjoint boxes, read off the diagram field by field. */

import { normalise, type Range, type Ranges } from '../../lib/ranges.js';
import { domain, FIELDS, type Field } from '../program/fields.js';
import { FALSE, LEAF } from './bdd.js';
import type { Axis, Space } from './space.js';

/** The values of every field that a box leaves open; a field that is not there is free. */
export type Cube = ReadonlyMap<Field, Ranges>;

export interface Cubes {
  /** By the leaf to which the packets lead; FALSE leads nowhere. */
  readonly cubes: ReadonlyMap<number, readonly Cube[]>;
  /** Boxes that were left out because there were too many. */
  readonly omitted: number;
}

type Pieces = readonly (readonly [number, number])[];
/** One entry a field in the order of `FIELDS`; `undefined` is free. */
type RawBox = readonly (Pieces | undefined)[];

interface Found {
  readonly boxes: Map<number, RawBox[]>;
  count: number;
}

/** @param node without unknowns. */
export function enumerateCubes(space: Space, node: number, most: number): Cubes {
  const axes = FIELDS.map((field) => space.axes.get(field) as Axis);
  const total = countPaths(space, node, axes);
  const found: Found = { boxes: new Map(), count: 0 };
  walk(space, node, axes, 0, [], found, most);
  const boxes = new Map(
    [...found.boxes].map(([leaf, raw]) => [leaf, merge(raw).map((box) => toBox(space, axes, box))]),
  );
  return { cubes: boxes, omitted: Math.max(0, total - found.count) };
}

/** The children of one field: which pieces lead where. */
function split(space: Space, node: number, axis: Axis): ReadonlyMap<number, Pieces> {
  const { manager: store } = space;
  const found = new Map<number, [number, number][]>();
  const end = axis.first + axis.width;
  const last = axis.starts.length - 1;
  const visit = (at: number, level: number, base: number, size: number): void => {
    if (base > last) return;
    store.tick();
    const own = store.level(at);
    if (own >= end || level >= end) {
      const to = Math.min(base + size - 1, last);
      const list = found.get(at);
      const tail = list?.at(-1);
      if (list === undefined) found.set(at, [[base, to]]);
      else if (tail !== undefined && tail[1] + 1 === base) tail[1] = to;
      else list.push([base, to]);
      return;
    }
    const half = size / 2;
    visit(own === level ? store.low(at) : at, level + 1, base, half);
    visit(own === level ? store.high(at) : at, level + 1, base + half, half);
  };
  visit(node, axis.first, 0, 2 ** axis.width);
  return found;
}

const touches = (space: Space, node: number, axis: Axis): boolean =>
  space.manager.level(node) < axis.first + axis.width;

function countPaths(space: Space, node: number, axes: readonly Axis[]): number {
  const memo = new Map<number, number>();
  const visit = (at: number): number => {
    if (space.manager.level(at) === LEAF) return at === FALSE ? 0 : 1;
    const known = memo.get(at);
    if (known !== undefined) return known;
    const axis = axes.find((each) => touches(space, at, each));
    let sum = 0;
    if (axis !== undefined) for (const child of split(space, at, axis).keys()) sum += visit(child);
    memo.set(at, sum);
    return sum;
  };
  return visit(node);
}

function walk(
  space: Space,
  node: number,
  axes: readonly Axis[],
  index: number,
  prefix: RawBox,
  found: Found,
  most: number,
): void {
  if (node === FALSE || found.count >= most) return;
  const axis = axes[index];
  if (axis === undefined) {
    const list = found.boxes.get(node);
    if (list === undefined) found.boxes.set(node, [prefix]);
    else list.push(prefix);
    found.count++;
    return;
  }
  if (!touches(space, node, axis)) {
    walk(space, node, axes, index + 1, [...prefix, undefined], found, most);
    return;
  }
  for (const [child, pieces] of split(space, node, axis))
    walk(space, child, axes, index + 1, [...prefix, pieces], found, most);
}

/** Joins boxes that differ in one field alone, again and again. */
function merge(raw: readonly RawBox[]): readonly RawBox[] {
  let boxes = raw;
  for (let before = -1; before !== boxes.length; ) {
    before = boxes.length;
    for (let index = FIELDS.length - 1; index >= 0; index--) boxes = mergeIn(boxes, index);
  }
  return boxes;
}

function mergeIn(boxes: readonly RawBox[], index: number): readonly RawBox[] {
  const groups = new Map<string, RawBox[]>();
  for (const box of boxes) {
    const key = box.map((pieces, at) => (at === index ? '' : (pieces?.join(' ') ?? '*'))).join('|');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [box]);
    else group.push(box);
  }
  return [...groups.values()].map((group) => {
    const [first] = group;
    if (group.length === 1 || first === undefined) return first ?? [];
    const joined = joinPieces(group.flatMap((box) => box[index] ?? []));
    return first.map((pieces, at) => (at === index ? joined : pieces));
  });
}

function joinPieces(pieces: Pieces): Pieces {
  const joined: [number, number][] = [];
  for (const [from, to] of pieces.toSorted((a, b) => a[0] - b[0])) {
    const last = joined.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else joined.push([from, to]);
  }
  return joined;
}

function toBox(space: Space, axes: readonly Axis[], box: RawBox): Cube {
  return new Map(
    axes.flatMap((axis, index): readonly (readonly [Field, Ranges])[] => {
      const pieces = box[index];
      if (pieces === undefined) return [];
      const ranges = pieceRanges(space, axis, pieces);
      const [from, to] = domain(axis.field, space.family);
      return ranges.length === 1 && ranges[0]?.[0] === from && ranges[0][1] === to
        ? []
        : [[axis.field, ranges]];
    }),
  );
}

function pieceRanges(space: Space, axis: Axis, pieces: Pieces): Ranges {
  const [, last] = domain(axis.field, space.family);
  return normalise(
    pieces.map(([from, to]): Range => {
      const next = axis.starts[to + 1];
      return [axis.starts[from] as bigint, next === undefined ? last : next - 1n];
    }),
  );
}
