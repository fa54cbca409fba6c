/** Rules that do something else than their reader thinks. */
import { isWithin, subtract } from '../addresses.js';
import type { Fleet, Host, PolicyRule, Service } from '../fleet.js';
import { coverAll, covers, isWorld, port, takesAll } from './cover.js';
import { rawLogs, rawPortsTwice, UNLIMITED } from './raw.js';
import { eachHost, eachRule, type Found, type Lint } from './row.js';

type Late = (rule: PolicyRule, earlier: PolicyRule) => boolean;

/** Rules whose every packet an earlier one has taken. */
const eachLate =
  (isLate: Late, message: (rule: PolicyRule, earlier: string) => string, hint: string) =>
  (fleet: Fleet): readonly Found[] =>
    fleet.hosts.flatMap((host) =>
      (['input', 'output', 'forward'] as const).flatMap((direction) =>
        host[direction].flatMap((rule, index) => {
          const earlier = host[direction]
            .slice(0, index)
            .find((other) => isLate(rule, other) && takesAll(other, rule));
          if (earlier === undefined) return [];
          const { file, line } = earlier.location;
          const where = `the ${earlier.verb} in ${file}:${line}`;
          return { message: message(rule, where), hint, location: rule.location, origin: rule.origin };
        }),
      ),
    );

const denies = ({ verb }: PolicyRule): boolean => verb === 'deny' || verb === 'reject';

const cutTooLate = eachLate(
  (rule, earlier) => denies(rule) && earlier.verb === 'allow',
  ({ verb }, earlier) => `The rule never says ${verb}: ${earlier} takes every packet before it.`,
  "Move it before that rule; a host's own rules come before its roles'.",
);

const logTooLate = eachLate(
  (rule, earlier) => rule.verb === 'log' && earlier.verb !== 'log',
  (_, earlier) => `The rule never logs: ${earlier} takes every packet before it.`,
  'Move it before that rule, or say "log: true" there.',
);

const bothFamilies = ({ addresses }: Host): boolean =>
  addresses.some((address) => address.includes(':')) && addresses.some((address) => !address.includes(':'));

function oneFamily(
  rule: PolicyRule,
  host: Host,
): { readonly message: string; readonly hint: string } | undefined {
  if (rule.verb !== 'allow' || rule.direction !== 'input' || !bothFamilies(host) || !isWorld(rule.from))
    return undefined;
  const { any, v4, v6 } = rule.from;
  const open =
    rule.family ?? (any || (v4.length > 0 && v6.length > 0) ? rule.family : v4.length > 0 ? 'v4' : 'v6');
  if (open === undefined || rule.services.every(({ kind }) => kind === 'icmp')) return undefined;
  const [opened, closed] = open === 'v4' ? ['IPv4', 'IPv6'] : ['IPv6', 'IPv4'];
  return {
    message: `The rule opens ${opened} to the internet and leaves ${closed} closed, though ${host.name} has both.`,
    hint: 'Write "from: any" without "family:" for both.',
  };
}

function twice(services: readonly Service[]): Service | undefined {
  return services.find((service, index) =>
    services.some(
      (other, at) => at !== index && covers(other, service) && (at < index || !covers(service, other)),
    ),
  );
}

function portTwice({
  services,
}: PolicyRule): { readonly message: string; readonly hint: string } | undefined {
  const repeated = twice(services);
  if (repeated === undefined) return undefined;
  return { message: `The rule names ${wordsOf(repeated)} twice.`, hint: 'Keep one of them.' };
}

function wordsOf(service: Service): string {
  if (service.name !== undefined) return service.name;
  if (service.kind === 'any') return 'any';
  if (service.kind === 'protocol') return service.protocol;
  if (service.kind === 'icmp') return `icmp/${service.type}`;
  return `${service.protocol}/${service.ports.map(({ from, to }) => (from === to ? from : `${from}-${to}`)).join(',')}`;
}

function emptyExcept(rule: PolicyRule): { readonly message: string; readonly hint: string } | undefined {
  if (rule.except === undefined) return undefined;
  const set = rule.direction === 'output' ? rule.to : rule.from;
  if (!isWithin(set, subtract(set, rule.except))) return undefined;
  return {
    message: `"except" takes nothing out: ${rule.except.names.join(', ')} has no address of ${set.names.join(', ')}.`,
    hint: 'Correct it, or remove it.',
  };
}

const leaves = (host: Host, services: readonly Service[]): boolean =>
  host.output.some(
    (rule) => rule.verb === 'allow' && services.some((service) => coverAll(rule.services, [service])),
  );

const lockedWithout = (what: string, services: readonly Service[], hint: string) =>
  eachHost((host) =>
    host.baseline.output === 'drop' && !leaves(host, services)
      ? { message: `${host.name} may not leave for ${what}.`, hint }
      : undefined,
  );

const ruleLog = eachRule((rule) => (rule.verb === 'log' && rule.rate === undefined ? UNLIMITED : undefined));

export const RULES: readonly Lint[] = [
  { id: 'deny-after-allow', level: 'warning', check: cutTooLate },
  { id: 'log-after-verdict', level: 'warning', check: logTooLate },
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
  { id: 'except-nothing', level: 'warning', check: eachRule(emptyExcept) },
  {
    id: 'egress-without-dns',
    level: 'warning',
    check: lockedWithout(
      'name resolution',
      [port('udp', 53), port('tcp', 853)],
      'Add "allow: dns" under "output:" with "to:" your resolvers.',
    ),
  },
  {
    id: 'egress-without-ntp',
    level: 'warning',
    check: lockedWithout('a time server', [port('udp', 123)], 'Add "allow: ntp" under "output:".'),
  },
];
