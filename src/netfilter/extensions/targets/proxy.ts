/** Targets that pass packets on or copy them: NFQUEUE, TEE, TPROXY, SYNPROXY. */
import type { Option } from '../../model.js';
import { type ExtensionRow, exclusive, isRefusal, option, refuse, type ValueType } from '../row.js';
import { fullMark, host, interfaceName, kind, parseEnds, parsePort, u8, u16 } from '../values.js';

/** At least two queues, the last but one at most 65534. */
const queues: ValueType = kind(['0:3', '10:65534'], (text) => {
  const ends = parseEnds(text, 65534n);
  if (isRefusal(ends)) return ends;
  return text.includes(':') && ends[0] < ends[1]
    ? ends.join(':')
    : refuse(`takes a range of queues such as 0:3, not "${text}"`);
});

function nfqueue(options: readonly Option[]): readonly Option[] {
  const numbered = options.some((each) => each.flag === '--queue-num' || each.flag === '--queue-balance');
  return numbered ? options : [{ flag: '--queue-num', negated: false, values: ['0'] }, ...options];
}

const port: ValueType = kind(['8080', 'http'], (text) => {
  const number = parsePort(text, undefined);
  return isRefusal(number) ? number : String(number);
});

/** Packets cannot be sent to no address. */
const gateway: ValueType = kind({ v4: ['10.1.2.3'], v6: ['2001:db8::1'] }, (text, context) => {
  const address = host.parse(text, context);
  return address === '0.0.0.0' || address === '::' ? refuse('takes a non-zero address') : address;
});

export const PROXY: readonly ExtensionRow[] = [
  {
    kind: 'target',
    name: 'NFQUEUE',
    options: [
      ...exclusive(option('--queue-num', u16), option('--queue-balance', queues)),
      option('--queue-bypass'),
      option('--queue-cpu-fanout', [], { needs: ['--queue-balance'] }),
    ],
    finish: nfqueue,
  },
  {
    kind: 'target',
    name: 'TEE',
    options: [option('--gateway', gateway, { required: true }), option('--oif', interfaceName)],
  },
  {
    kind: 'target',
    name: 'TPROXY',
    tables: ['mangle'],
    hooks: ['PREROUTING'],
    protocols: ['tcp', 'udp'],
    options: [
      option('--on-port', port, { required: true }),
      option('--on-ip', host, { implied: { v4: '0.0.0.0', v6: '::' } }),
      option('--tproxy-mark', fullMark, { implied: '0x0/0x0' }),
    ],
  },
  {
    kind: 'target',
    name: 'SYNPROXY',
    protocols: ['tcp'],
    hooks: ['INPUT', 'FORWARD'],
    options: [
      option('--sack-perm'),
      option('--timestamp'),
      option('--wscale', u8),
      option('--mss', u16),
      option('--ecn'),
    ],
  },
];
