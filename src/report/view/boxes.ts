/** Boxes of packets, joined where their union is a box again, so that a reader sees one row instead of four. */
import type { Family } from '../../lib/family.js';
import { groupBy } from '../../lib/group.js';
import { networkRanges, networksText } from '../../lib/ip.js';
import { equalRanges, unionOf } from '../../lib/ranges.js';
import { joinServices, type RowService } from '../../naming/service-sets.js';
import { EVERYTHING, type FamilyRanges, uniteRanges } from '../../policy/addresses.js';
import type { ConnectionState, Flow } from '../../traffic/model.js';

/** A {@link Flow} that may be about several protocols; empty lists are every value. */
export interface AddressBox extends Pick<Flow, 'hook' | 'in' | 'out' | 'state' | 'sport'> {
  /** Addresses of the box's families; absent: every address. */
  readonly src?: FamilyRanges;
  readonly dst?: FamilyRanges;
  readonly exceptLoopback: boolean;
  readonly services: readonly RowService[];
  /** Further conditions: flags, a hardware address, an id. */
  readonly also: readonly string[];
  readonly families: readonly Family[];
}

/** Creates a function that makes boxes of flows; boxes with equal addresses share their ranges. */
export function createBoxOf(): (flow: Flow) => AddressBox {
  const known = new Map<string, FamilyRanges>();
  const addressesOf = (networks: readonly string[], family: Family): FamilyRanges | undefined => {
    if (networks.length === 0) return undefined;
    const key = networks.join();
    const ranges = known.get(key) ?? parseAddresses(networks, family);
    known.set(key, ranges);
    return ranges;
  };
  return (flow) => ({
    hook: flow.hook,
    in: flow.in,
    out: flow.out,
    exceptLoopback: flow.exceptLoopback === true,
    state: flow.state,
    services: [{ protocol: flow.protocol, dport: flow.dport, type: flow.type }],
    sport: flow.sport,
    also: flow.also ?? [],
    families: [flow.family],
    src: addressesOf(flow.src, flow.family),
    dst: addressesOf(flow.dst, flow.family),
  });
}

/** The texts of ranges, which boxes are compared by many times. */
const TEXTS = new WeakMap<FamilyRanges, readonly string[]>();

/** Rows are read several times, and one may name 100,000 networks. */
const PARSED = new WeakMap<readonly string[], { readonly [family in Family]?: FamilyRanges }>();

function parseAddresses(networks: readonly string[], family: Family): FamilyRanges {
  const known = PARSED.get(networks) ?? {};
  const parsed = known[family] ?? readAddresses(networks, family);
  PARSED.set(networks, { ...known, [family]: parsed });
  return parsed;
}

function readAddresses(networks: readonly string[], family: Family): FamilyRanges {
  const own = unionOf(networks.map((network) => networkRanges(network, family) ?? []));
  const ranges = { v4: [], v6: [], [family]: own };
  TEXTS.set(ranges, networks);
  return ranges;
}

/** The fewest networks that are the addresses, as in a {@link Flow}: an empty list is every address. */
export function addressTexts(ranges: FamilyRanges | undefined): readonly string[] {
  if (ranges === undefined) return [];
  const texts = TEXTS.get(ranges) ?? [...networksText(ranges.v4, 'v4'), ...networksText(ranges.v6, 'v6')];
  TEXTS.set(ranges, texts);
  return texts;
}

/** The dimensions in which boxes are joined, those that most often differ first. */
const JOINED = ['services', 'src', 'dst', 'state'] as const;
type Joined = (typeof JOINED)[number];

const JOIN: { readonly [key in Joined]: (boxes: readonly AddressBox[]) => Partial<AddressBox> } = {
  services: (boxes) => ({ services: joinServices(boxes.flatMap(({ services }) => services)) }),
  src: (boxes) => ({ src: joinAddresses(boxes, 'src') }),
  dst: (boxes) => ({ dst: joinAddresses(boxes, 'dst') }),
  state: (boxes) => ({ state: joinStates(boxes.flatMap(({ state }) => state)) }),
};

/**
 * Joins disjoint boxes: those of one family that differ in one dimension alone, again and again; then what is the same
 * for IPv4 and IPv6 but for the addresses.
 * @param join what else a box carries, of several
 */
export function joinBoxes<T extends AddressBox>(
  boxes: readonly T[],
  join: (some: readonly T[]) => T,
): readonly T[] {
  if (boxes.length < 2) return boxes;
  let all = boxes;
  for (let before = -1; before !== all.length; ) {
    before = all.length;
    for (const key of JOINED)
      all = joinGroups(
        all,
        (box) => keyWithout(box, [key]),
        (group) => ({ ...join(group), ...JOIN[key](group) }),
      );
  }
  return joinGroups(all, acrossFamilies, (group) => pairFamilies(group, join));
}

