/** Resolves names of services, ports, ICMP types and protocols. */
import type { Family } from '../../lib/family.js';
import { addError, type Problem, type SourceLocation } from '../../lib/problem.js';
import { findExtension } from '../../netfilter/extensions/index.js';
import { protocolName, protocolNumber } from '../../netfilter/extensions/protocols.js';
import { isRefusal } from '../../netfilter/extensions/row.js';
import type { Invalid } from '../addresses.js';
import { SERVICES } from '../builtin.js';
import type { PortRange, Service } from '../fleet.js';
import { undefinedName } from '../names.js';
import type { NameRefs } from './refs.js';

type PortProtocol = Extract<Service, { kind: 'ports' }>['protocol'];
const PORT_PROTOCOLS: readonly string[] = ['tcp', 'udp', 'sctp', 'dccp', 'udplite'] satisfies PortProtocol[];

export interface ServiceNames {
  readonly services: ReadonlyMap<string, NameRefs>;
  readonly complete: boolean;
  readonly broken: ReadonlySet<string>;
}

/** A name with the services that it means. */
export interface ResolvedName {
  readonly text: string;
  readonly services: readonly Service[];
}

export interface ServiceResolver {
  /** One entry for each name; `undefined` when one is invalid, which is then reported. */
  readonly resolve: (refs: NameRefs) => readonly ResolvedName[] | undefined;
  readonly service: (name: string) => readonly Service[] | undefined;
  readonly used: ReadonlySet<string>;
}

/** Whether a service may not have the name, because it is part of the language. */
export const isReserved = (name: string): boolean =>
  ['any', 'icmp', 'icmpv6', 'protocol', ...PORT_PROTOCOLS].includes(name);

/** Resolves each service once; problems go to `problems`. */
export function serviceResolver(names: ServiceNames, problems: Problem[]): ServiceResolver {
  const used = new Set<string>();
  const done = new Map<string, readonly Service[] | undefined>();
  const open: string[] = [];

  const defined = (
    name: string,
    refs: NameRefs,
    location: SourceLocation,
  ): readonly Service[] | undefined => {
    if (done.has(name)) return done.get(name);
    if (open.includes(name)) {
      const cycle = [...open.slice(open.indexOf(name)), name].join(' → ');
      const message = `Circular service reference: ${cycle}.`;
      return addError(problems, 'service-cycle', message, { location, hint: 'Remove one of them.' });
    }
    open.push(name);
    const parts = resolve(refs);
    open.pop();
    const services = parts?.flatMap((part) => part.services.map((service) => ({ ...service, name })));
    done.set(name, services);
    return services;
  };

  const resolveName = (text: string, location: SourceLocation): readonly Service[] | undefined => {
    const own = names.services.get(text);
    if (own !== undefined) {
      used.add(text);
      return defined(text, own, location);
    }
    if (names.broken.has(text)) return undefined;
    if (Object.hasOwn(SERVICES, text)) {
      const builtIn = done.get(text) ?? builtInService(text);
      done.set(text, builtIn);
      return builtIn;
    }
    const read = readService(text);
    if (read === undefined) {
      const known = [...names.services.keys(), ...Object.keys(SERVICES)];
      const hint = `${/^\d/.test(text) ? 'Write' : 'Define it in services.yml, or write'} a port as tcp/443.`;
      if (names.complete) problems.push(undefinedName('service', text, known, location, hint));
      return undefined;
    }
    return 'id' in read ? addError(problems, read.id, read.message, { location, hint: read.hint }) : read;
  };

  const resolve = ({ texts, at }: NameRefs): readonly ResolvedName[] | undefined => {
    const parts = texts.map((text, index) => ({ text, services: resolveName(text, at(index)) }));
    const valid = parts.filter((part): part is ResolvedName => part.services !== undefined);
    return valid.length === parts.length ? valid : undefined;
  };

  return {
    resolve,
    service: (name) => {
      const refs = names.services.get(name);
      return refs && defined(name, refs, refs.at(0));
    },
    used,
  };
}

/** The services of a built-in name. */
export const builtInService = (name: string): readonly Service[] =>
  (SERVICES[name] ?? []).flatMap((text) => {
    const read = readService(text);
    return read === undefined || 'id' in read ? [] : read.map((service) => ({ ...service, name }));
  });

