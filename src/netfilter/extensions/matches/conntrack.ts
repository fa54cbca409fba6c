/** Matches on connection tracking: conntrack, state, connmark, connlabel, helper. */
import { type ExtensionRow, option, type ValueType } from '../row.js';
import {
  flags,
  integer,
  kind,
  mark,
  network,
  oneOf,
  portRange,
  protocol,
  range,
  string,
  U32,
} from '../values.js';

const STATES = ['INVALID', 'NEW', 'RELATED', 'ESTABLISHED', 'UNTRACKED'];

/** A bit from 0 to 127, or its name in the host's connlabel.conf; save prints either in quotes. */
const label: ValueType = {
  ...kind(['40', '0', '127'], (text, context) =>
    /^[a-z_][\w.-]*$/i.test(text) ? text : integer(127).parse(text, context),
  ),
  print: (value) => `"${value}"`,
};

export const CONNTRACK: readonly ExtensionRow[] = [
  {
    kind: 'match',
    name: 'conntrack',
    oneOf: 'any',
    options: [
      option('--ctstate', flags([...STATES, 'SNAT', 'DNAT']), { not: true }),
      option('--ctproto', protocol, { not: true }),
      option('--ctorigsrc', network(false), { not: true }),
      option('--ctorigdst', network(false), { not: true }),
      option('--ctreplsrc', network(false), { not: true }),
      option('--ctrepldst', network(false), { not: true }),
      option('--ctorigsrcport', portRange(), { not: true }),
      option('--ctorigdstport', portRange(), { not: true }),
      option('--ctreplsrcport', portRange(), { not: true }),
      option('--ctrepldstport', portRange(), { not: true }),
      option('--ctstatus', flags(['EXPECTED', 'SEEN_REPLY', 'ASSURED', 'CONFIRMED'], 'NONE'), { not: true }),
      option('--ctexpire', range(U32), { not: true }),
      option('--ctdir', oneOf(['ORIGINAL', 'REPLY'])),
    ],
  },
  {
    kind: 'match',
    name: 'state',
    options: [option('--state', flags(STATES), { not: true, required: true })],
  },
  { kind: 'match', name: 'connmark', options: [option('--mark', mark, { not: true, required: true })] },
  { kind: 'match', name: 'helper', options: [option('--helper', string(29), { not: true, required: true })] },
  {
    kind: 'match',
    name: 'connlabel',
    options: [option('--label', label, { not: true, required: true }), option('--set')],
  },
];
