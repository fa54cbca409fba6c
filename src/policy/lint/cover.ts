/** What a rule reaches: whether services contain one another, and whether addresses are the whole internet. */
import { isWithin, subtract } from '../addresses.js';
import type { AddressSet, PolicyRule, Service } from '../fleet.js';

/** Whether every packet of `b` is one of `a`. */
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

export const coverAll = (wide: readonly Service[], narrow: readonly Service[]): boolean =>
  narrow.every((service) => wide.some((other) => covers(other, service)));

export const port = (protocol: 'tcp' | 'udp', number: number): Service => ({
  kind: 'ports',
  protocol,
  ports: [{ from: number, to: number }],
});

/** The addresses that the rule's own side leaves: `from`, or `to` for output, without `except`. */
export function reached(rule: PolicyRule): AddressSet {
  const set = rule.direction === 'output' ? rule.to : rule.from;
  return rule.except === undefined ? set : subtract(set, rule.except);
}

/**
 * Blocks so large that no single owner has them: registries hand out at most a /8 of IPv4 and a /12 of IPv6 (RFC 7020;
 * the registries' own statistics), so a larger one is a part of the internet as such.
 */
export const isWorld = ({ any, v4, v6 }: AddressSet): boolean =>
  any || v4.some((block) => lengthOf(block) < 8) || v6.some((block) => lengthOf(block) < 12);

const lengthOf = (block: string): number => Number(block.slice(block.indexOf('/') + 1));

/** Whether the rule takes first packets of connections. */
export const takesNew = ({ states }: PolicyRule): boolean =>
  states === undefined || states === 'any' || states.includes('new');

function takesStates({ states: a }: PolicyRule, { states: b = ['new'] }: PolicyRule): boolean {
  if (a === 'any') return true;
  return b !== 'any' && b.every((state) => (a ?? ['new']).includes(state));
}

/** Whether `a` takes every packet that `b` would take, as far as addresses, interfaces and families tell. */
export function takesAll(a: PolicyRule, b: PolicyRule): boolean {
  return (
    a.rate === undefined &&
    (a.in === undefined || a.in === b.in) &&
    (a.out === undefined || a.out === b.out) &&
    (a.family === undefined || a.family === b.family) &&
    takesStates(a, b) &&
    coverAll(a.services, b.services) &&
    (a.direction === 'output'
      ? isWithin(b.from, a.from) && isWithin(reached(b), reached(a))
      : isWithin(b.to, a.to) && isWithin(reached(b), reached(a)))
  );
}