/** Parses `any`, a protocol, or a text with a slash; `undefined` for any other name. */
function readService(text: string): readonly Service[] | Invalid | undefined {
  if (text === 'any') return [{ kind: 'any' }];
  if (/^\d+(-\d+)?$/.test(text))
    return {
      id: 'port-without-protocol',
      message: `Port ${text} has no protocol.`,
      hint: `Write tcp/${text} or udp/${text}.`,
    };
  const swapped = /^([\d,:-]+)[/ ]([a-z]+)$/.exec(text) ?? /^()([a-z]+)[: ]([\d-]+)$/.exec(text);
  if (swapped !== null)
    return {
      id: 'bad-service',
      message: `"${text}" is not a valid service.`,
      hint: `Write ${swapped[2]}/${swapped[1] || swapped[3]}.`,
    };
  const cut = text.indexOf('/');
  if (cut === -1) return wholeProtocol(text);
  const kind = text.slice(0, cut);
  const rest = text.slice(cut + 1);
  if (PORT_PROTOCOLS.includes(kind)) return ports(kind as PortProtocol, rest);
  if (kind === 'icmp') return icmp(rest, /^\d/.test(rest) ? ['v4'] : ['v4', 'v6']);
  if (kind === 'icmpv6') return icmp(rest, ['v6']);
  if (kind === 'protocol') return numbered(rest);
  return {
    id: 'bad-service',
    message: `"${kind}" is not a protocol with ports.`,
    hint: `Use one of these before the slash: ${[...PORT_PROTOCOLS, 'icmp', 'icmpv6', 'protocol'].join(', ')}.`,
  };
}

function ports(protocol: PortProtocol, text: string): readonly Service[] | Invalid {
  const ranges: PortRange[] = [];
  for (const part of text.split(',')) {
    const [, from, to] = /^(0|[1-9]\d*)(?:-(0|[1-9]\d*))?$/.exec(part) ?? [];
    if (from === undefined)
      return {
        id: 'bad-port',
        message: `"${part}" is not a valid port.`,
        hint: /^\d+:\d+$/.test(part)
          ? `Write the range as ${part.replace(':', '-')}.`
          : 'Write a number from 1 to 65535, or a range such as 1000-2000.',
      };
    const range = { from: Number(from), to: Number(to ?? from) };
    if (range.from < 1 || range.to > 65535)
      return { id: 'port-out-of-range', message: `Port ${part} is out of range: 1 to 65535.` };
    if (range.from > range.to)
      return {
        id: 'bad-port',
        message: `Port range ${part} ends before it starts.`,
        hint: `Write ${range.to}-${range.from}.`,
      };
    ranges.push(range);
  }
  return [{ kind: 'ports', protocol, ports: ranges }];
}

const ICMP: { readonly [family in Family]: { readonly match: string; readonly flag: string } } = {
  v4: { match: 'icmp', flag: '--icmp-type' },
  v6: { match: 'icmp6', flag: '--icmpv6-type' },
};

/** The number of an ICMP type by its full iptables name; abbreviations, which iptables accepts, are not. */
function icmpType(text: string, family: Family): string | undefined {
  const { match, flag } = ICMP[family];
  const value = findExtension('match', family, match)?.options.find((option) => option.flag === flag)
    ?.values[0];
  if (value === undefined || text === 'any') return undefined;
  if (!/^\d+(\/\d+)?$/.test(text) && !value.examples[family].includes(text)) return undefined;
  const parsed = value.parse(text, { family });
  return isRefusal(parsed) || parsed === 'any' ? undefined : parsed;
}

function icmp(text: string, families: readonly Family[]): readonly Service[] | Invalid {
  const found = families.flatMap((family) => {
    const type = icmpType(text, family);
    return type === undefined ? [] : [{ kind: 'icmp', family, type } as const];
  });
  if (found.length > 0) return found;
  return {
    id: 'unknown-icmp-type',
    message: `Unknown ICMP type "${text}".`,
    hint: 'Write a name such as echo-request, a number, or number/code; "icmp" alone means every type.',
  };
}

function wholeProtocol(text: string): readonly Service[] | undefined {
  if (text === 'icmp')
    return [
      { kind: 'protocol', protocol: 'icmp' },
      { kind: 'protocol', protocol: 'ipv6-icmp' },
    ];
  const number = /^[a-z]/.test(text) ? protocolNumber(text) : undefined;
  return number === undefined || number === 0
    ? undefined
    : [{ kind: 'protocol', protocol: protocolName(number) }];
}

function numbered(text: string): readonly Service[] | Invalid {
  const number = /^(0|[1-9]\d{0,2})$/.test(text) ? Number(text) : -1;
  if (number < 1 || number > 255)
    return {
      id: 'bad-protocol',
      message: `"${text}" is not a valid protocol number.`,
      hint: 'Write a number from 1 to 255.',
    };
  return [{ kind: 'protocol', protocol: protocolName(number) }];
}

/** The families in which the service exists. */
export function serviceFamilies(service: Service): readonly Family[] {
  if (service.kind === 'icmp') return [service.family];
  if (service.kind === 'protocol' && service.protocol === 'icmp') return ['v4'];
  if (service.kind === 'protocol' && service.protocol === 'ipv6-icmp') return ['v6'];
  return ['v4', 'v6'];
}
