/** The conditions of a rule one by one, so that those of a jump can be combined with those of the rules in its chain. */

import type { Family } from '../../lib/family.js';
import { formatAddress, networkRanges } from '../../lib/ip.js';
import type { Range } from '../../lib/ranges.js';
import { findExtension } from '../../netfilter/extensions/index.js';
import { findOption } from '../../netfilter/extensions/row.js';
import type { Extension, Negatable, Option, Rule } from '../../netfilter/model.js';
import { quote } from '../../netfilter/text/tokens.js';

type Side = '-s' | '-d' | '-i' | '-o' | '-p';

export interface Condition {
  /** A flag of the rule itself, or the name of a match. */
  readonly flag: Side | '-f' | '-m';
  readonly value: string;
  readonly negated: boolean;
  /** The name of a match that iptables documents; absent for an unknown one. */
  readonly match?: string;
  /** The negated condition; absent if iptables cannot negate it. */
  readonly not?: string;
}

/** Matches whose options are separate conditions that must all hold. */
const CONJUNCTIONS: ReadonlySet<string> = new Set(
  'tcp udp udplite sctp dccp icmp icmp6 conntrack state multiport mark connmark mac addrtype'.split(' '),
);

/** Matches with a state that each test changes: a second test of the same packet may have another result. */
const COUNTING: ReadonlySet<string> = new Set(
  'limit hashlimit recent quota statistic rateest nfacct connbytes'.split(' '),
);

/** Matches on what an earlier rule may have changed. */
const CHANGEABLE: ReadonlySet<string> = new Set('mark connmark dscp tos ttl hl ecn set'.split(' '));

/** Whether testing the condition changes its state, as with `limit`; an unknown match may. */
export const isCounting = ({ match, flag }: Condition): boolean =>
  flag === '-m' && (match === undefined || COUNTING.has(match));

/** Whether a rule may change what the condition tests, as a mark. */
export const isChangeable = ({ match }: Condition): boolean => match !== undefined && CHANGEABLE.has(match);

const quoted = (text: string): string => (/^[\w./:,+@%=!~^-]+$/.test(text) ? text : quote(text));

const optionText = ({ flag, negated, values }: Option, inverted = false): string =>
  [negated === inverted ? '' : '!', quoted(flag), ...values.map(quoted)]
    .filter((word) => word !== '')
    .join(' ');

const withOptions = (name: string, options: readonly Option[]): string =>
  ['-m', name, ...options.map((option) => optionText(option))].join(' ');

function matchConditions({ name, options, known }: Extension, family: Family): readonly Condition[] {
  if (name === 'comment') return [];
  const row = known ? findExtension('match', family, name) : undefined;
  const each = CONJUNCTIONS.has(name) && options.length > 0 ? options.map((option) => [option]) : [options];
  return each.map((some): Condition => {
    const [option, ...more] = some;
    const canInvert =
      row !== undefined &&
      option !== undefined &&
      more.length === 0 &&
      findOption(row, option.flag)?.row.negatable;
    return {
      flag: '-m',
      value: withOptions(name, some),
      negated: false,
      match: known ? name : undefined,
      not: canInvert ? `-m ${name} ${optionText(option, true)}` : undefined,
    };
  });
}

/** All conditions of a rule except its comment, in the order of iptables-save. */
export function conditionsOf(rule: Rule, family: Family): readonly Condition[] {
  const sides: readonly (readonly [Side, Negatable | undefined])[] = [
    ['-s', rule.source],
    ['-d', rule.destination],
    ['-i', rule.inInterface],
    ['-o', rule.outInterface],
    ['-p', rule.protocol],
  ];
  return [
    ...sides.flatMap(([flag, part]): readonly Condition[] =>
      part === undefined ? [] : [{ flag, value: part.value, negated: part.negated, not: part.value }],
    ),
    ...(rule.fragment === undefined
      ? []
      : [{ flag: '-f' as const, value: '', negated: rule.fragment.negated, not: '' }]),
    ...rule.matches.flatMap((match) => matchConditions(match, family)),
  ];
}

/**
 * The conditions that are left in a built-in chain: in INPUT and PREROUTING no packet has an output interface, in OUTPUT
 * and POSTROUTING none has an input interface. `never` if no packet can match.
 */
export function possibleIn(
  conditions: readonly Condition[],
  builtIn: string,
): readonly Condition[] | 'never' {
  const flag = /^(INPUT|PREROUTING)$/.test(builtIn)
    ? '-o'
    : /^(OUTPUT|POSTROUTING)$/.test(builtIn)
      ? '-i'
      : '';
  if (conditions.some((condition) => condition.flag === flag && !condition.negated)) return 'never';
  return conditions.filter((condition) => condition.flag !== flag);
}

