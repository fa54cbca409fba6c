/** Matches on IPsec headers and policies. */
import type { Option } from '../../model.js';
import {
  ARRIVING,
  type ExtensionRow,
  given,
  has,
  LEAVING,
  option,
  type Refusal,
  refuse,
  type ValueType,
  valueGiven,
} from '../row.js';
import {
  exactly,
  formatHex,
  kind,
  network,
  parseInteger,
  protocolNumber,
  range,
  U32,
  u32,
} from '../values.js';

const WHOLE_RANGE = `0:${U32}`;

const spis = (flag: string) => option(flag, range(U32), { not: true, hidden: WHOLE_RANGE });

/** XT_POLICY_MAX_ELEM. */
const ELEMENTS = 4;

const PROTOCOLS: Readonly<Record<number, string>> = { 50: 'esp', 51: 'ah', 108: 'ipcomp' };

const policyProtocol: ValueType = kind(['esp', 'ah', '108'], (text) => {
  const name = PROTOCOLS[protocolNumber(text) ?? -1];
  return name ?? refuse(`takes ah, esp or ipcomp, not "${text}"`);
});

const spi: ValueType = kind(['0x1', '1000'], (text) => {
  const value = parseInteger(text);
  return value === undefined || value > U32 ? refuse(`takes a number, not "${text}"`) : formatHex(value);
});

const ELEMENT_ORDER = ['--reqid', '--spi', '--proto', '--mode', '--tunnel-dst', '--tunnel-src'];

/** One element stands for one transformation; `--next` starts another. */
function policy(options: readonly Option[]): readonly Option[] | Refusal {
  const strict = has(options, '--strict');
  const none = valueGiven(options, '--pol') === 'none';
  const elements: Option[][] = [[]];
  for (const each of options)
    if (each.flag === '--next') elements.push([]);
    else if (ELEMENT_ORDER.includes(each.flag)) elements.at(-1)?.push(each);
  if (none && (strict || elements.length > 1)) return refuse('takes no elements with --pol none');
  // The kernel looks at no element then, and save prints none.
  if (none) return [given('--dir', valueGiven(options, '--dir') ?? 'in'), given('--pol', 'none')];
  if (elements.length > ELEMENTS) return refuse(`takes at most ${ELEMENTS} elements`);
  const refusal = elements.map((element) => elementFlaw(element, strict)).find((flaw) => flaw !== undefined);
  if (refusal !== undefined) return refusal;
  return [
    given('--dir', valueGiven(options, '--dir') ?? 'in'),
    given('--pol', 'ipsec'),
    ...(strict ? [given('--strict')] : []),
    ...elements.flatMap((element, index) => [
      ...(index === 0 ? [] : [given('--next')]),
      ...element.toSorted((a, b) => ELEMENT_ORDER.indexOf(a.flag) - ELEMENT_ORDER.indexOf(b.flag)),
    ]),
  ];
}

function elementFlaw(element: readonly Option[], strict: boolean): Refusal | undefined {
  if (strict && element.length === 0) return refuse('takes --strict only with something in every element');
  if (new Set(element.map((each) => each.flag)).size < element.length)
    return refuse('takes each option once in an element', 'Write --next between elements.');
  const mode = element.find((each) => each.flag === '--mode');
  // Without --mode the kernel compares with transport mode.
  const transport = mode === undefined || (mode.values[0] === 'transport') !== mode.negated;
  const tunnel = has(element, '--tunnel-src') || has(element, '--tunnel-dst');
  return tunnel && transport ? refuse('takes --tunnel-src and --tunnel-dst only in tunnel mode') : undefined;
}

export const IPSEC: readonly ExtensionRow[] = [
  { kind: 'match', name: 'ah', family: 'v4', protocols: ['ah'], options: [spis('--ahspi')] },
  { kind: 'match', name: 'esp', protocols: ['esp'], options: [spis('--espspi')] },
  {
    kind: 'match',
    name: 'ipcomp',
    protocols: ['ipcomp'],
    // Unlike the others this one starts at 0:0, so a bare match is one of the index 0.
    options: [
      option('--ipcompspi', range(U32), { not: true, hidden: WHOLE_RANGE, implied: '0' }),
      option('--compres'),
    ],
  },
  {
    kind: 'match',
    name: 'policy',
    hooks: (options) => (valueGiven(options, '--dir') === 'in' ? ARRIVING : LEAVING),
    order: 'given',
    options: [
      option('--dir', exactly('in', 'out'), { required: true }),
      option('--pol', exactly('none', 'ipsec')),
      option('--strict'),
      option('--reqid', u32, { not: true, repeatable: true }),
      option('--spi', spi, { not: true, repeatable: true }),
      option('--proto', policyProtocol, { not: true, repeatable: true }),
      option('--mode', exactly('transport', 'tunnel'), { not: true, repeatable: true }),
      option('--tunnel-dst', network(false), { not: true, repeatable: true }),
      option('--tunnel-src', network(false), { not: true, repeatable: true }),
      option('--next', [], { needs: ['--strict'], repeatable: true }),
    ],
    finish: policy,
  },
];