function joinGroups<T>(
  boxes: readonly T[],
  keyOf: (box: T) => string,
  join: (group: readonly T[]) => T | undefined,
): readonly T[] {
  const groups = groupBy(boxes, keyOf);
  if (groups.size === boxes.length) return boxes;
  return [...groups.values()].flatMap((group) => (group.length === 1 ? group : (join(group) ?? group)));
}

const FIELDS = [
  'hook',
  'in',
  'out',
  'exceptLoopback',
  'state',
  'services',
  'sport',
  'also',
  'families',
  'src',
  'dst',
] as const satisfies readonly (keyof AddressBox)[];

const fieldOf = (box: AddressBox, field: (typeof FIELDS)[number]): unknown =>
  field === 'src' || field === 'dst' ? addressTexts(box[field]) : box[field];

const keyWithout = (box: AddressBox, without: readonly (keyof AddressBox)[]): string =>
  JSON.stringify(FIELDS.map((field) => (without.includes(field) ? 0 : fieldOf(box, field))));

/** Everything that makes two boxes the same. */
export const boxKey = (box: AddressBox): string => keyWithout(box, []);

const acrossFamilies = (box: AddressBox): string =>
  `${keyWithout(box, ['families', 'src', 'dst'])} ${box.src === undefined} ${box.dst === undefined}`;

/** Several boxes of one family stay apart: the union of two boxes is no box. */
function pairFamilies<T extends AddressBox>(
  group: readonly T[],
  join: (some: readonly T[]) => T,
): T | undefined {
  const [first, second, third] = group.toSorted((a, b) => (a.families.join() < b.families.join() ? -1 : 1));
  if (first === undefined || second === undefined || third !== undefined) return undefined;
  if (first.families.join() === second.families.join()) return undefined;
  return {
    ...join([first, second]),
    families: ['v4', 'v6'],
    src: pairAddresses(first.src, second.src),
    dst: pairAddresses(first.dst, second.dst),
  };
}

/** The IPv4 addresses of one box and the IPv6 addresses of another. */
function pairAddresses(v4: FamilyRanges | undefined, v6: FamilyRanges | undefined): FamilyRanges | undefined {
  if (v4 === undefined || v6 === undefined) return undefined;
  const ranges = { v4: v4.v4, v6: v6.v6 };
  TEXTS.set(ranges, [...addressTexts(v4), ...addressTexts(v6)]);
  return ranges;
}

/** All addresses of the boxes; `undefined` where they are every address of the families. */
function joinAddresses(boxes: readonly AddressBox[], side: 'src' | 'dst'): FamilyRanges | undefined {
  const known = boxes.flatMap((box) => box[side] ?? []);
  if (known.length < boxes.length) return undefined;
  const joined = uniteRanges(known);
  const isEvery = (family: Family): boolean => equalRanges(joined[family], EVERYTHING[family]);
  return boxes.every(({ families }) => families.every(isEvery)) ? undefined : joined;
}

const STATES: readonly ConnectionState[] = ['NEW', 'ESTABLISHED', 'RELATED', 'INVALID'];

/** Every state with which packets arrive is no condition. */
function joinStates(states: readonly ConnectionState[]): readonly ConnectionState[] {
  const found = STATES.filter((state) => states.includes(state));
  const others = states.filter((state) => !STATES.includes(state));
  return found.length === STATES.length ? [] : [...found, ...new Set(others)];
}

/** How traffic begins, and the states in all of them; where none is about what begins, all the states of any. */
function commonStates(boxes: readonly AddressBox[]): readonly ConnectionState[] {
  const all = boxes.map(({ state }) => (state.length === 0 ? STATES : state));
  const common = STATES.filter((state) => all.every((states) => states.includes(state)));
  const some = STATES.filter((state) => all.some((states) => states.includes(state)));
  const chosen = some.includes('NEW')
    ? STATES.filter((state) => state === 'NEW' || common.includes(state))
    : some;
  return chosen.length === STATES.length ? [] : chosen;
}

/** The smallest box around others, of any family: what they are about as a whole, but for states that differ. */
export function hull(boxes: readonly AddressBox[]): Omit<AddressBox, 'hook'> {
  const same = (field: 'in' | 'out' | 'sport' | 'also'): readonly string[] => {
    const [first = [], ...others] = boxes.map((box) => box[field]);
    return others.every((other) => other.join() === first.join()) ? first : [];
  };
  const services = joinServices(boxes.flatMap((box) => box.services));
  const whole = services.some(({ protocol }) => protocol.startsWith('any'));
  return {
    in: same('in'),
    out: same('out'),
    exceptLoopback: boxes.every(({ exceptLoopback }) => exceptLoopback),
    state: commonStates(boxes),
    services: whole ? [{ protocol: 'any', dport: [], type: [] }] : services,
    sport: same('sport'),
    also: same('also'),
    families: (['v4', 'v6'] as const).filter((family) => boxes.some((box) => box.families.includes(family))),
    src: joinAddresses(boxes, 'src'),
    dst: joinAddresses(boxes, 'dst'),
  };
}