/** The condition that holds exactly where this one does not; `undefined` if iptables has none. */
export function negated(condition: Condition): Condition | undefined {
  const { not, flag, value, match } = condition;
  if (not === undefined || (match !== undefined && COUNTING.has(match))) return undefined;
  return flag === '-m'
    ? { ...condition, value: not, not: value }
    : { ...condition, negated: !condition.negated };
}

export type Conjunction = readonly Condition[] | 'never' | 'not-expressible';

/** All conditions of `a` and `b`: `never` if no packet matches both, `not-expressible` if one rule cannot test both. */
export function conjunction(a: readonly Condition[], b: readonly Condition[], family: Family): Conjunction {
  let all: readonly Condition[] = a;
  for (const condition of b) {
    const next = withCondition(all, condition, family);
    if (typeof next === 'string') return next;
    all = next;
  }
  return all;
}

function withCondition(all: readonly Condition[], added: Condition, family: Family): Conjunction {
  if (added.flag === '-m') {
    if (all.some(({ value, not }) => not === added.value || added.not === value)) return 'never';
    return all.some(({ value }) => value === added.value) && !isCounting(added) ? all : [...all, added];
  }
  const known = all.find(({ flag }) => flag === added.flag);
  if (known === undefined) return [...all, added];
  const kept = intersection(known, added, family);
  if (typeof kept === 'string') return kept;
  return all.flatMap((condition) => (condition === known ? kept : [condition]));
}

function intersection(a: Condition, b: Condition, family: Family): Conjunction {
  if (a.value === b.value) return a.negated === b.negated ? [a] : 'never';
  const [yes, no] = a.negated ? [b, a] : [a, b];
  if (a.flag === '-s' || a.flag === '-d') return addressIntersection(a, b, family);
  if (a.flag === '-p') {
    if (!a.negated && !b.negated) return 'never';
    return yes.negated ? 'not-expressible' : [yes];
  }
  if (a.flag !== '-i' && a.flag !== '-o') return 'never';
  if (!a.negated && !b.negated) {
    if (covers(a.value, b.value)) return [b];
    return covers(b.value, a.value) ? [a] : 'never';
  }
  if (yes.negated) return 'not-expressible';
  if (covers(no.value, yes.value)) return 'never';
  return covers(yes.value, no.value) ? 'not-expressible' : [yes];
}

/** `eth+` covers `eth0` and `eth0+`. */
const covers = (wide: string, narrow: string): boolean =>
  wide.endsWith('+') && narrow.startsWith(wide.slice(0, -1));

function addressIntersection(a: Condition, b: Condition, family: Family): Conjunction {
  const [one, other] = [rangeOf(a, family), rangeOf(b, family)];
  if (one === undefined || other === undefined) return 'not-expressible';
  if (!a.negated && !b.negated) {
    if (isWithin(one, other)) return [a];
    return isWithin(other, one) ? [b] : 'never';
  }
  const [yes, no] = a.negated ? [b, a] : [a, b];
  const [inside, outside] = a.negated ? [other, one] : [one, other];
  if (!yes.negated) {
    if (isWithin(inside, outside)) return 'never';
    if (!isWithin(outside, inside)) return [yes];
  }
  return [yes, notInRange(no, outside, family)];
}

const isWithin = (inner: Range, outer: Range): boolean => outer[0] <= inner[0] && inner[1] <= outer[1];

/** The addresses of `-s` or `-d`; `undefined` for a mask with holes. */
function rangeOf({ value }: Condition, family: Family): Range | undefined {
  const [range, ...more] = networkRanges(value, family) ?? [];
  return more.length > 0 ? undefined : range;
}

/** A rule has one `-s` and one `-d`; a further exclusion is written as an `iprange` match. */
function notInRange({ flag }: Condition, range: Range, family: Family): Condition {
  const ends = range.map((end) => formatAddress(end, family)).join('-');
  const option = `${flag === '-s' ? '--src-range' : '--dst-range'} ${ends}`;
  return {
    flag: '-m',
    match: 'iprange',
    value: `-m iprange ! ${option}`,
    negated: false,
    not: `-m iprange ${option}`,
  };
}

/** The conditions as `iptables-restore` reads them. */
export const conditionsText = (conditions: readonly Condition[]): string =>
  [...conditions.filter(({ flag }) => flag !== '-m'), ...conditions.filter(({ flag }) => flag === '-m')]
    .map(({ flag, value, negated }) =>
      flag === '-m' ? value : [negated ? '!' : '', flag, value].filter((word) => word !== '').join(' '),
    )
    .join(' ');

/** The `-m comment …` and `-j …` (or `-g …`) of a rule. */
export function endingText({ matches, target }: Rule): string {
  const comment = matches
    .filter(({ name }) => name === 'comment')
    .map(({ name, options }) => withOptions(name, options));
  const jump =
    target === undefined
      ? []
      : [target.goto ? '-g' : '-j', target.name, ...target.options.map((option) => optionText(option))];
  return [...comment, ...jump].join(' ');
}
