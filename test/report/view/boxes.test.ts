/** Joining and naming change words, never the packets that a row is about. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { networkRanges, networksText } from '../../../src/lib/ip.js';
import { equalRanges, has, type Ranges, subtract, union } from '../../../src/lib/ranges.js';
import { namingOf, type Piece } from '../../../src/naming/phrases.js';
import { type AddressBox, boxOf, hull, joinBoxes } from '../../../src/report/view/boxes.js';
import type { ConnectionState, Flow } from '../../../src/traffic/model.js';
import { flow } from '../example.js';

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

const covers = (networks: readonly string[], address: string): boolean =>
  networks.length === 0 ||
  networks.some((network) =>
    has(networkRanges(network, 'v4') ?? [], networkRanges(address, 'v4')?.[0]?.[0] ?? -1n),
  );

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
        // States that differ are said row by row: a box says where traffic begins.
        expect(points.filter((point) => !holds({ ...box, state: [] }, point))).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  test('what differs in addresses of both families alone is one row', () => {
    const boxes = [flow({ src: ['10.0.0.0/8'] }), flow({ family: 'v6', src: ['2001:db8::/32'] })].map(boxOf);
    expect(joinBoxes(boxes, ([first]) => first as AddressBox)).toMatchObject([
      { families: ['v4', 'v6'], src: ['10.0.0.0/8', '2001:db8::/32'] },
    ]);
  });

  test('a row about every address of one family alone stays apart', () => {
    const boxes = [flow({}), flow({ family: 'v6', src: ['2001:db8::/32'] })].map(boxOf);
    expect(joinBoxes(boxes, ([first]) => first as AddressBox)).toHaveLength(2);
  });
});

describe('names', () => {
  const names = {
    networks: {
      app: ['10.1.0.0/16', '2001:db8:1::/48'],
      'app-dmz': ['10.1.9.0/24'],
      vpn: ['10.60.0.0/22'],
      odd: ['192.0.2.3/32', '192.0.2.8/29'],
    },
    hosts: { 'web-1': ['192.0.2.10', '2001:db8::10'], 'db-1': ['192.0.2.20', '192.0.2.21'] },
    services: { metrics: ['tcp/9100', 'tcp/9187'] },
  };
  const { side, service } = namingOf(names);
  const said = (networks: readonly string[], families: readonly ('v4' | 'v6')[] = ['v4']): string => {
    const { of, but } = side(networks, families);
    const text = (pieces: readonly Piece[]): string => pieces.map(({ text: one }) => one).join('+');
    return `${of.length === 0 ? 'anywhere' : text(of)}${but.length === 0 ? '' : ` but ${text(but)}`}`;
  };

  test.each([
    [[], 'anywhere'],
    [['10.1.0.0/16'], 'app'],
    [['10.1.0.0/16', '10.60.0.0/22'], 'app+vpn'],
    [
      [
        '10.1.0.0/21',
        '10.1.8.0/24',
        '10.1.10.0/23',
        '10.1.12.0/22',
        '10.1.16.0/20',
        '10.1.32.0/19',
        '10.1.64.0/18',
        '10.1.128.0/17',
      ],
      'app but app-dmz',
    ],
    [['192.0.2.10/32'], 'web-1'],
    // A host is not meant by one of its two addresses.
    [['192.0.2.20/32'], '192.0.2.20'],
    [['192.0.2.20/31'], 'db-1'],
    [['198.51.100.0/24'], '198.51.100.0/24'],
    [['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'], 'private'],
  ])('%j is %s', (networks, text) => {
    expect(said(networks)).toBe(text);
  });

  test('no name of the policy stands for half the internet', () => {
    const { side: wide } = namingOf({ ...names, networks: { vpn: ['0.0.0.0/1'], six: ['2000::/3'] } });
    expect(wide(['0.0.0.0/1'], ['v4']).of.map(({ text }) => text)).toEqual(['0.0.0.0/1']);
    expect(wide(['2000::/3'], ['v6']).of.map(({ text }) => text)).toEqual(['internet']);
  });

  test('a network of both families is meant where both are there', () => {
    expect(said(['10.1.0.0/16', '2001:db8:1::/48'], ['v4', 'v6'])).toBe('app');
    expect(said(['10.1.0.0/16', '2001:db8:2::/48'], ['v4', 'v6'])).toBe('10.1.0.0/16+2001:db8:2::/48');
  });

  test('whatever the words, they are exactly the addresses', () => {
    const blocks = [
      '10.1.0.0/16',
      '10.1.9.0/24',
      '10.60.0.0/22',
      '192.0.2.0/28',
      '192.0.2.20/32',
      '0.0.0.0/1',
      '203.0.113.7/32',
    ];
    const ranges = (texts: readonly string[]): Ranges =>
      union(...texts.map((text) => networkRanges(text, 'v4') ?? []));
    const meaning = (pieces: readonly Piece[]): Ranges =>
      union(
        ...pieces.map(({ text }) => {
          const members = names.networks[text as keyof typeof names.networks] ??
            names.hosts[text as keyof typeof names.hosts] ??
            BUILT_IN[text] ?? [text];
          return ranges(members.filter((member) => !member.includes(':')));
        }),
      );
    const BUILT_IN: Readonly<Record<string, readonly string[]>> = {
      private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'],
      loopback: ['127.0.0.0/8'],
      'link-local': ['169.254.0.0/16'],
      multicast: ['224.0.0.0/4'],
    };
    fc.assert(
      fc.property(fc.subarray(blocks, { minLength: 1 }), fc.subarray(blocks), (with_, without) => {
        const wanted = subtract(ranges(with_), ranges(without));
        fc.pre(wanted.length > 0);
        const { of, but } = side(networksText(wanted, 'v4'), ['v4']);
        fc.pre(![...of, ...but].some(({ text }) => text === 'internet'));
        const whole = of.length === 0 ? [[0n, 2n ** 32n - 1n] as const] : meaning(of);
        expect(equalRanges(subtract(whole, meaning(but)), wanted)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('services of the policy and built-in ones, as a whole', () => {
    const tcp = (...dport: readonly string[]) => ({ protocol: 'tcp', dport, type: [] });
    expect(service([tcp('9100', '9187')])).toBe('metrics');
    expect(service([tcp('443')])).toBe('https');
    expect(service([tcp('53'), { protocol: 'udp', dport: ['53'], type: [] }])).toBe('dns');
    expect(service([tcp('9187')])).toBeUndefined();
    expect(service([tcp()])).toBeUndefined();
  });
});
