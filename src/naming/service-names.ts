/** Names for services: protocol-port keys (see {@link PORTS}) and terms such as `tcp/443`. */
import { isEmpty, normalise, type Range, type Ranges, sizeOf, subtract, union } from '../lib/ranges.js';
import { protocolNumber } from '../netfilter/extensions/protocols.js';
import { SERVICES } from '../policy/builtin.js';
import type { Service } from '../policy/fleet.js';
import { protocolText } from '../traffic/program/fields.js';
import { ICMP_SERVICES, PORTS } from '../traffic/questions/reach.js';

export interface NamedService {
  readonly name: string;
  /** Protocol-port keys. */
  readonly services: Ranges;
}

/** Names that together are exactly these protocol-port keys. */
export type NameServices = (services: Ranges) => readonly NamedService[];

/**
 * Takes the services that consist of these parts alone: each part is used once, so that `tcp/20-30` is not telnet and
 * something else.
 * @param services in order of preference
 * @returns those that were taken, and the parts of none of them
 */
export function coverParts<T extends { readonly parts: readonly string[] }>(
  parts: Iterable<string>,
  services: readonly T[],
): { readonly taken: readonly T[]; readonly rest: ReadonlySet<string> } {
  const rest = new Set(parts);
  const taken: T[] = [];
  for (const service of services) {
    if (rest.size === 0) break;
    if (!service.parts.every((part) => rest.has(part))) continue;
    taken.push(service);
    for (const part of service.parts) rest.delete(part);
  }
  return { taken, rest };
}

const ALL_SERVICES: Ranges = [[0n, 256n * PORTS - 1n]];

/** More than half of all protocols and ports: named by what it leaves out. */
export const isMostServices = (services: Ranges): boolean => sizeOf(services) * 2n > sizeOf(ALL_SERVICES);

const protocolKeys = (protocol: bigint): Range => [protocol * PORTS, protocol * PORTS + PORTS - 1n];

/** `undefined` where the service is ICMP, which maps leave out. */
function serviceKeys(service: Service): Ranges | undefined {
  if (service.kind === 'any') return ALL_SERVICES;
  if (service.kind === 'icmp') return undefined;
  const number = protocolNumber(service.protocol);
  if (number === undefined) return undefined;
  const keys = protocolKeys(BigInt(number));
  return service.kind === 'protocol'
    ? [keys]
    : service.ports.map(({ from, to }): Range => [keys[0] + BigInt(from), keys[0] + BigInt(to)]);
}

/** The key range of a term of ports: `tcp/443`, `udp/1812-1813`; `undefined` of other terms. */
export function termKeys(term: string): Range | undefined {
  const [, protocol = '', from, to = from] =
    /^(tcp|udp|sctp|dccp|udplite)\/(\d+)(?:-(\d+))?$/.exec(term) ?? [];
  const number = protocolNumber(protocol);
  if (from === undefined || to === undefined || number === undefined) return undefined;
  const [start] = protocolKeys(BigInt(number));
  return [start + BigInt(from), start + BigInt(to)];
}

/** The same text for the same keys. */
const partOf = (range: Range): string => range.join('-');

/** Names services as the policy does, those of most ports first; ports without a name are `tcp/8080-8090`. */
export function createServiceNames(services: ReadonlyMap<string, readonly Service[]>): NameServices {
  const known = [...services]
    .flatMap(([name, list]) => {
      const keys = list.map(serviceKeys);
      if (keys.includes(undefined)) return [];
      const ranges = normalise(keys.flatMap((one) => one ?? []));
      return [{ name, services: ranges, parts: ranges.map(partOf) }];
    })
    .sort((a, b) => b.parts.length - a.parts.length || (a.name < b.name ? -1 : 1));
  const nameServices: NameServices = (wanted) => {
    if (isMostServices(wanted)) {
      const others = nameServices(subtract(ALL_SERVICES, union(wanted, ICMP_SERVICES)));
      return [{ name: allBut(others), services: wanted }];
    }
    const { taken, rest } = coverParts(wanted.map(partOf), known);
    return [...taken, ...wanted.filter((range) => rest.has(partOf(range))).flatMap(unnamed)];
  };
  return nameServices;
}

const MOST_LEFT_OUT = 3;

const allBut = (others: readonly NamedService[]): string =>
  others.length === 0
    ? 'everything'
    : others.length > MOST_LEFT_OUT
      ? 'most of everything'
      : `everything but ${others.map(({ name }) => name).join(', ')}`;

/** A range without a name, one entry a protocol unless it is whole protocols. */
function unnamed(range: Range): readonly NamedService[] {
  const [from, to] = range;
  const [first, last] = [from / PORTS, to / PORTS];
  const [start, end] = protocolKeys(first);
  if (from === start && to === protocolKeys(last)[1])
    return [
      {
        name:
          first === last
            ? protocolText(first)
            : `every protocol from ${protocolText(first)} to ${protocolText(last)}`,
        services: [range],
      },
    ];
  const here: Range = [from, first === last ? to : end];
  const whole = here[0] === start && here[1] === end;
  return [
    {
      name: whole ? protocolText(first) : portsText(protocolText(first), here[0] - start, here[1] - start),
      services: [here],
    },
    ...(first === last ? [] : unnamed([end + 1n, to])),
  ];
}

/** `tcp/443`, `tcp/8000-8100`. */
export const portsText = (protocol: string, from: number | bigint, to: number | bigint): string =>
  `${protocol}/${from}${from === to ? '' : `-${to}`}`;

/** Adds the gaps between services whose keys are all in `allowed` or ICMP. */
export function fillServiceGaps(services: Ranges, allowed: Ranges): Ranges {
  if (services.length === 0) return services;
  const through = union(services, allowed, ICMP_SERVICES);
  const gaps = subtract(ALL_SERVICES, services).filter((gap) => isEmpty(subtract([gap], through)));
  return normalise([...services, ...gaps]);
}

const BUILT_IN = Object.entries(SERVICES).map(([name, parts]) => ({ name, parts }));
const OF_SEVERAL_TERMS = BUILT_IN.filter(({ parts }) => parts.length > 1);
/** `tcp/443` → `https`; of several names the first. */
const OF_ONE_TERM: ReadonlyMap<string, string> = new Map(
  BUILT_IN.filter(({ parts: [term = ''], parts }) => parts.length === 1 && !term.startsWith('icmp'))
    .map(({ name, parts: [term = ''] }) => [term, name] as const)
    .reverse(),
);

/** Names terms such as `tcp/443` by the built-in services: those of several terms first; others stay as they are. */
export function nameTerms(terms: readonly string[]): readonly string[] {
  const { taken, rest } = coverParts(terms, OF_SEVERAL_TERMS);
  return [...taken.map(({ name }) => name), ...[...rest].map((term) => OF_ONE_TERM.get(term) ?? term)];
}
