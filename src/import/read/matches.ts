/** The matches that the policy has words for. Every other match, and every other option, is left to a literal rule. */

import type { Family } from '../../lib/family.js';
import { parseAddress } from '../../lib/ip.js';
import type { Extension, IpSet, Option } from '../../netfilter/model.js';
import { readNetwork, toSet } from '../../policy/addresses.js';
import type { Rate, StateName } from '../../policy/fleet.js';
import type { Statement, StatementRate } from './statement.js';

/** What the matches of a rule add to it. */
export interface Criteria {
  readonly ports?: string;
  readonly icmp?: string;
  readonly from?: readonly string[];
  readonly to?: readonly string[];
  readonly notFrom?: readonly string[];
  readonly notTo?: readonly string[];
  readonly states?: readonly StateName[];
  readonly limit?: Omit<StatementRate, 'bucket'> & { readonly bucket?: string };
  readonly comment?: string;
}

export interface MatchContext {
  readonly family: Family;
  readonly sets: ReadonlyMap<string, IpSet>;
}

type MatchReader = (options: readonly Option[], context: MatchContext) => Criteria | undefined;

const STATES: readonly StateName[] = ['new', 'established', 'related', 'invalid', 'untracked'];

/** SNAT and DNAT are no states of the policy. */
function states([option, ...more]: readonly Option[]): Criteria | undefined {
  const names = (option?.values[0] ?? '').toLowerCase().split(',') as StateName[];
  if (more.length > 0 || !names.every((name) => STATES.includes(name))) return undefined;
  return { states: STATES.filter((name) => names.includes(name) !== option?.negated) };
}

const ports =
  (flag: string): MatchReader =>
  (options) => {
    const [option, ...more] = options;
    if (option?.flag !== flag || option.negated || more.length > 0) return undefined;
    const text = (option.values[0] ?? '').replaceAll(':', '-');
    // A policy's ports begin at 1.
    return text.split(',').some((part) => part.startsWith('0')) ? undefined : { ports: text };
  };

const icmp =
  (flag: string): MatchReader =>
  ([option, ...more]) => {
    const [type] = option?.values ?? [];
    return option?.flag !== flag || option.negated || more.length > 0 || type === undefined
      ? undefined
      : { icmp: type };
  };

const PERIODS: Readonly<Record<string, Rate['per']>> = {
  sec: 'second',
  min: 'minute',
  hour: 'hour',
  day: 'day',
};

/** `5/min`, as iptables-save prints a rate. */
function rate(text: string): Rate | undefined {
  const [, count = '', unit = ''] = /^(\d+)\/(sec|min|hour|day)/.exec(text) ?? [];
  const per = PERIODS[unit];
  return per === undefined || Number(count) > 99_999 ? undefined : { count: Number(count), per };
}

/** The options by their flags, when each is one of these, stands once and is not negated. */
function only(
  options: readonly Option[],
  ...flags: readonly string[]
): ReadonlyMap<string, string> | undefined {
  const sound = options.every(({ flag, negated }) => !negated && flags.includes(flag));
  return sound ? new Map(options.map(({ flag, values }) => [flag, values[0] ?? ''])) : undefined;
}

function limit(options: readonly Option[]): Criteria | undefined {
  const given = only(options, '--limit', '--limit-burst');
  const pace = rate(given?.get('--limit') ?? '');
  return pace && { limit: { rate: pace, burst: Number(given?.get('--limit-burst') ?? 5), perSource: false } };
}

function hashlimit(options: readonly Option[]): Criteria | undefined {
  const names = ['--hashlimit-upto', '--hashlimit-burst', '--hashlimit-mode', '--hashlimit-name'] as const;
  const given = only(options, ...names);
  const pace = rate(given?.get('--hashlimit-upto') ?? '');
  if (given === undefined || pace === undefined || given.get('--hashlimit-mode') !== 'srcip')
    return undefined;
  const burst = Number(given.get('--hashlimit-burst') ?? 5);
  return {
    limit: { rate: pace, burst, perSource: true, bucket: `hashlimit ${given.get('--hashlimit-name')}` },
  };
}

function range(options: readonly Option[], { family }: MatchContext): Criteria | undefined {
  const [option, ...more] = options;
  if (option === undefined || more.length > 0) return undefined;
  const [first, last] = (option.values[0] ?? '').split('-').map((end) => readNetwork(end));
  if (first === undefined || last === undefined || 'id' in first || 'id' in last) return undefined;
  const blocks = toSet([], { v4: [], v6: [], [family]: [[first.range[0], last.range[1]]] })[family];
  return sided(option.flag === '--src-range' ? 'src' : 'dst', option.negated, blocks);
}

function sided(side: string, negated: boolean, networks: readonly string[]): Criteria {
  if (side === 'src') return negated ? { notFrom: networks } : { from: networks };
  return negated ? { notTo: networks } : { to: networks };
}

/** The addresses of a set that changes by no time and no rule; `undefined` when it holds something else. */
export function membersOf(set: IpSet | undefined, family: Family): readonly string[] | undefined {
  if (set === undefined || !/^hash:(net|ip)$/.test(set.type)) return undefined;
  if (/\b(timeout|netmask|bitmask|skbinfo)\b/.test(set.options)) return undefined;
  if (/\binet6\b/.test(set.options) !== (family === 'v6')) return undefined;
  const bits = family === 'v4' ? 32 : 128;
  const networks = set.members.map((member) => (member.includes('/') ? member : `${member}/${bits}`));
  const sound = networks.every((network) => parseAddress(network.split('/')[0] ?? '', family) !== undefined);
  return sound && networks.length > 0 && !set.members.some((member) => member.includes(' '))
    ? networks
    : undefined;
}

function set(options: readonly Option[], { family, sets }: MatchContext): Criteria | undefined {
  const [option, ...more] = options;
  const [name = '', side = ''] = option?.values ?? [];
  if (option?.flag !== '--match-set' || more.length > 0 || !/^(src|dst)$/.test(side)) return undefined;
  const members = membersOf(sets.get(name), family);
  return members && sided(side, option.negated, members);
}

const READERS: Readonly<Record<string, MatchReader>> = {
  tcp: ports('--dport'),
  udp: ports('--dport'),
  udplite: ports('--dport'),
  sctp: ports('--dport'),
  dccp: ports('--dport'),
  multiport: ports('--dports'),
  icmp: icmp('--icmp-type'),
  icmp6: icmp('--icmpv6-type'),
  conntrack: (options) => (options.every(({ flag }) => flag === '--ctstate') ? states(options) : undefined),
  state: states,
  limit,
  hashlimit,
  iprange: range,
  set,
  comment: ([option]) => ({ comment: option?.values[0] ?? '' }),
};

/** All matches of a rule together; `undefined` when the policy cannot say one of them, or the same thing twice. */
export function criteriaOf(matches: readonly Extension[], context: MatchContext): Criteria | undefined {
  let all: Criteria = {};
  for (const { name, options, known } of matches) {
    const criteria = known ? READERS[name]?.(options, context) : undefined;
    if (criteria === undefined || Object.keys(criteria).some((key) => key in all)) return undefined;
    all = { ...all, ...criteria };
  }
  return all;
}

/** How the policy takes a limit: its rate, and whose count it is. */
export const rateOf = (criteria: Criteria, own: string): Pick<Statement, 'rate'> =>
  criteria.limit === undefined ? {} : { rate: { ...criteria.limit, bucket: criteria.limit.bucket ?? own } };
