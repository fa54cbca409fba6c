/** Joining changes the rows, never the packets that they are about. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { networkRanges } from '../../../src/lib/ip.js';
import { has } from '../../../src/lib/ranges.js';
import type { FamilyRanges } from '../../../src/policy/addresses.js';
import {
  type AddressBox,
  addressTexts,
  createBoxOf,
  hull,
  joinBoxes,
} from '../../../src/report/view/boxes.js';
import type { ConnectionState, Flow } from '../../../src/traffic/model.js';
import { flow } from '../example.js';

const boxOf = createBoxOf();

type Point = Readonly<Record<'src' | 'dst' | 'dport' | 'protocol', number>> & {
  readonly state: ConnectionState;
};

const ADDRESSES = [0, 1, 2, 3].map((last) => `10.0.0.${last}/32`);
const PORTS = [1, 2, 3, 4];
const PROTOCOLS = ['tcp', 'udp'];
const STATES = ['NEW', 'ESTABLISHED'] as const;

const POINTS: readonly Point[] = [0, 1, 2, 3].flatMap((src) =>
  [0, 1].flatMap((dst) =>
    PORTS.flatMap((dport) =>
      [0, 1].flatMap((protocol) => STATES.map((state) => ({ src, dst, dport, protocol, state }))),
    ),
  ),
);

const flowAt = ({ src, dst, dport, protocol, state }: Point): Flow =>
  flow({
    src: [ADDRESSES[src] ?? ''],
    dst: [ADDRESSES[dst] ?? ''],
    dport: [String(dport)],
    protocol: PROTOCOLS[protocol] ?? '',
    state: [state],
  });

const covers = (ranges: FamilyRanges | undefined, address: string): boolean =>
  ranges === undefined || has(ranges.v4, networkRanges(address, 'v4')?.[0]?.[0] ?? -1n);

const inPorts = (texts: readonly string[], port: number): boolean =>
  texts.length === 0 ||
  texts.some((text) => {
    const [from = 0, to = from] = text.split('-').map(Number);
    return from <= port && port <= to;
  });

const holds = (box: Omit<AddressBox, 'hook'>, point: Point): boolean =>
  covers(box.src, ADDRESSES[point.src] ?? '') &&
  covers(box.dst, ADDRESSES[point.dst] ?? '') &&
  (box.state.length === 0 || box.state.includes(point.state)) &&
  box.services.some(
    ({ protocol, dport }) => protocol === PROTOCOLS[point.protocol] && inPorts(dport, point.dport),
  );

const some = fc.subarray([...POINTS], { minLength: 1 });

describe('boxes', () => {
  test('joined boxes hold what the boxes held, each packet once', () => {
    fc.assert(
      fc.property(some, (points) => {
        const joined = joinBoxes(points.map(flowAt).map(boxOf), ([first]) => first as AddressBox);
        const times = POINTS.map((point) => joined.filter((box) => holds(box, point)).length);
        expect(times).toEqual(POINTS.map((point) => (points.includes(point) ? 1 : 0)));
      }),
      { numRuns: 200 },
    );
  });

  test('the box around others holds all of them', () => {
    fc.assert(
      fc.property(some, (points) => {
        const box = hull(points.map(flowAt).map(boxOf));
        // Rows with different states stay apart: a joined row is about new connections.
        expect(points.filter((point) => !holds({ ...box, state: [] }, point))).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  test('what differs in addresses of both families alone is one row', () => {
    const boxes = [flow({ src: ['10.0.0.0/8'] }), flow({ family: 'v6', src: ['2001:db8::/32'] })].map(boxOf);
    const joined = joinBoxes(boxes, ([first]) => first as AddressBox);
    expect(joined.map((box) => ({ ...box, src: addressTexts(box.src) }))).toMatchObject([
      { families: ['v4', 'v6'], src: ['10.0.0.0/8', '2001:db8::/32'] },
    ]);
  });

  test('a row about every address of one family alone stays apart', () => {
    const boxes = [flow({}), flow({ family: 'v6', src: ['2001:db8::/32'] })].map(boxOf);
    expect(joinBoxes(boxes, ([first]) => first as AddressBox)).toHaveLength(2);
  });
});
