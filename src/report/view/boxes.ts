/** Boxes of packets joined where their union is a box again, so that a reader sees one row instead of four. */
import type { Family } from '../../lib/family.js';
import { groupBy } from '../../lib/group.js';
import { networkRanges, networksText } from '../../lib/ip.js';
import { union } from '../../lib/ranges.js';
import { isOf, joinServices, type RowService } from '../../naming/service-sets.js';
import type { ConnectionState, Flow } from '../../traffic/model.js';

/** A {@link Flow} that may be about several protocols; empty lists are every value. */
export interface AddressBox extends Pick<Flow, 'hook' | 'in' | 'out' | 'state' | 'sport' | 'src' | 'dst'> {
  readonly exceptLoopback: boolean;
  readonly services: readonly RowService[];
  /** What else must hold: flags, a hardware address, an id; empty when nothing does. */
  readonly also: readonly string[];
  readonly families: readonly Family[];
}

export const boxOf = (flow: Flow): AddressBox => ({
  hook: flow.hook,
  in: flow.in,
  out: flow.out,
  exceptLoopback: flow.exceptLoopback === true,
  state: flow.state,
  services: [{ protocol: flow.protocol, dport: flow.dport, type: flow.type }],
  sport: flow.sport,
  also: flow.also ?? [],
  families: [flow.family],
  src: flow.src,
  dst: flow.dst,
});

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

const keyWithout = (box: AddressBox, without: readonly (keyof AddressBox)[]): string =>
  JSON.stringify(FIELDS.map((field) => (without.includes(field) ? 0 : box[field])));

/** Everything that makes two boxes the same. */
export const boxKey = (box: AddressBox): string => keyWithout(box, []);

const acrossFamilies = (box: AddressBox): string =>
  `${keyWithout(box, ['families', 'src', 'dst'])} ${box.src.length === 0} ${box.dst.length === 0}`;

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
    src: [...first.src, ...second.src],
    dst: [...first.dst, ...second.dst],
  };
}

/** Boxes of one family; an empty list is every address. */
export function joinAddresses(boxes: readonly AddressBox[], side: 'src' | 'dst'): readonly string[] {
  if (boxes.some((box) => box[side].length === 0)) return [];
  return (['v4', 'v6'] as const).flatMap((family) => {
    const texts = boxes.flatMap((box) => box[side].filter((text) => isOf(family, text)));
    const ranges = union(...texts.map((text) => networkRanges(text, family) ?? []));
    const networks = networksText(ranges, family);
    return networks.some((network) => network.endsWith('/0')) ? [] : networks;
  });
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
