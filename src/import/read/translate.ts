/** Translates one iptables rule into a statement of the policy, if the policy can express exactly that. */

import type { Family } from '../../lib/family.js';
import { protocolNumber } from '../../netfilter/extensions/protocols.js';
import type { Negatable, Option, Rule } from '../../netfilter/model.js';
import { INTERFACE } from '../../policy/names.js';
import { type Criteria, criteriaOf, type MatchContext, rateOf } from './matches.js';
import { directionOf, type NatStatement, type Statement, type StatementLog } from './statement.js';

const VERBS: Readonly<Record<string, Statement['verb']>> = {
  ACCEPT: 'allow',
  DROP: 'deny',
  REJECT: 'reject',
  LOG: 'log',
};

/** What rules of the filter and the nat table have in common: services, addresses and interfaces. */
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

/** ICMP types for which the policy has one name in both families. */
const ICMP_NAMES: Readonly<Record<string, string>> = { 'v4 8': 'ping', 'v6 128': 'ping' };

function servicesOf(rule: Rule, criteria: Criteria, family: Family): readonly string[] | undefined {
  const { protocol } = rule;
  if (protocol?.negated) return undefined;
  const name = protocol?.value;
  if (criteria.ports !== undefined)
    return name !== undefined && WITH_PORTS.includes(name)
      ? criteria.ports.split(',').map((port) => `${name}/${port}`)
      : undefined;
  if (criteria.icmp !== undefined && criteria.icmp !== 'any') {
    const name = ICMP_NAMES[`${family} ${criteria.icmp}`];
    return [name ?? `${family === 'v4' ? 'icmp' : 'icmpv6'}/${criteria.icmp}`];
  }
  if (name === undefined) return ['any'];
  if (name === ICMP[family]) return ['icmp'];
  const number = protocolNumber(name);
  if (number === undefined || number === 1 || number === 58) return undefined;
  return [/^[a-z]/.test(name) ? name : `protocol/${number}`];
}

interface Addresses {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
}

/**
 * The addresses of one side, from `-s` or `-d` and from matches. `undefined` if both restrict them, or by a mask that is
 * not a prefix.
 */
function addressesOf(
  part: Negatable | undefined,
  include: readonly string[] | undefined,
  exclude: readonly string[] | undefined,
): Addresses | undefined {
  if (part === undefined) return include && exclude ? undefined : { include, exclude };
  if (include !== undefined || exclude !== undefined || !/\/\d+$/.test(part.value)) return undefined;
  return part.negated ? { exclude: [part.value] } : { include: [part.value] };
}

function coreOf(rule: Rule, context: MatchContext): Core | undefined {
  const { inInterface, outInterface } = rule;
  if (rule.fragment !== undefined || inInterface?.negated || outInterface?.negated) return undefined;
  const criteria = criteriaOf(rule.matches, context);
  const services = criteria && servicesOf(rule, criteria, context.family);
  if (criteria === undefined || services === undefined) return undefined;
  const from = addressesOf(rule.source, criteria.from, criteria.notFrom);
  const to = addressesOf(rule.destination, criteria.to, criteria.notTo);
  if (from === undefined || to === undefined) return undefined;
  if ([inInterface, outInterface].some((part) => part !== undefined && !INTERFACE.test(part.value)))
    return undefined;
  return {
    services,
    from: from.include,
    notFrom: from.exclude,
    to: to.include,
    notTo: to.exclude,
    in: inInterface?.value,
    out: outInterface?.value,
    criteria,
  };
}

const optionValue = (options: readonly Option[], flag: string): string | undefined =>
  options.find((option) => option.flag === flag)?.values[0];

const LEVELS = ['emerg', 'alert', 'crit', 'error', 'warning', 'notice', 'info', 'debug'] as const;

/** The prefix, level and limit of a LOG rule; `undefined` if it has an option that the policy lacks. */
export function logOf(rule: Rule, { limit }: Criteria): StatementLog | undefined {
  const options = rule.target?.options ?? [];
  if (options.some(({ flag }) => flag !== '--log-prefix' && flag !== '--log-level')) return undefined;
  if (limit?.perSource) return undefined;
  return {
    prefix: optionValue(options, '--log-prefix') ?? '',
    level: LEVELS[Number(optionValue(options, '--log-level') ?? 4)] ?? 'warning',
    limit: limit && { rate: limit.rate, burst: limit.burst },
  };
}

