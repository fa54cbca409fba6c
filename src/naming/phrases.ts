/** Addresses and ports in the words of the policy: `app and 192.0.2.7`, `anywhere but admin`, `postgres`. */
import type { Family } from '../lib/family.js';
import { formatAddress, networkRanges, networksText } from '../lib/ip.js';
import { isEmpty, type Ranges, sizeOf, subtract, union } from '../lib/ranges.js';
import { NETWORKS, SERVICES } from '../policy/builtin.js';
import { domain } from '../traffic/program/fields.js';
import type { PolicyNames } from './policy-names.js';
import { isOf, joinServices, type RowService } from './service-sets.js';

/** One name, or one network that has none. */
export interface Piece {
  readonly text: string;
  readonly named: boolean;
  /** The families that the name has addresses of. */
  readonly families: readonly Family[];
}

/** All of `of` without all of `but`; `of` is empty for every address there is. */
export interface Side {
  readonly of: readonly Piece[];
  readonly but: readonly Piece[];
}

export interface Naming {
  /** The fewest words that are exactly these networks; an empty list is every address. */
  readonly side: (networks: readonly string[], families: readonly Family[]) => Side;
  /** The name that is exactly these services, if there is one. */
  readonly service: (services: readonly RowService[]) => string | undefined;
}

type Sets = { readonly [family in Family]: Ranges };

interface Named {
  readonly name: string;
  readonly sets: Sets;
  readonly size: number;
  readonly families: readonly Family[];
  readonly nameless?: true;
}

type HostsByAddress = ReadonlyMap<string, { readonly name: string; readonly all: readonly string[] }>;

const FAMILIES: readonly Family[] = ['v4', 'v6'];
const EVERYWHERE: Side = { of: [], but: [] };

/** Names of the policy win over built-in ones, and those over numbers. */
export function namingOf(names: PolicyNames = { networks: {}, hosts: {}, services: {} }): Naming {
  const networks = [
    ...Object.entries(names.networks)
      .filter(([, texts]) => !texts.some(isWide))
      .map(([name, texts]) => named(name, setsOf(texts))),
    ...Object.entries(NETWORKS)
      .filter(([name]) => name !== 'any' && names.networks[name] === undefined)
      .map(([name, { v4, v6 }]) => named(name, { v4, v6 })),
  ].filter(({ families }) => families.length > 0);
  const hosts = new Map(
    Object.entries(names.hosts).flatMap(([name, all]) => all.map((one) => [one, { name, all }] as const)),
  );
  const services = servicesOf(names);
  const said = new Map<string, Side>();
  return {
    side: (texts, families) => {
      if (texts.length === 0) return EVERYWHERE;
      const key = `${families} ${texts}`;
      const side = said.get(key) ?? sideOf(setsOf(texts), families, networks, hosts);
      said.set(key, side);
      return side;
    },
    service: (some) => services.get(serviceKey(some)),
  };
}

/**
 * A block larger than any that one owner has (RFC 7020: a /8, a /12): a friendly name must not stand for half the
 * internet in a review of the very change that makes it so.
 */
const isWide = (network: string): boolean =>
  Number(network.split('/')[1] ?? 128) < (network.includes(':') ? 12 : 8);

function named(name: string, sets: Sets): Named {
  return {
    name,
    sets,
    // A share of each family's space, so that neither outweighs the other.
    size: FAMILIES.reduce((sum, family) => sum + share(sets[family], family), 0),
    families: FAMILIES.filter((family) => !isEmpty(sets[family])),
  };
}

const share = (ranges: Ranges, family: Family): number =>
  Number(sizeOf(ranges)) / Number(domain('src', family)[1] + 1n);

const setsOf = (texts: readonly string[]): Sets => {
  const of = (family: Family): Ranges =>
    union(...texts.filter((text) => isOf(family, text)).map((text) => networkRanges(text, family) ?? []));
  return { v4: of('v4'), v6: of('v6') };
};

const within = (inner: Sets, outer: Sets, families: readonly Family[]): boolean =>
  families.every((family) => isEmpty(subtract(inner[family], outer[family])));

const without = (sets: Sets, other: Sets): Sets => ({
  v4: subtract(sets.v4, other.v4),
  v6: subtract(sets.v6, other.v6),
});

const only = (sets: Sets, families: readonly Family[]): Sets => ({
  v4: families.includes('v4') ? sets.v4 : [],
  v6: families.includes('v6') ? sets.v6 : [],
});

