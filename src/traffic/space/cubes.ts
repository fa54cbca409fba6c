/** A set of packets as few disjoint cubes (products of ranges), enumerated from the diagram field by field. */

import { groupBy } from '../../lib/group.js';
import { normalise, type Range, type Ranges } from '../../lib/ranges.js';
import { domain, FIELDS, type Field } from '../program/fields.js';
import { FALSE, LEAF } from './bdd.js';
import type { Axis, Space } from './space.js';

/** The values of every field that the cube restricts; a field that is absent may have any value. */
export type Cube = ReadonlyMap<Field, Ranges>;

export interface Cubes {
  /** By the leaf to which the packets lead, without FALSE. */
  readonly cubes: ReadonlyMap<number, readonly Cube[]>;
  /** How many cubes were left out because there were more than `most`. */
  readonly omitted: number;
}

type Pieces = readonly (readonly [number, number])[];
/** One entry per field in the order of `FIELDS`; `undefined` is any value. */
type RawCube = readonly (Pieces | undefined)[];

/** The cubes of each leaf. @param node without unknowns. @param most cubes, before they are joined */
export function enumerateCubes(space: Space, node: number, most: number): Cubes {
  const axes = FIELDS.map((field) => space.axes.get(field) as Axis);
  const found = new Map<number, RawCube[]>();
  let count = 0;
  const visit = (at: number, index: number, prefix: RawCube): void => {
    if (at === FALSE || count >= most) return;
    const axis = axes[index];
    if (axis === undefined) {
      const cubes = found.get(at);
      if (cubes === undefined) found.set(at, [prefix]);
      else cubes.push(prefix);
      count++;
    } else if (!dependsOn(space, at, axis)) visit(at, index + 1, [...prefix, undefined]);
    else for (const [child, pieces] of split(space, at, axis)) visit(child, index + 1, [...prefix, pieces]);
  };
  const total = countPaths(space, node, axes);
  visit(node, 0, []);
  const cubes = new Map(
    [...found].map(([leaf, raw]) => [leaf, merge(raw).map((each) => cubeOf(space, axes, each))]),
  );
  return { cubes, omitted: Math.max(0, total - count) };
}

/** The children of one field, each with the pieces that lead to it. */
function split(space: Space, node: number, axis: Axis): ReadonlyMap<number, Pieces> {
  const { manager } = space;
  const found = new Map<number, [number, number][]>();
  const end = axis.first + axis.width;
  const last = axis.starts.length - 1;
  const visit = (at: number, level: number, base: number, size: number): void => {
    if (base > last) return;
    manager.tick();
    const own = manager.level(at);
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
    visit(own === level ? manager.low(at) : at, level + 1, base, half);
    visit(own === level ? manager.high(at) : at, level + 1, base + half, half);
  };
  visit(node, axis.first, 0, 2 ** axis.width);
  return found;
}

const dependsOn = (space: Space, node: number, axis: Axis): boolean =>
  space.manager.level(node) < axis.first + axis.width;

function countPaths(space: Space, node: number, axes: readonly Axis[]): number {
  const memo = new Map<number, number>();
  const visit = (at: number): number => {
    if (space.manager.level(at) === LEAF) return at === FALSE ? 0 : 1;
    const known = memo.get(at);
    if (known !== undefined) return known;
    const axis = axes.find((each) => dependsOn(space, at, each));
    let sum = 0;
    if (axis !== undefined) for (const child of split(space, at, axis).keys()) sum += visit(child);
    memo.set(at, sum);
    return sum;
  };
  return visit(node);
}

/** Joins cubes that differ in one field alone, until none do. */
function merge(raw: readonly RawCube[]): readonly RawCube[] {
  let cubes = raw;
  for (let before = -1; before !== cubes.length; ) {
    before = cubes.length;
    for (let index = FIELDS.length - 1; index >= 0; index--) cubes = mergeIn(cubes, index);
  }
  return cubes;
}

function mergeIn(cubes: readonly RawCube[], index: number): readonly RawCube[] {
  const groups = groupBy(cubes, (cube) =>
    cube.map((pieces, at) => (at === index ? '' : (pieces?.join(' ') ?? '*'))).join('|'),
  );
  return [...groups.values()].map((group) => {
    const [first = [], second] = group;
    if (second === undefined) return first;
    const joined = joinPieces(group.flatMap((cube) => cube[index] ?? []));
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

function cubeOf(space: Space, axes: readonly Axis[], raw: RawCube): Cube {
  const cube = new Map<Field, Ranges>();
  for (const [index, { field, starts }] of axes.entries()) {
    const pieces = raw[index];
    if (pieces === undefined) continue;
    const [first, last] = domain(field, space.family);
    const ranges = normalise(
      pieces.map(([from, to]): Range => {
        const next = starts[to + 1];
        return [starts[from] as bigint, next === undefined ? last : next - 1n];
      }),
    );
    const [[from, to] = [], second] = ranges;
    if (second !== undefined || from !== first || to !== last) cube.set(field, ranges);
  }
  return cube;
}
