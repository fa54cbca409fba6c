/** Protocols and ports as numbers on one line (see `Atom.wire`), and their names. */

import { isEmpty, normalise, type Range, type Ranges, sizeOf, subtract, union } from '../lib/ranges.js';
import { protocolNumber } from '../netfilter/extensions/protocols.js';
import type { Service } from '../policy/fleet.js';
import { protocolText } from '../traffic/program/fields.js';
import { ICMP_SERVICES, PORTS } from '../traffic/questions/reach.js';

const EVERYTHING: Range = [0n, 256n * PORTS - 1n];

/** More than half of all protocols and ports: told by what it leaves out. */
export const isVast = (wires: Ranges): boolean => sizeOf(wires) * 2n > sizeOf([EVERYTHING]);

const blockOf = (protocol: bigint): Range => [protocol * PORTS, protocol * PORTS + PORTS - 1n];

/** `undefined` where the service is ICMP, of which no map tells. */
function wiresOfService(service: Service): Ranges | undefined {
  if (service.kind === 'any') return [EVERYTHING];
  if (service.kind === 'icmp') return undefined;
  const number = protocolNumber(service.protocol);
  if (number === undefined) return undefined;
  const block = blockOf(BigInt(number));
  return service.kind === 'protocol'
    ? [block]
    : service.ports.map(({ from, to }): Range => [block[0] + BigInt(from), block[0] + BigInt(to)]);
}

export interface NamedService {
  readonly name: string;
  readonly wires: Ranges;
}

export type Naming = (wires: Ranges) => readonly NamedService[];

/**
 * Names wires as the policy does. A service is named where each of its ports stands by itself: `tcp/20-30` is not
 * telnet and something else.
 */
export function naming(services: ReadonlyMap<string, readonly Service[]>): Naming {
  const known = [...services]
    .flatMap(([name, parts]): readonly NamedService[] => {
      const wires = parts.map(wiresOfService);
      return wires.includes(undefined) ? [] : [{ name, wires: normalise(wires.flatMap((one) => one ?? [])) }];
    })
    .sort((a, b) => b.wires.length - a.wires.length || (a.name < b.name ? -1 : 1));
  const keyOf = (range: Range): string => range.join('-');
  const name: Naming = (wires) => {
    if (isVast(wires))
      return [{ name: vast(name(subtract([EVERYTHING], union(wires, ICMP_SERVICES)))), wires }];
    const left = new Map(wires.map((range) => [keyOf(range), range]));
    const named: NamedService[] = [];
    for (const service of known) {
      if (!service.wires.every((range) => left.has(keyOf(range)))) continue;
      named.push(service);
      for (const range of service.wires) left.delete(keyOf(range));
      if (left.size === 0) break;
    }
    return [...named, ...[...left.values()].flatMap(literal)];
  };
  return name;
}

const MOST_LEFT_OUT = 3;

const vast = (leftOut: readonly NamedService[]): string =>
  leftOut.length === 0
    ? 'everything'
    : leftOut.length > MOST_LEFT_OUT
      ? 'most of everything'
      : `everything but ${leftOut.map(({ name }) => name).join(', ')}`;

/** A range without a name, one entry a protocol unless it is whole protocols. */
function literal(range: Range): readonly NamedService[] {
  const [first, last] = [range[0] / PORTS, range[1] / PORTS];
  if (range[0] === blockOf(first)[0] && range[1] === blockOf(last)[1])
    return [
      {
        name:
          first === last
            ? protocolText(first)
            : `every protocol from ${protocolText(first)} to ${protocolText(last)}`,
        wires: [range],
      },
    ];
  const [whole, end] = blockOf(first);
  const here: Range = [range[0], first === last ? range[1] : end];
  const [from, to] = [here[0] - whole, here[1] - whole];
  const ports = here[0] === whole && here[1] === end ? '' : `/${from === to ? from : `${from}-${to}`}`;
  const rest: readonly NamedService[] = last === first ? [] : literal([end + 1n, range[1]]);
  return [{ name: `${protocolText(first)}${ports}`, wires: [here] }, ...rest];
}

/** Fills the gaps between wires where what lies between is let through anyway, or is ICMP. */
export function serviceBridge(wires: Ranges, anyway: Ranges): Ranges {
  if (wires.length === 0) return wires;
  const allowed = union(wires, anyway, ICMP_SERVICES);
  const gaps = subtract([EVERYTHING], wires).filter((gap) => isEmpty(subtract([gap], allowed)));
  return normalise([...wires, ...gaps]);
}
