/** Matches on what connection tracking knows. */
import { type ExtensionRow, option } from '../row.js';
import { flags, mark, network, oneOf, portRange, protocol, range, U32 } from '../values.js';

const STATES = ['INVALID', 'NEW', 'RELATED', 'ESTABLISHED', 'UNTRACKED'];

export const CONNECTION: readonly ExtensionRow[] = [
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
];
