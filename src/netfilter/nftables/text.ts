/** Rules in the syntax of nft, from their JSON. */
import type { Json, NftRule, NftRuleset } from './model.js';
import { listOf, objectOf } from './read.js';

/** A rule as nft writes it; what is not known is written as its JSON. */
export const ruleText = ({ expr }: NftRule): string =>
  expr
    .map(statementText)
    .filter((text) => text !== '')
    .join(' ');

/** Everything that decides, as texts: equal for tables that decide the same. */
export const nativeTexts = (nft: NftRuleset | undefined): readonly string[] => [
  `unread ${nft?.unread}`,
  ...(nft?.tables ?? []).flatMap(({ family, name, chains, sets }) => [
    `table ${family} ${name}`,
    ...chains.map((chain) => JSON.stringify([chain.name, chain.base, chain.rules.map(({ expr }) => expr)])),
    ...[...sets.values()].map((set) => JSON.stringify([set.name, set.dynamic, set.elements])),
  ]),
];

/** `tcp dport 22`, `ct state established,related`: a match as nft writes it. */
export function matchText(match: Json | undefined): string {
  const { op, left, right } = objectOf(match);
  // Behind a mask nft wants the operator that it implies elsewhere.
  const implied = op === 'in' || (op === '==' && !isOperation(left));
  const operator = implied ? '' : `${String(op)} `;
  return `${valueText(left)} ${operator}${rightText(right)}`;
}

/** A list of flags is written with commas, a set in braces. */
const rightText = (right: Json | undefined): string =>
  Array.isArray(right) ? right.map(valueText).join(',') : valueText(right);

/** A statement, or a match, as nft writes it. Counters are left out: they decide nothing. */
export function statementText(statement: Json): string {
  const [[kind = '', value] = []] = Object.entries(objectOf(statement));
  return STATEMENTS[kind]?.(value) ?? (isPlain(value) ? kind : `${kind} ${valueText(value)}`);
}

const isPlain = (value: Json | undefined): boolean =>
  value === null || value === undefined || Object.keys(objectOf(value)).length + listOf(value).length === 0;

type Writer = (value: Json | undefined) => string;

const to: (word: string) => Writer = (word) => (value) => {
  const { addr, port, flags } = objectOf(value);
  const port_ = port === undefined ? '' : `:${valueText(port)}`;
  const where =
    addr === undefined && port_ === '' ? '' : ` to ${addr === undefined ? '' : valueText(addr)}${port_}`;
  return `${word}${where}${listOf(flags)
    .map((flag) => ` ${String(flag)}`)
    .join('')}`;
};

const target: (word: string) => Writer = (word) => (value) => `${word} ${valueText(objectOf(value).target)}`;

const STATEMENTS: { readonly [kind: string]: Writer } = {
  match: matchText,
  counter: () => '',
  jump: target('jump'),
  goto: target('goto'),
  dnat: to('dnat'),
  snat: to('snat'),
  redirect: to('redirect'),
  masquerade: to('masquerade'),
  vmap: (value) => `${valueText(objectOf(value).key)} vmap ${valueText(objectOf(value).data)}`,
  mangle: (value) => `${valueText(objectOf(value).key)} set ${valueText(objectOf(value).value)}`,
  limit: (value) => {
    const { rate, per, inv } = objectOf(value);
    return `limit rate ${inv === true ? 'over ' : ''}${valueText(rate)}/${valueText(per)}`;
  },
  log: () => 'log',
  reject: () => 'reject',
  set: (value) => `${String(objectOf(value).op)} ${valueText(objectOf(value).set)}`,
  xt: (value) => `xt ${String(objectOf(value).type)} ${String(objectOf(value).name)}`,
};

const OPERATORS = new Set(['&', '|', '^', '<<', '>>']);

const isOperation = (value: Json | undefined): boolean =>
  Object.keys(objectOf(value)).some((kind) => OPERATORS.has(kind));

/** Flags of a mask, and operations within operations, are in parentheses. */
const operandText = (value: Json): string => {
  const text = Array.isArray(value) ? value.map(valueText).join(' | ') : valueText(value);
  return Array.isArray(value) || isOperation(value) ? `(${text})` : text;
};

/** An expression, or a value, as nft writes it. */
export function valueText(value: Json | undefined): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return value.map(valueText).join(' ');
  const [[kind = '', of] = []] = Object.entries(value as { readonly [key: string]: Json });
  if (OPERATORS.has(kind)) return listOf(of).map(operandText).join(` ${kind} `);
  return VALUES[kind]?.(of as Json) ?? `${kind} ${valueText(Object.values(objectOf(of)))}`.trim();
}

const VALUES: { readonly [kind: string]: Writer } = {
  payload: (of) => {
    const { protocol, field, base, offset, len } = objectOf(of);
    return protocol === undefined
      ? `@${String(base)},${String(offset)},${String(len)}`
      : `${String(protocol)} ${String(field)}`;
  },
  meta: (of) => {
    const { key } = objectOf(of);
    return BARE_META.has(String(key)) ? String(key) : `meta ${String(key)}`;
  },
  ct: (of) => {
    const { key, dir, family } = objectOf(of);
    return ['ct', dir, family, key].filter((part) => part !== undefined).join(' ');
  },
  fib: (of) => {
    const { result, flags } = objectOf(of);
    return `fib ${listOf(flags).map(String).join(' . ')} ${String(result)}`;
  },
  prefix: (of) => `${valueText(objectOf(of).addr)}/${String(objectOf(of).len)}`,
  range: (of) => listOf(of).map(valueText).join('-'),
  concat: (of) => listOf(of).map(valueText).join(' . '),
  elem: (of) => valueText(objectOf(of).val),
  set: (of) => `{ ${listOf(of).map(elementText).join(', ')} }`,
  map: (of) => `${valueText(objectOf(of).key)} map ${valueText(objectOf(of).data)}`,
  jump: target('jump'),
  goto: target('goto'),
  accept: () => 'accept',
  drop: () => 'drop',
  return: () => 'return',
  continue: () => 'continue',
};

const BARE_META = new Set(['iif', 'oif', 'iifname', 'oifname', 'mark', 'skuid', 'skgid']);

/** An element of a set, or a pair of a map. */
const elementText = (element: Json): string =>
  Array.isArray(element) ? element.map(valueText).join(' : ') : valueText(element);
