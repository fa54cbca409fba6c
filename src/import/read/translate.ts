/** One rule of iptables as the policy says it, where the policy can say exactly that. */

import type { Family } from '../../lib/family.js';
import { protocolNumber } from '../../netfilter/extensions/protocols.js';
import type { Negatable, Option, Rule } from '../../netfilter/model.js';
import { INTERFACE } from '../../policy/names.js';
import { type Criteria, criteriaOf, type MatchContext, rateOf } from './matches.js';
import type { Direction, NatStatement, Statement, StatementLog } from './statement.js';

const DIRECTIONS: Readonly<Record<string, Direction>> = {
  INPUT: 'input',
  OUTPUT: 'output',
  FORWARD: 'forward',
};

const VERBS: Readonly<Record<string, Statement['verb']>> = {
  ACCEPT: 'allow',
  DROP: 'deny',
  REJECT: 'reject',
  LOG: 'log',
};

/** What a packet is, and where it comes from and goes to: what rules and translations have in common. */
interface Core {
  readonly services: readonly string[];
  readonly from?: readonly string[];
  readonly to?: readonly string[];
  readonly notFrom?: readonly string[];
  readonly notTo?: readonly string[];
  readonly in?: string;
  readonly out?: string;
  readonly criteria: Criteria;
}

const ICMP: { readonly [family in Family]: string } = { v4: 'icmp', v6: 'ipv6-icmp' };
const WITH_PORTS: readonly string[] = ['tcp', 'udp', 'sctp', 'dccp', 'udplite'];

/** ICMP types that the policy names by one word in both families. */
const BOTH: Readonly<Record<string, string>> = { 'v4 8': 'ping', 'v6 128': 'ping' };

function servicesOf(rule: Rule, criteria: Criteria, family: Family): readonly string[] | undefined {
  const { protocol } = rule;
  if (protocol?.negated) return undefined;
  const name = protocol?.value;
  if (criteria.ports !== undefined)
    return name !== undefined && WITH_PORTS.includes(name)
      ? criteria.ports.split(',').map((port) => `${name}/${port}`)
      : undefined;
  if (criteria.icmp !== undefined && criteria.icmp !== 'any') {
    const both = BOTH[`${family} ${criteria.icmp}`];
    return [both ?? `${family === 'v4' ? 'icmp' : 'icmpv6'}/${criteria.icmp}`];
  }
  if (name === undefined) return ['any'];
  if (name === ICMP[family]) return ['icmp'];
  const number = protocolNumber(name);
  if (number === undefined || number === 1 || number === 58) return undefined;
  return [/^[a-z]/.test(name) ? name : `protocol/${number}`];
}

/** Only masks that are prefixes can be said. */
function networks(part: Negatable | undefined): readonly string[] | undefined {
  return part === undefined || !/\/\d+$/.test(part.value) ? undefined : [part.value];
}

function coreOf(rule: Rule, context: MatchContext): Core | undefined {
  if (rule.fragment !== undefined || rule.inInterface?.negated || rule.outInterface?.negated)
    return undefined;
  const criteria = criteriaOf(rule.matches, context);
  const services = criteria && servicesOf(rule, criteria, context.family);
  if (criteria === undefined || services === undefined) return undefined;
  const sides = { source: rule.source, destination: rule.destination };
  for (const part of Object.values(sides))
    if (part !== undefined && networks(part) === undefined) return undefined;
  const both = (
    [
      ['from', sides.source, criteria.from, criteria.notFrom],
      ['to', sides.destination, criteria.to, criteria.notTo],
    ] as const
  ).map(([key, part, listed, left]) => {
    const own = networks(part);
    if (Number(own !== undefined) + Number(listed !== undefined) + Number(left !== undefined) > 1)
      return undefined;
    const not = part?.negated ? own : left;
    const yes = part?.negated ? undefined : (own ?? listed);
    return {
      ...(yes === undefined ? {} : { [key]: yes }),
      ...(not === undefined ? {} : { [key === 'from' ? 'notFrom' : 'notTo']: not }),
    };
  });
  if (both.includes(undefined)) return undefined;
  const interfaces = [rule.inInterface, rule.outInterface];
  if (interfaces.some((part) => part !== undefined && !INTERFACE.test(part.value))) return undefined;
  return {
    services,
    ...both[0],
    ...both[1],
    ...(rule.inInterface === undefined ? {} : { in: rule.inInterface.value }),
    ...(rule.outInterface === undefined ? {} : { out: rule.outInterface.value }),
    criteria,
  };
}

const valueGiven = (options: readonly Option[], flag: string): string | undefined =>
  options.find((option) => option.flag === flag)?.values[0];

const LEVELS = ['emerg', 'alert', 'crit', 'error', 'warning', 'notice', 'info', 'debug'] as const;

