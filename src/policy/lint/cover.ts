/** Which packets a rule matches: containment of services and of rules, and address sets as large as the internet. */
import { isWithin, subtract } from '../addresses.js';
import type { AddressSet, PolicyRule, Service } from '../fleet.js';

/** Whether `a` contains every packet of `b`. */
export function covers(a: Service, b: Service): boolean {
  if (a.kind === 'any') return true;
  if (b.kind === 'any') return false;
  if (a.kind === 'protocol') return a.protocol === protocolOf(b);
  if (a.kind === 'icmp')
    return (
      b.kind === 'icmp' && a.family === b.family && (a.type === b.type || b.type.startsWith(`${a.type}/`))
    );
  return (
    b.kind === 'ports' &&
    a.protocol === b.protocol &&
    b.ports.every(({ from, to }) => a.ports.some((range) => range.from <= from && to <= range.to))
  );
}

function protocolOf(service: Exclude<Service, { kind: 'any' }>): string {
  if (service.kind === 'icmp') return service.family === 'v4' ? 'icmp' : 'ipv6-icmp';
  return service.protocol;
}

/** Whether each narrow service is contained in one of the wide ones. */
export const coverAll = (wide: readonly Service[], narrow: readonly Service[]): boolean =>
  narrow.every((service) => wide.some((other) => covers(other, service)));

/** The service of one port. */
export const port = (protocol: 'tcp' | 'udp', number: number): Service => ({
  kind: 'ports',
  protocol,
  ports: [{ from: number, to: number }],
});

/** The remote addresses of the rule: `from`, or `to` for output, without `except`. */
export function remoteAddresses(rule: PolicyRule): AddressSet {
  const set = rule.direction === 'output' ? rule.to : rule.from;
  return rule.except === undefined ? set : subtract(set, rule.except);
}

/**
 * Whether the set has a block too large for a single owner: registries assign at most a /8 of IPv4 and a /12 of IPv6
 * (RFC 7020; statistics of the registries).
 */
export const isInternet = ({ any, v4, v6 }: AddressSet): boolean =>
  any || v4.some((block) => lengthOf(block) < 8) || v6.some((block) => lengthOf(block) < 12);

/** `8` of `10.0.0.0/8`. */
export const lengthOf = (block: string): number => Number(block.slice(block.indexOf('/') + 1));

/** Whether the rule matches the first packet of connections. */
export const matchesNew = ({ states }: PolicyRule): boolean =>
  states === undefined || states === 'any' || states.includes('new');

function coversStates({ states: a }: PolicyRule, { states: b = ['new'] }: PolicyRule): boolean {
  if (a === 'any') return true;
  return b !== 'any' && b.every((state) => (a ?? ['new']).includes(state));
}

/** Whether `a` matches every packet that `b` matches, judged by addresses, interfaces, families, states and services. */
export function coversRule(a: PolicyRule, b: PolicyRule): boolean {
  return (
    a.rate === undefined &&
    (a.in === undefined || a.in === b.in) &&
    (a.out === undefined || a.out === b.out) &&
    (a.family === undefined || a.family === b.family) &&
    coversStates(a, b) &&
    coverAll(a.services, b.services) &&
    (a.direction === 'output'
      ? isWithin(b.from, a.from) && isWithin(remoteAddresses(b), remoteAddresses(a))
      : isWithin(b.to, a.to) && isWithin(remoteAddresses(b), remoteAddresses(a)))
  );
}
