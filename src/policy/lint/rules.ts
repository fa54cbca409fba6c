/** Lints for rules that do something else than they seem to. */
import { FAMILY } from '../../lib/text.js';
import { isWithin, subtract } from '../addresses.js';
import type { Fleet, Host, PolicyRule, Service } from '../fleet.js';
import { coverAll, covers, coversRule, isInternet, port } from './cover.js';
import { rawLogs, rawPortsTwice, UNLIMITED } from './raw.js';
import { eachHost, eachRule, type Finding, type Lint, type Message } from './row.js';

/** Rules without effect, because an earlier one matches all their packets first. */
const eachCovered =
  (hasPriority: (rule: PolicyRule, earlier: PolicyRule) => boolean, hint: string) =>
  (fleet: Fleet): readonly Finding[] =>
    fleet.hosts.flatMap((host) =>
      (['input', 'output', 'forward'] as const).flatMap((direction) =>
        host[direction].flatMap((rule, index) => {
          const earlier = host[direction]
            .slice(0, index)
            .find((other) => hasPriority(rule, other) && coversRule(other, rule));
          if (earlier === undefined) return [];
          const { file, line } = earlier.location;
          const message = `The ${rule.verb} rule has no effect: the ${earlier.verb} rule in ${file}:${line} matches all its packets first.`;
          return { message, hint, location: rule.location, origin: rule.origin };
        }),
      ),
    );

const denyAfterAllow = eachCovered(
  ({ verb }, earlier) => (verb === 'deny' || verb === 'reject') && earlier.verb === 'allow',
  "Move it before that rule; a host's own rules come before its roles'.",
);

const logAfterVerdict = eachCovered(
  (rule, earlier) => rule.verb === 'log' && earlier.verb !== 'log',
  'Move it before that rule, or write "log: true" there.',
);

const bothFamilies = ({ addresses }: Host): boolean =>
  addresses.some((address) => address.includes(':')) && addresses.some((address) => !address.includes(':'));

function oneFamily(rule: PolicyRule, host: Host): Message | undefined {
  if (rule.verb !== 'allow' || rule.direction !== 'input' || !bothFamilies(host) || !isInternet(rule.from))
    return undefined;
  const { any, v4, v6 } = rule.from;
  const open =
    rule.family ?? (any || (v4.length > 0 && v6.length > 0) ? rule.family : v4.length > 0 ? 'v4' : 'v6');
  if (open === undefined || rule.services.every(({ kind }) => kind === 'icmp')) return undefined;
  const closed = open === 'v4' ? 'v6' : 'v4';
  return {
    message: `The rule opens ${FAMILY[open]} but not ${FAMILY[closed]} to the internet, and host "${host.name}" has both.`,
    hint: 'Write "from: any" without "family" for both.',
  };
}

function portTwice({ services }: PolicyRule): Message | undefined {
  const repeated = services.find((service, index) =>
    services.some(
      (other, at) => at !== index && covers(other, service) && (at < index || !covers(service, other)),
    ),
  );
  if (repeated === undefined) return undefined;
  return { message: `The rule lists ${serviceText(repeated)} twice.`, hint: 'Keep one of them.' };
}

function serviceText(service: Service): string {
  if (service.name !== undefined) return service.name;
  if (service.kind === 'any') return 'any';
  if (service.kind === 'protocol') return service.protocol;
  if (service.kind === 'icmp') return `icmp/${service.type}`;
  return `${service.protocol}/${service.ports.map(({ from, to }) => (from === to ? from : `${from}-${to}`)).join(',')}`;
}

function exceptNothing(rule: PolicyRule): Message | undefined {
  if (rule.except === undefined) return undefined;
  const set = rule.direction === 'output' ? rule.to : rule.from;
  if (!isWithin(set, subtract(set, rule.except))) return undefined;
  return {
    message: `"except" has no effect: ${rule.except.names.join(', ')} has no address of ${set.names.join(', ')}.`,
    hint: 'Correct it, or remove it.',
  };
}

const allowsOutput = (host: Host, services: readonly Service[]): boolean =>
  host.output.some(
    (rule) => rule.verb === 'allow' && services.some((service) => coverAll(rule.services, [service])),
  );

const egressWithout = (server: string, services: readonly Service[], hint: string) =>
  eachHost((host) =>
    host.baseline.output === 'drop' && !allowsOutput(host, services)
      ? { message: `Host "${host.name}" cannot reach ${server}.`, hint }
      : undefined,
  );

const ruleLog = eachRule((rule) => (rule.verb === 'log' && rule.rate === undefined ? UNLIMITED : undefined));

export const RULES: readonly Lint[] = [
  { id: 'deny-after-allow', level: 'warning', check: denyAfterAllow },
  { id: 'log-after-verdict', level: 'warning', check: logAfterVerdict },
  { id: 'one-family', level: 'warning', check: eachRule(oneFamily) },
  {
    id: 'log-without-limit',
    level: 'warning',
    check: (fleet) => [...ruleLog(fleet), ...rawLogs(fleet)],
  },
  {
    id: 'port-twice',
    level: 'note',
    check: (fleet) => [...eachRule(portTwice)(fleet), ...rawPortsTwice(fleet)],
  },
  { id: 'except-nothing', level: 'warning', check: eachRule(exceptNothing) },
  {
    id: 'egress-without-dns',
    level: 'warning',
    check: egressWithout(
      'a DNS resolver',
      [port('udp', 53), port('tcp', 853)],
      'Add "allow: dns" under "output", with your resolvers in "to".',
    ),
  },
  {
    id: 'egress-without-ntp',
    level: 'warning',
    check: egressWithout('an NTP server', [port('udp', 123)], 'Add "allow: ntp" under "output".'),
  },
];