/** How the policy's own `reject` answers. */
function policyAnswer({ protocol }: Rule, family: Family): string {
  if (protocol?.value === 'tcp') return 'tcp-reset';
  return family === 'v4' ? 'icmp-port-unreachable' : 'icmp6-port-unreachable';
}

/**
 * Translates a rule of the filter table; `undefined` if the policy cannot express it.
 * @param chain the built-in chain that holds the rule or leads to it
 * @param bucket the count that the rule's limit shares with other rules
 */
export function translate(
  rule: Rule,
  chain: string,
  context: MatchContext,
  bucket = rule.text,
): Statement | undefined {
  const direction = directionOf(chain);
  const verb = VERBS[rule.target?.name ?? ''];
  if (direction === undefined || verb === undefined || rule.target?.chain) return undefined;
  const core = coreOf(rule, context);
  if (core === undefined) return undefined;
  const { criteria, notFrom, notTo, ...rest } = core;
  const [except, other] = direction === 'output' ? [notTo, notFrom] : [notFrom, notTo];
  if (other !== undefined) return undefined;
  const log = verb === 'log' ? logOf(rule, criteria) : undefined;
  if (verb === 'log' && log === undefined) return undefined;
  // A deny with a limit passes packets beyond the limit on to the next rule; the policy cannot express that.
  if ((verb === 'deny' || verb === 'reject') && criteria.limit !== undefined) return undefined;
  const answer = verb === 'reject' ? optionValue(rule.target?.options ?? [], '--reject-with') : undefined;
  return {
    kind: 'rule',
    direction,
    verb,
    ...rest,
    except,
    states: criteria.states,
    rate: verb === 'log' ? undefined : rateOf(criteria, bucket),
    log,
    answer: answer === policyAnswer(rule, context.family) ? undefined : answer,
    comment: criteria.comment,
  };
}

interface NatTarget {
  readonly verb: NatStatement['verb'];
  readonly chain: string;
  readonly option?: string;
  readonly target: RegExp;
}

const ADDRESS_AND_PORT = /^(\[?[0-9a-f.:]+\]?)(:\d+)?$/;

const NAT: Readonly<Record<string, NatTarget>> = {
  MASQUERADE: { verb: 'masquerade', chain: 'POSTROUTING', target: /^$/ },
  SNAT: { verb: 'snat', chain: 'POSTROUTING', option: '--to-source', target: ADDRESS_AND_PORT },
  DNAT: { verb: 'dnat', chain: 'PREROUTING', option: '--to-destination', target: ADDRESS_AND_PORT },
  REDIRECT: { verb: 'redirect', chain: 'PREROUTING', option: '--to-ports', target: /^[1-9]\d*$/ },
};

/** Translates a rule of the nat table; `undefined` if the policy cannot express it. */
export function translateNat(rule: Rule, chain: string, context: MatchContext): NatStatement | undefined {
  const row = NAT[rule.target?.name ?? ''];
  if (row === undefined || row.chain !== chain || rule.target?.chain) return undefined;
  const core = coreOf(rule, context);
  if (core === undefined || core.notFrom !== undefined || core.notTo !== undefined) return undefined;
  const { criteria, notFrom, notTo, ...rest } = core;
  if (criteria.states !== undefined || criteria.limit !== undefined) return undefined;
  const options = rule.target?.options ?? [];
  const target = row.option === undefined ? '' : (optionValue(options, row.option) ?? '');
  if (options.length > (row.option === undefined ? 0 : 1) || !row.target.test(target)) return undefined;
  if (row.verb === 'masquerade' && core.out === undefined) return undefined;
  const hasPort = row.verb === 'redirect' || /:\d+$/.test(target.replace(/^[0-9a-f:]*:[0-9a-f:]*$/, ''));
  if (hasPort && !core.services.every((service) => service.includes('/') && !service.startsWith('protocol')))
    return undefined;
  return {
    kind: 'nat',
    verb: row.verb,
    ...rest,
    target: row.verb === 'masquerade' ? undefined : target,
    comment: criteria.comment,
  };
}
