/** The rules that every host has before its own, and those after them. */

import type { Family } from '../../lib/family.js';
import type { Rule } from '../../netfilter/model.js';
import type { Baseline, Fleet, Host } from '../../policy/fleet.js';
import {
  comment,
  EMPTY_FRAGMENT,
  join,
  type LogOptions,
  limit,
  logTarget,
  type RuleFragment,
} from './fragment.js';
import { icmpMatch } from './services.js';
import { around, sideOf } from './sides.js';

const ESTABLISHED = '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT';
const INVALID = '-m conntrack --ctstate INVALID -j DROP';

/**
 * ICMP that a host cannot do without. v4: destination unreachable (with "fragmentation needed", which path MTU discovery
 * rests on), time exceeded, parameter problem. v6: section 4.4.1 of RFC 4890: the errors with "packet too big", echo
 * request, router and neighbour discovery, and MLD (without it a switch that snoops stops delivering solicited-node
 * multicast). Neighbour discovery from beyond the link is dropped by the kernel itself: its hop limit is not 255
 * (RFC 4861, 6.1 and 7.1).
 */
const ESSENTIAL: { readonly [family in Family]: readonly string[] } = {
  v4: ['3', '11', '12'],
  v6: ['1', '2', '3', '4', '128', '133', '134', '135', '136'],
};

/** MLD queries, reports and dones (RFC 2710, RFC 3810) come from link-local addresses, or from none yet (RFC 3590). */
const MULTICAST_LISTENER: readonly string[] = ['130', '131', '132', '143'];
const LINK_LOCAL = 'fe80::/10';

function icmpLines(baseline: Baseline, family: Family, arriving: boolean): readonly string[] {
  if (baseline.icmp === 'none') return [];
  if (baseline.icmp === 'all') return [`-p ${family === 'v4' ? 'icmp' : 'ipv6-icmp'} -j ACCEPT`];
  const accept = (type: string, from = ''): string => join(from, icmpMatch(type, family).text, '-j ACCEPT');
  const multicast = family === 'v4' ? [] : MULTICAST_LISTENER;
  return [
    ...ESSENTIAL[family].map((type) => accept(type)),
    ...multicast.map((type) => accept(type, arriving ? `-s ${LINK_LOCAL}` : '')),
  ];
}

/** SSH from the networks that must always reach it. */
function adminLines(fleet: Fleet, host: Host, family: Family): RuleFragment {
  const side = sideOf(fleet.admin, undefined, {
    direction: 'source',
    family,
    setsFrom: fleet.setsFrom,
    mayReturn: false,
  });
  if (side === undefined) return EMPTY_FRAGMENT;
  const ssh = `-p tcp -m tcp --dport ${host.ssh.port}`;
  const end = `-m conntrack --ctstate NEW ${comment('baseline: SSH from admin')} -j ACCEPT`;
  return {
    ...EMPTY_FRAGMENT,
    rules: side.matches.map((match) => join(around(match, '', ssh), end)),
    sets: side.sets,
  };
}

/** Without the parts that the policy leaves to its rules. */
function firstLines({ leftToRules = [] }: Baseline, loopback: string, invalid = ''): readonly string[] {
  const lines = { loopback, established: ESTABLISHED, invalid };
  return (['loopback', 'established', 'invalid'] as const).flatMap((part) =>
    lines[part] === '' || leftToRules.includes(part) ? [] : [lines[part]],
  );
}

/** Loopback, established connections, invalid packets, ICMP, SSH: in this order. */
export function inputBaseline(fleet: Fleet, host: Host, family: Family): RuleFragment {
  const admin = host.baseline.leftToRules?.includes('ssh') ? EMPTY_FRAGMENT : adminLines(fleet, host, family);
  const icmp = icmpLines(host.baseline, family, true);
  const first = firstLines(host.baseline, '-i lo -j ACCEPT', INVALID);
  return { ...admin, rules: [...first, ...icmp, ...admin.rules] };
}

/** Comes before any rule on output: without it a deny would cut the host's own sessions and neighbour discovery. */
export const outputBaseline = (host: Host, family: Family): readonly string[] => [
  ...firstLines(host.baseline, '-o lo -j ACCEPT'),
  ...icmpLines(host.baseline, family, false),
];

/** Comes before any rule on forwarded packets; ICMP errors of forwarded connections are RELATED. */
export const forwardBaseline = (host: Host): readonly string[] => firstLines(host.baseline, '', INVALID);

/** The remaining packets are logged, with the limit of the policy, and dropped. */
export const dropTail = (baseline: Baseline, log: LogOptions): readonly string[] => [
  ...(baseline.log === undefined ? [] : [join(limit(log.rate, log.burst), logTarget(log))]),
  '-j DROP',
];

/** Whether it is the last rule of {@link dropTail}: rules of the policy have a comment. */
export const isDropTail = (rule: Rule | undefined): boolean => rule?.text === '-j DROP';

/** A chain's rules without {@link dropTail}. */
export function withoutTail(rules: readonly Rule[]): readonly Rule[] {
  if (!isDropTail(rules.at(-1))) return rules;
  const log = rules.at(-2);
  const isLog = log?.target?.name === 'LOG' && log.matches.every(({ name }) => name === 'limit');
  return rules.slice(0, isLog ? -2 : -1);
}

/** Whether it is the rule that drops invalid packets. */
export const isInvalidDrop = (rule: Rule): boolean => rule.text === INVALID;
