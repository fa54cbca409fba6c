/** The conditions of a rule one by one, so that those of a jump and those of the rules behind it can stand in one rule. */

import type { Family } from '../../lib/family.js';
import { findExtension } from '../../netfilter/extensions/index.js';
import { findOption } from '../../netfilter/extensions/row.js';
import type { Extension, Negatable, Option, Rule } from '../../netfilter/model.js';
import { quote } from '../../netfilter/text/tokens.js';
import { isWithin, readNetwork, toRanges, toSet } from '../../policy/addresses.js';

type Side = '-s' | '-d' | '-i' | '-o' | '-p';

export interface Condition {
  /** A flag of the rule itself, or the name of a match. */
  readonly flag: Side | '-f' | '-m';
  readonly value: string;
  readonly negated: boolean;
  /** Of a match: its name, for what is known of it. */
  readonly match?: string;
  /** The same condition the other way round; absent where iptables has no words for it. */
  readonly not?: string;
}

/** Matches whose options are conditions each, all of which must hold. */
const CONJUNCTIONS: ReadonlySet<string> = new Set(
  'tcp udp udplite sctp dccp icmp icmp6 conntrack state multiport mark connmark mac addrtype'.split(' '),
);

/** What asks twice does not answer the same: these count or change as they are asked. */
const COUNTING: ReadonlySet<string> = new Set(
  'limit hashlimit recent quota statistic rateest nfacct connbytes'.split(' '),
);

/** What a rule in between may change. */
const CHANGEABLE: ReadonlySet<string> = new Set('mark connmark dscp tos ttl hl ecn set'.split(' '));

export const isCounting = ({ match, flag }: Condition): boolean =>
  flag === '-m' && (match === undefined || COUNTING.has(match));

export const isChangeable = ({ match }: Condition): boolean => match !== undefined && CHANGEABLE.has(match);

const quoted = (text: string): string => (/^[\w./:,+@%=!~^-]+$/.test(text) ? text : quote(text));

const optionText = ({ flag, negated, values }: Option, turned = false): string =>
  [negated === turned ? '' : '!', quoted(flag), ...values.map(quoted)]
    .filter((word) => word !== '')
    .join(' ');

const withOptions = (name: string, options: readonly Option[]): string =>
  ['-m', name, ...options.map((option) => optionText(option))].join(' ');

function matchConditions({ name, options, known }: Extension, family: Family): readonly Condition[] {
  if (name === 'comment') return [];
  const row = known ? findExtension('match', family, name) : undefined;
  const each = CONJUNCTIONS.has(name) && options.length > 0 ? options.map((option) => [option]) : [options];
  return each.map((some): Condition => {
    const [option] = some;
    const turns =
      row !== undefined &&
      option !== undefined &&
      some.length === 1 &&
      findOption(row, option.flag)?.row.negatable;
    return {
      flag: '-m',
      value: withOptions(name, some),
      negated: false,
      ...(known ? { match: name } : {}),
      ...(turns && option !== undefined ? { not: `-m ${name} ${optionText(option, true)}` } : {}),
    };
  });
}

/** All conditions of a rule but its comment, in the order in which iptables prints them. */
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

/** Packets to the host leave by no interface, and those from it came in by none: what is left of the conditions. */
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

/** The condition that holds where this one does not; `undefined` where iptables cannot ask for it. */
export function negated(condition: Condition): Condition | undefined {
  const { not, flag, value, match } = condition;
  if (not === undefined || (match !== undefined && COUNTING.has(match))) return undefined;
  return flag === '-m'
    ? { ...condition, value: not, not: value }
    : { ...condition, negated: !condition.negated };
}

export type Conjunction = readonly Condition[] | 'never' | 'unsayable';

/** Both: `never` when no packet fits both, `unsayable` when one rule cannot ask for both. */
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
  if (added.flag === '-m' && all.some(({ value, not }) => not === added.value || added.not === value))
    return 'never';
  if (added.flag === '-m')
    return all.some(({ value }) => value === added.value) && !isCounting(added) ? all : [...all, added];
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
    return yes.negated ? 'unsayable' : [yes];
  }
  if (a.flag !== '-i' && a.flag !== '-o') return 'never';
  if (!a.negated && !b.negated) {
    if (covers(a.value, b.value)) return [b];
    return covers(b.value, a.value) ? [a] : 'never';
  }
  if (yes.negated) return 'unsayable';
  if (covers(no.value, yes.value)) return 'never';
  return covers(yes.value, no.value) ? 'unsayable' : [yes];
}

/** `eth+` covers `eth0` and `eth0+`. */
const covers = (wide: string, narrow: string): boolean =>
  wide.endsWith('+') && narrow.startsWith(wide.slice(0, -1));

function addressIntersection(a: Condition, b: Condition, family: Family): Conjunction {
  const [one, other] = [networkOf(a.value, family), networkOf(b.value, family)];
  if (one === undefined || other === undefined) return 'unsayable';
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
  return [yes, asRange(no, family)];
}

function networkOf(text: string, family: Family) {
  const network = readNetwork(text);
  return 'id' in network ? undefined : toSet([], { v4: [], v6: [], [family]: [network.range] });
}

/** A rule has one `-s`; what else is left out is asked for as a range. */
function asRange({ flag, value }: Condition, family: Family): Condition {
  const set = networkOf(value, family);
  const [first = 0n, last = 0n] = (set && toRanges(set)[family][0]) ?? [];
  const ends = [first, last].map((end) =>
    toSet([], { v4: [], v6: [], [family]: [[end, end]] })[family][0]?.replace(/\/\d+$/, ''),
  );
  const name = flag === '-s' ? '--src-range' : '--dst-range';
  const range = `${name} ${ends.join('-')}`;
  return {
    flag: '-m',
    match: 'iprange',
    value: `-m iprange ! ${range}`,
    negated: false,
    not: `-m iprange ${range}`,
  };
}

/** As `iptables-restore` reads them. */
export const conditionsText = (conditions: readonly Condition[]): string =>
  [...conditions.filter(({ flag }) => flag !== '-m'), ...conditions.filter(({ flag }) => flag === '-m')]
    .map(({ flag, value, negated }) =>
      flag === '-m' ? value : [negated ? '!' : '', flag, value].filter((word) => word !== '').join(' '),
    )
    .join(' ');

/** `-m comment …` and `-j …` of a rule. */
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
