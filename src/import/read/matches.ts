/** Matches that the policy can express. Any other match, and any other option, makes the rule a literal one. */
import type { Family } from '../../lib/family.js';
import { ADDRESS_BITS, networksText, parseAddress } from '../../lib/ip.js';
import type { Extension, IpSet, Option } from '../../netfilter/model.js';
import type { Rate, StateName } from '../../policy/fleet.js';
import type { StatementRate } from './statement.js';

/** What the matches of a rule require of a packet, and its comment. */
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

type MatchTranslator = (options: readonly Option[], context: MatchContext) => Criteria | undefined;

const STATES: readonly StateName[] = ['new', 'established', 'related', 'invalid', 'untracked'];

/** The policy has no states SNAT and DNAT. */
function states([option, ...more]: readonly Option[]): Criteria | undefined {
  const names = (option?.values[0] ?? '').toLowerCase().split(',') as StateName[];
  if (more.length > 0 || !names.every((name) => STATES.includes(name))) return undefined;
  return { states: STATES.filter((name) => names.includes(name) !== option?.negated) };
}

const ports =
  (flag: string): MatchTranslator =>
  (options) => {
    const [option, ...more] = options;
    if (option?.flag !== flag || option.negated || more.length > 0) return undefined;
    const text = (option.values[0] ?? '').replaceAll(':', '-');
    // A policy's ports begin at 1.
    return text.split(',').some((part) => part.startsWith('0')) ? undefined : { ports: text };
  };

const icmp =
  (flag: string): MatchTranslator =>
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
function parseRate(text: string): Rate | undefined {
  const [, count = '', unit = ''] = /^(\d+)\/(sec|min|hour|day)/.exec(text) ?? [];
  const per = PERIODS[unit];
  return per === undefined || Number(count) > 99_999 ? undefined : { count: Number(count), per };
}

/** The options by their flags, if all are among `flags` and none is negated. */
function valuesOf(
  options: readonly Option[],
  ...flags: readonly string[]
): ReadonlyMap<string, string> | undefined {
  const allKnown = options.every(({ flag, negated }) => !negated && flags.includes(flag));
  return allKnown ? new Map(options.map(({ flag, values }) => [flag, values[0] ?? ''])) : undefined;
}

function limit(options: readonly Option[]): Criteria | undefined {
  const values = valuesOf(options, '--limit', '--limit-burst');
  const rate = parseRate(values?.get('--limit') ?? '');
  return rate && { limit: { rate, burst: Number(values?.get('--limit-burst') ?? 5), perSource: false } };
}

function hashlimit(options: readonly Option[]): Criteria | undefined {
  const names = ['--hashlimit-upto', '--hashlimit-burst', '--hashlimit-mode', '--hashlimit-name'] as const;
  const values = valuesOf(options, ...names);
  const rate = parseRate(values?.get('--hashlimit-upto') ?? '');
  if (values === undefined || rate === undefined || values.get('--hashlimit-mode') !== 'srcip')
    return undefined;
  const burst = Number(values.get('--hashlimit-burst') ?? 5);
  return {
    limit: { rate, burst, perSource: true, bucket: `hashlimit ${values.get('--hashlimit-name')}` },
  };
}

function range(options: readonly Option[], { family }: MatchContext): Criteria | undefined {
  const [option, ...more] = options;
  if (option === undefined || more.length > 0) return undefined;
  const [first, last] = (option.values[0] ?? '').split('-').map((end) => parseAddress(end, family));
  if (first === undefined || last === undefined) return undefined;
  const side = option.flag === '--src-range' ? 'src' : 'dst';
  return addressCriteria(side, option.negated, networksText([[first, last]], family));
}

function addressCriteria(side: string, negated: boolean, networks: readonly string[]): Criteria {
  if (side === 'src') return negated ? { notFrom: networks } : { from: networks };
  return negated ? { notTo: networks } : { to: networks };
}

/** The members of a set of plain addresses whose entries do not time out; `undefined` for any other set. */
export function membersOf(set: IpSet | undefined, family: Family): readonly string[] | undefined {
  if (set === undefined || !/^hash:(net|ip)$/.test(set.type)) return undefined;
  if (/\b(timeout|netmask|bitmask|skbinfo)\b/.test(set.options)) return undefined;
  if (/\binet6\b/.test(set.options) !== (family === 'v6')) return undefined;
  const networks = set.members.map((member) =>
    member.includes('/') ? member : `${member}/${ADDRESS_BITS[family]}`,
  );
  return networks.length > 0 &&
    networks.every((network) => parseAddress(network.split('/')[0] ?? '', family) !== undefined) &&
    !set.members.some((member) => member.includes(' '))
    ? networks
    : undefined;
}

function set(options: readonly Option[], { family, sets }: MatchContext): Criteria | undefined {
  const [option, ...more] = options;
  const [name = '', side = ''] = option?.values ?? [];
  if (option?.flag !== '--match-set' || more.length > 0 || !/^(src|dst)$/.test(side)) return undefined;
  const members = membersOf(sets.get(name), family);
  return members && addressCriteria(side, option.negated, members);
}

const TRANSLATORS: Readonly<Record<string, MatchTranslator>> = {
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

/** The criteria of all matches; `undefined` if the policy cannot express one of them, or two set the same field. */
export function criteriaOf(matches: readonly Extension[], context: MatchContext): Criteria | undefined {
  let all: Criteria = {};
  for (const { name, options, known } of matches) {
    const criteria = known ? TRANSLATORS[name]?.(options, context) : undefined;
    if (criteria === undefined || Object.keys(criteria).some((key) => key in all)) return undefined;
    all = { ...all, ...criteria };
  }
  return all;
}

/** The limit of a rule as the policy's `rate`; rules that name no bucket count in `own`. */
export const rateOf = ({ limit }: Criteria, own: string): StatementRate | undefined =>
  limit && { ...limit, bucket: limit.bucket ?? own };