/** As a union, or as something larger without a part: whichever has fewer pieces. */
function sideOf(
  sets: Sets,
  families: readonly Family[],
  networks: readonly Named[],
  hosts: HostsByAddress,
): Side {
  const pieces = (some: Sets): readonly Piece[] => piecesOf(some, families, networks, hosts);
  const whole: Sets = only({ v4: [domain('src', 'v4')], v6: [domain('src', 'v6')] }, families);
  const larger = [...networks, ...around(sets, families)].filter((network) =>
    within(sets, network.sets, families),
  );
  const ways: readonly Side[] = [
    { of: pieces(sets), but: [] },
    { of: [], but: pieces(without(whole, sets)) },
    ...larger.map((network) => ({
      of: [pieceOf(network)],
      but: pieces(without(only(network.sets, families), sets)),
    })),
  ];
  return ways.reduce((best, way) => (length(way) < length(best) ? way : best));
}

/** The one block around all addresses of a row of one family. */
function around(sets: Sets, families: readonly Family[]): readonly Named[] {
  const [family, other] = families;
  if (family === undefined || other !== undefined) return [];
  const [first, last] = [sets[family][0]?.[0] ?? 0n, sets[family].at(-1)?.[1] ?? 0n];
  let bits = 0n;
  while (first >> bits !== last >> bits) bits++;
  const block: Ranges = [[(first >> bits) << bits, ((last >> bits) << bits) | ((1n << bits) - 1n)]];
  const [text = ''] = networksText(block, family);
  return [{ ...named(text, { v4: [], v6: [], [family]: block }), nameless: true }];
}

const length = ({ of, but }: Side): number => Math.max(1, of.length) + but.length;

const pieceOf = ({ name, families, nameless }: Named): Piece => ({
  text: name,
  named: nameless !== true,
  families,
});

/** The largest names that fit first; what no name covers as hosts and networks. */
function piecesOf(
  sets: Sets,
  families: readonly Family[],
  networks: readonly Named[],
  hosts: HostsByAddress,
): readonly Piece[] {
  let rest = only(sets, families);
  const pieces: Piece[] = [];
  const fitting = networks
    .filter((network) => within(network.sets, sets, families))
    .toSorted((a, b) => b.size - a.size);
  for (const network of fitting) {
    const left = without(rest, network.sets);
    if (sizeOf(left.v4) === sizeOf(rest.v4) && sizeOf(left.v6) === sizeOf(rest.v6)) continue;
    pieces.push(pieceOf(network));
    rest = left;
  }
  const plain = (some: Sets): readonly Piece[] =>
    families.flatMap((family) => numbers(some[family], family, hosts));
  // A name inside a larger block breaks it into pieces.
  const [words, figures] = [once([...pieces, ...plain(rest)]), once(plain(sets))];
  return figures.length < words.length ? figures : words;
}

const once = (pieces: readonly Piece[]): readonly Piece[] => [
  ...new Map(pieces.map((piece) => [piece.text, piece])).values(),
];

/** More addresses than this are no hosts that a reader would look at one by one. */
const MOST_HOSTS = 16;

function numbers(ranges: Ranges, family: Family, hosts: HostsByAddress): readonly Piece[] {
  if (sizeOf(ranges) <= MOST_HOSTS) {
    const addresses = ranges.flatMap(([from, to]) =>
      Array.from({ length: Number(to - from) + 1 }, (_, index) =>
        formatAddress(from + BigInt(index), family),
      ),
    );
    // Of a host with several addresses all must be meant.
    const meant = addresses.flatMap((address) => {
      const host = hosts.get(address);
      return host?.all.every((other) => !isOf(family, other) || addresses.includes(other)) ? [host.name] : [];
    });
    if (meant.length === addresses.length)
      return meant.map((text) => ({ text, named: true, families: FAMILIES }));
  }
  const whole = family === 'v4' ? '/32' : '/128';
  return networksText(ranges, family).map((text) => ({
    text: text.endsWith(whole) ? text.slice(0, -whole.length) : text,
    named: false,
    families: [family],
  }));
}

function servicesOf(names: PolicyNames): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [name, texts] of [...Object.entries(names.services), ...Object.entries(SERVICES)]) {
    const services = texts.flatMap(readService);
    const key = serviceKey(services);
    if (services.length === texts.length && texts.length > 0 && !found.has(key)) found.set(key, name);
  }
  return found;
}

function readService(text: string): readonly RowService[] {
  const [, protocol, port] = /^(tcp|udp|sctp|dccp|udplite)\/([\d-]+)$/.exec(text) ?? [];
  return protocol === undefined || port === undefined ? [] : [{ protocol, dport: [port], type: [] }];
}

const serviceKey = (services: readonly RowService[]): string =>
  joinServices(services)
    .map(({ protocol, dport, type }) => `${protocol}/${dport} ${type}`)
    .toSorted()
    .join();
