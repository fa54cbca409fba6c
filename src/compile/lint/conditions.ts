/** The conditions of a rule as texts, so that two rules can be compared. */
import type { Extension, Negatable, Rule } from '../../netfilter/model.js';

const part = (name: string, { value, negated }: Negatable): string =>
  `${negated ? '! ' : ''}${name} ${value}`;

const matchText = ({ name, options }: Extension): string =>
  [
    `-m ${name}`,
    ...options.map(({ flag, negated, values }) => [negated ? '!' : '', flag, ...values].join(' ')),
  ].join(' ');

/** Matches that add nothing to `-p` when they have no options. */
const TRANSPORT: ReadonlySet<string> = new Set(['tcp', 'udp', 'udplite', 'sctp', 'dccp']);

const isCondition = ({ name, options }: Extension): boolean =>
  name !== 'comment' && (options.length > 0 || !TRANSPORT.has(name));

/** Every condition once, as text; a comment is not a condition. */
export function conditionsOf(rule: Rule): readonly string[] {
  const { source, destination, inInterface, outInterface, protocol, fragment, matches } = rule;
  return [
    ...(source ? [part('-s', source)] : []),
    ...(destination ? [part('-d', destination)] : []),
    ...(inInterface ? [part('-i', inInterface)] : []),
    ...(outInterface ? [part('-o', outInterface)] : []),
    ...(protocol ? [part('-p', protocol)] : []),
    ...(fragment ? [part('-f', { value: '', negated: fragment.negated })] : []),
    ...matches.filter(isCondition).map(matchText),
  ];
}

/** Matches whose answer to the same packet changes. */
const NONDETERMINISTIC: ReadonlySet<string> = new Set([
  'connlimit',
  'hashlimit',
  'limit',
  'quota',
  'rateest',
  'recent',
  'statistic',
]);

/** Whether the answer of the rule to the same packet may change. */
export const isNondeterministic = ({ matches }: Rule): boolean =>
  matches.some(({ name }) => NONDETERMINISTIC.has(name));
