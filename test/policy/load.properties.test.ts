/** Any text gives a fleet or problems with valid locations; and address sets are exact. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readAddress, subtract, toRanges, toSet } from '../../src/policy/addresses.js';
import { readFleet } from '../../src/policy/load.js';
import { BASE, fleetOf, read, TODAY } from './policy.js';

const paths = ['fleet.yml', 'networks.yml', 'services.yml', 'roles/web.yml', 'hosts/web-1.yml'];
const WORDS =
  'version: 1|ssh|user|admin|networks|services|hosts|input|output|forward|nat|raw|rule|allow|deny|log|from|to|except|in|rate|expires|reason|roles|address|guards|on|drop|: |- |\n|  |[|]|{|}|"|&a |*a|!!binary |tcp/443|any|10.0.0.0/8|::1|443|-1|0x1|null|true|~|<<|__proto__|constructor|---|%YAML 1.1|#|,|>|\\|\t|\u0000|é'.split(
    '|',
  );
const soup = fc.array(fc.constantFrom(...WORDS), { maxLength: 40 }).map((parts) => parts.join(''));

/** A valid file with a piece removed, repeated or replaced. */
const mutant = (text: string) =>
  fc
    .tuple(fc.nat(text.length), fc.nat(12), fc.oneof(soup, fc.constantFrom(...WORDS), fc.constant('')))
    .map(([at, length, piece]) => text.slice(0, at) + piece + text.slice(at + length));

const VALID: Readonly<Record<string, string>> = {
  ...BASE,
  'services.yml': 'services:\n  metrics: [tcp/9100, icmp/ping]\n',
  'fleet.yml': `${BASE['fleet.yml']}rollout: {canary: web-1, waves: [1, 100%]}\nguards:\n  - {name: x, on: all, drop: {service: ssh, except: admin}}\n`,
  'hosts/web-1.yml': `addresses: [192.0.2.10]\nroles: [web]\ninterfaces: {public: eth0}\ninput:\n  - {allow: [https, metrics], from: [app, admin], except: 10.10.1.0/24, in: public, rate: {limit: 1/second}, reason: x, expires: 2027-01-01}\nnat:\n  - {dnat: https, target: "192.0.2.5:80", reason: x}\nraw:\n  - {rule: -p tcp -j DROP, chain: INPUT, reason: x}\nchecks:\n  - tcp: 443\n`,
};

function expectLocations(path: string, text: string): void {
  const result = read({ ...VALID, [path]: text });
  for (const { location, message } of result.problems) {
    expect(location).toBeDefined();
    const file = location?.file.replace('policies/', '') ?? '';
    const lines = (file === path ? text : (VALID[file] ?? '')).split('\n');
    expect({ message, line: location?.line }).toEqual({ message, line: expect.any(Number) });
    expect(location?.line).toBeGreaterThanOrEqual(1);
    expect(location?.line).toBeLessThanOrEqual(lines.length + 1);
    expect(location?.column).toBeGreaterThanOrEqual(1);
  }
  expect(result.ok || result.problems.length > 0).toBe(true);
}

describe('readFleet() never throws, and every problem has a location', () => {
  test('the unchanged policy has no problems', () => expect(read(VALID).problems).toEqual([]));

  test.each(paths)('any text as %s', (path) => {
    fc.assert(
      fc.property(fc.oneof(soup, fc.string()), (text) => expectLocations(path, text)),
      { numRuns: 150 },
    );
  });

  test.each(paths)('a mutant of %s', (path) => {
    fc.assert(
      fc.property(mutant(VALID[path] ?? ''), (text) => expectLocations(path, text)),
      { numRuns: 300 },
    );
  });

  test('any path', () => {
    const files = fc.dictionary(
      fc.string({ minLength: 1 }).map((name) => `policies/${name}`),
      soup,
    );
    fc.assert(
      fc.property(files, (given) => {
        const { problems } = readFleet(new Map(Object.entries(given)), 'policies', { today: TODAY });
        for (const { location } of problems) expect(location).toBeDefined();
      }),
    );
  });

  test('reports aliases that expand exponentially', () => {
    const lines = Array.from(
      { length: 30 },
      (_, index) => `  l${index + 1}: &l${index + 1} [${`*l${index},`.repeat(9)}]`,
    );
    const { ok, problems } = read({
      'networks.yml': `networks:\n  l0: &l0 [10.0.0.0/8]\n${lines.join('\n')}\n`,
    });
    expect(ok).toBe(false);
    expect(problems.map(({ id }) => id)).toContain('too-many-aliases');
  });
});

describe('address sets', () => {
  const block = fc.tuple(fc.nat(255), fc.integer({ min: 24, max: 32 })).map(([last, length]) => {
    const size = 2 ** (32 - length);
    return `192.0.2.${Math.floor(last / size) * size}/${length}`;
  });
  const blocks = fc.array(block, { minLength: 1, maxLength: 8 });
  const members = (list: readonly string[]): ReadonlySet<number> =>
    new Set(
      list.flatMap((text) => {
        const [, last = '', length = ''] = /\.(\d+)\/(\d+)$/.exec(text) ?? [];
        return Array.from({ length: 2 ** (32 - Number(length)) }, (_, index) => Number(last) + index);
      }),
    );
  const setOf = (list: readonly string[]) => {
    const fleet = fleetOf({ 'networks.yml': `${BASE['networks.yml']}  x: [${list.join(', ')}]\n` });
    return fleet.networks.get('x') ?? toSet([], { v4: [], v6: [] });
  };

  test('contain exactly the named addresses, in the fewest sorted blocks', () => {
    fc.assert(
      fc.property(blocks, (list) => {
        const { v4 } = setOf(list);
        expect([...members(v4)].toSorted()).toEqual([...members(list)].toSorted());
        expect(v4.map((text) => toRanges({ names: [], any: false, v4: [text], v6: [] }).v4[0]?.[0])).toEqual(
          v4
            .map((text) => toRanges({ names: [], any: false, v4: [text], v6: [] }).v4[0]?.[0])
            .toSorted((a = 0n, b = 0n) => (a < b ? -1 : 1)),
        );
        expect(setOf(v4).v4).toEqual(v4);
      }),
    );
  });

  test('subtraction is exact', () => {
    fc.assert(
      fc.property(blocks, blocks, (a, b) => {
        const rest = members(subtract(setOf(a), setOf(b)).v4);
        const out = members(b);
        expect([...rest].toSorted()).toEqual([...members(a)].filter((one) => !out.has(one)).toSorted());
      }),
    );
  });

  test('readAddress() is idempotent', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const read = readAddress(text);
        if (!('id' in read)) expect(readAddress(read.text)).toEqual(read);
      }),
    );
  });
});
