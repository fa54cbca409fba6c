/** Services as matches of one family. */
import type { Family } from '../../lib/family.js';
import { protocolNumber } from '../../netfilter/extensions/protocols.js';
import type { PortRange, Service } from '../../policy/fleet.js';

/** One of the matches that together are the services of a rule. */
export interface ServiceMatch {
  /** Starts with `-p`; empty for every packet. */
  readonly text: string;
  /** `undefined` for every protocol. */
  readonly protocol?: string;
  /** Ports of the match, as iptables writes them; absent when it has none. */
  readonly ports?: string;
  /**
   * Whether its first packet is NEW to connection tracking. ICMP errors are RELATED, and neighbour discovery and MLD
   * are UNTRACKED (nf_conntrack_proto_icmpv6.c), so that a rule on ICMP does not match on the state.
   */
  readonly tracked: boolean;
}

/** Ports a multiport match holds; a range counts twice (XT_MULTI_PORTS of xt_multiport.h). */
const MULTIPORT_SLOTS = 15;

/** ICMP and ICMPv6 by their protocol numbers: each belongs to one family alone. */
const FAMILY_OF: ReadonlyMap<number, Family> = new Map([
  [1, 'v4'],
  [58, 'v6'],
]);

/**
 * The matches that together are the services, in this family; none when all of them belong to the other.
 * Ports of one protocol are sorted, and overlapping ones merged.
 */
export function serviceMatches(services: readonly Service[], family: Family): readonly ServiceMatch[] {
  if (services.some(({ kind }) => kind === 'any')) return [{ text: '', tracked: true }];
  const ports = new Map<string, PortRange[]>();
  const found: ServiceMatch[] = [];
  for (const service of services) {
    if (service.kind === 'ports') {
      const known = ports.get(service.protocol);
      if (known === undefined) ports.set(service.protocol, [...service.ports]);
      else known.push(...service.ports);
    } else if (service.kind === 'icmp') {
      if (service.family === family) found.push(icmpMatch(service.type, family));
    } else if (service.kind === 'protocol') {
      const number = protocolNumber(service.protocol);
      const only = number === undefined ? undefined : FAMILY_OF.get(number);
      if (only === undefined || only === family)
        found.push({
          text: `-p ${service.protocol}`,
          protocol: service.protocol,
          tracked: only === undefined,
        });
    }
  }
  const matches = [...ports].flatMap(([protocol, ranges]) => portMatches(protocol, ranges));
  return unique([...matches, ...found]);
}

const unique = (matches: readonly ServiceMatch[]): readonly ServiceMatch[] =>
  matches.filter((match, index) => matches.findIndex(({ text }) => text === match.text) === index);

/** @param type `3`, or `type/code` */
export function icmpMatch(type: string, family: Family): ServiceMatch {
  return family === 'v4'
    ? { text: `-p icmp -m icmp --icmp-type ${type}`, protocol: 'icmp', tracked: false }
    : { text: `-p ipv6-icmp -m icmp6 --icmpv6-type ${type}`, protocol: 'ipv6-icmp', tracked: false };
}

/** Destination ports as `--dport`, or as many `--dports` as multiport needs. */
export function portMatches(protocol: string, ranges: readonly PortRange[]): readonly ServiceMatch[] {
  return chunks(merge(ranges)).map((chunk): ServiceMatch => {
    const ports = chunk.map(({ from, to }) => (from === to ? `${from}` : `${from}:${to}`)).join(',');
    const text =
      chunk.length === 1
        ? `-p ${protocol} -m ${protocol} --dport ${ports}`
        : `-p ${protocol} -m multiport --dports ${ports}`;
    return { text, protocol, ports, tracked: true };
  });
}

function merge(ranges: readonly PortRange[]): readonly PortRange[] {
  const merged: PortRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    const last = merged.at(-1);
    if (last !== undefined && range.from <= last.to)
      merged[merged.length - 1] = { from: last.from, to: Math.max(last.to, range.to) };
    else merged.push(range);
  }
  return merged;
}

function chunks(ranges: readonly PortRange[]): readonly (readonly PortRange[])[] {
  const found: PortRange[][] = [];
  let free = 0;
  for (const range of ranges) {
    const slots = range.from === range.to ? 1 : 2;
    if (slots > free) {
      found.push([]);
      free = MULTIPORT_SLOTS;
    }
    found.at(-1)?.push(range);
    free -= slots;
  }
  return found;
}
