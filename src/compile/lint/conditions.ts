/** What a rule asks of a packet, part by part, so that two rules can be held side by side. */
import type { Extension, Negatable, Rule } from '../../netfilter/model.js';

const part = (name: string, { value, negated }: Negatable): string =>
  `${negated ? '! ' : ''}${name} ${value}`;

const matchText = ({ name, options }: Extension): string =>
  [
    `-m ${name}`,
    ...options.map(({ flag, negated, values }) => [negated ? '!' : '', flag, ...values].join(' ')),
  ].join(' ');

/** Matches that say without options only what `-p` has said. */
const TRANSPORT: ReadonlySet<string> = new Set(['tcp', 'udp', 'udplite', 'sctp', 'dccp']);

const asks = ({ name, options }: Extension): boolean =>
  name !== 'comment' && (options.length > 0 || !TRANSPORT.has(name));

/** Every condition once, as text; comments ask nothing. */
export function conditionsOf(rule: Rule): readonly string[] {
  const { source, destination, inInterface, outInterface, protocol, fragment, matches } = rule;
  return [
    ...(source ? [part('-s', source)] : []),
    ...(destination ? [part('-d', destination)] : []),
    ...(inInterface ? [part('-i', inInterface)] : []),
    ...(outInterface ? [part('-o', outInterface)] : []),
    ...(protocol ? [part('-p', protocol)] : []),
    ...(fragment ? [part('-f', { value: '', negated: fragment.negated })] : []),
    ...matches.filter(asks).map(matchText),
  ];
}

/** Matches that answer the same packet now with yes and now with no. */
const FICKLE: ReadonlySet<string> = new Set([
  'connlimit',
  'hashlimit',
  'limit',
  'quota',
  'rateest',
  'recent',
  'statistic',
]);

export const isNondeterministic = ({ matches }: Rule): boolean =>
  matches.some(({ name }) => FICKLE.has(name));