/** What a LOG writes; `undefined` when it writes more than the policy can ask for. */
export function logOf(rule: Rule, criteria: Criteria): StatementLog | undefined {
  const options = rule.target?.options ?? [];
  if (options.some(({ flag }) => flag !== '--log-prefix' && flag !== '--log-level')) return undefined;
  if (criteria.limit?.perSource) return undefined;
  const { limit } = criteria;
  return {
    prefix: valueGiven(options, '--log-prefix') ?? '',
    level: LEVELS[Number(valueGiven(options, '--log-level') ?? 4)] ?? 'warning',
    ...(limit === undefined ? {} : { limit: { rate: limit.rate, burst: limit.burst } }),
  };
}

/** How the policy's own `reject` answers. */
function usualAnswer({ protocol }: Rule, family: Family): readonly string[] {
  const plain = family === 'v4' ? 'icmp-port-unreachable' : 'icmp6-port-unreachable';
  return protocol?.value === 'tcp' ? ['tcp-reset'] : [plain];
}

/** A rule of the filter table; `chain` is the built-in chain that it stands in, or is reached from. */
export function translate(
  rule: Rule,
  chain: string,
  context: MatchContext,
  bucket = rule.text,
): Statement | undefined {
  const direction = DIRECTIONS[chain];
  const verb = VERBS[rule.target?.name ?? ''];
  if (direction === undefined || verb === undefined || rule.target?.chain) return undefined;
  const core = coreOf(rule, context);
  if (core === undefined) return undefined;
  const { criteria, notFrom, notTo, ...rest } = core;
  const [except, other] = direction === 'output' ? [notTo, notFrom] : [notFrom, notTo];
  if (other !== undefined) return undefined;
  const log = verb === 'log' ? logOf(rule, criteria) : undefined;
  if (verb === 'log' && log === undefined) return undefined;
  // A deny beyond a rate would let the rest pass on; the policy does not say that.
  if ((verb === 'deny' || verb === 'reject') && criteria.limit !== undefined) return undefined;
  const answer = verb === 'reject' ? valueGiven(rule.target?.options ?? [], '--reject-with') : undefined;
  return {
    kind: 'rule',
    direction,
    verb,
    ...rest,
    ...(except === undefined ? {} : { except }),
    ...(criteria.states === undefined ? {} : { states: criteria.states }),
    ...(verb === 'log' ? {} : rateOf(criteria, bucket)),
    ...(log === undefined ? {} : { log }),
    ...(answer === undefined || usualAnswer(rule, context.family).includes(answer) ? {} : { answer }),
    ...(criteria.comment === undefined ? {} : { comment: criteria.comment }),
  };
}

interface NatRow {
  readonly verb: NatStatement['verb'];
  readonly chain: string;
  readonly option?: string;
  readonly target: RegExp;
}

const NAT: Readonly<Record<string, NatRow>> = {
  MASQUERADE: { verb: 'masquerade', chain: 'POSTROUTING', target: /^$/ },
  SNAT: { verb: 'snat', chain: 'POSTROUTING', option: '--to-source', target: /^(\[?[0-9a-f.:]+\]?)(:\d+)?$/ },
  DNAT: {
    verb: 'dnat',
    chain: 'PREROUTING',
    option: '--to-destination',
    target: /^(\[?[0-9a-f.:]+\]?)(:\d+)?$/,
  },
  REDIRECT: { verb: 'redirect', chain: 'PREROUTING', option: '--to-ports', target: /^[1-9]\d*$/ },
};

/** A rule of the nat table. */
export function translateNat(rule: Rule, chain: string, context: MatchContext): NatStatement | undefined {
  const row = NAT[rule.target?.name ?? ''];
  if (row === undefined || row.chain !== chain || rule.target?.chain) return undefined;
  const core = coreOf(rule, context);
  if (core === undefined || core.notFrom !== undefined || core.notTo !== undefined) return undefined;
  const { criteria, ...rest } = core;
  if (criteria.states !== undefined || criteria.limit !== undefined) return undefined;
  const options = rule.target?.options ?? [];
  const target = row.option === undefined ? '' : (valueGiven(options, row.option) ?? '');
  if (options.length > (row.option === undefined ? 0 : 1) || !row.target.test(target)) return undefined;
  if (row.verb === 'masquerade' && core.out === undefined) return undefined;
  const ports = row.verb === 'redirect' || /:\d+$/.test(target.replace(/^[0-9a-f:]*:[0-9a-f:]*$/, ''));
  if (ports && !core.services.every((service) => service.includes('/') && !service.startsWith('protocol')))
    return undefined;
  return {
    kind: 'nat',
    verb: row.verb,
    ...rest,
    ...(row.verb === 'masquerade' ? {} : { target }),
    ...(criteria.comment === undefined ? {} : { comment: criteria.comment }),
  };
}
