/** Lint for allows that are wider than they seem: many ports for many addresses. */
import { count, grouped } from '../../lib/text.js';
import type { AddressSet, PolicyRule, Service } from '../fleet.js';
import { lengthOf, remoteAddresses } from './cover.js';
import type { Message } from './row.js';

/**
 * Limit for addresses times ports: 16 ports for a /8, 4,096 for a /16, all ports for a /20. The internet counts as a /8,
 * so that a few public ports are not a finding.
 */
const MOST = 2 ** 28;
const ANYWHERE = 2 ** 24;
export const ALL_PORTS = 65_536;

/** Whether addresses times ports exceed the limit. */
export const isWide = (addresses: number, ports: number): boolean =>
  Math.min(addresses, ANYWHERE) * Math.min(ports, ALL_PORTS) > MOST;

/** `every port`, `4,096 ports`. */
export const portsText = (ports: number): string =>
  ports >= ALL_PORTS ? 'every port' : count(ports, 'port');

export const NARROW = 'Restrict it to the services and hosts that need it.';

/** Finding of an allow that is too wide. All services from the internet are a finding of their own. */
export function wideAllow(rule: PolicyRule): Message | undefined {
  if (rule.verb !== 'allow' || rule.direction === 'output' || rule.in === 'lo' || rule.states !== undefined)
    return undefined;
  const from = remoteAddresses(rule);
  const ports = rule.services.reduce((sum, service) => sum + portsOf(service), 0);
  if (!isWide(addressesOf(from), ports)) return undefined;
  return {
    message: `The rule opens ${portsText(ports)} to ${from.any ? 'every address' : sizeText(from)}.`,
    hint: NARROW,
  };
}

/** ICMP types and protocols without ports count as one port. */
function portsOf(service: Service): number {
  if (service.kind === 'ports') return service.ports.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  if (service.kind === 'icmp') return 1;
  return service.kind === 'any' || PORTED.has(service.protocol) ? ALL_PORTS : 1;
}

const PORTED: ReadonlySet<string> = new Set(['tcp', 'udp', 'sctp', 'dccp', 'udplite']);

/** IPv4 addresses or IPv6 /64 networks, whichever are more. */
function addressesOf({ any, v4, v6 }: AddressSet): number {
  if (any) return ANYWHERE;
  const sum = (networks: readonly string[], bits: number): number =>
    networks.reduce((total, network) => total + 2 ** Math.max(0, bits - lengthOf(network)), 0);
  return Math.max(sum(v4, 32), sum(v6, 64));
}

const sizeText = (set: AddressSet): string =>
  set.v4.length > 0 ? `${grouped(addressesOf(set))} addresses` : count(addressesOf(set), '/64 network');
