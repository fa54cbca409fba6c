/** Targets that decide, and those that log. */
import type { Option } from '../../model.js';
import {
  type ExtensionRow,
  isRefusal,
  option,
  type Refusal,
  refuse,
  type ValueContext,
  type ValueType,
  valueGiven,
} from '../row.js';
import { kind, parseWithin, string, u16, u32 } from '../values.js';

/** Any unambiguous or first start of a name is accepted, as iptables does. */
const rejection = (names: readonly (readonly [string, string])[]): ValueType =>
  kind(names.flat(), (text) => {
    const lower = text.toLowerCase();
    const found = lower !== '' && names.find((each) => each.some((name) => name.startsWith(lower)));
    return found
      ? found[0]
      : refuse(`does not accept "${text}"`, `Write one of ${names.map(([name]) => name).join(', ')}.`);
  });

const V4 = rejection([
  ['icmp-net-unreachable', 'net-unreach'],
  ['icmp-host-unreachable', 'host-unreach'],
  ['icmp-proto-unreachable', 'proto-unreach'],
  ['icmp-port-unreachable', 'port-unreach'],
  ['icmp-net-prohibited', 'net-prohib'],
  ['icmp-host-prohibited', 'host-prohib'],
  ['tcp-reset', 'tcp-rst'],
  ['icmp-admin-prohibited', 'admin-prohib'],
]);

const V6 = rejection([
  ['icmp6-no-route', 'no-route'],
  ['icmp6-adm-prohibited', 'adm-prohibited'],
  ['icmp6-addr-unreachable', 'addr-unreach'],
  ['icmp6-port-unreachable', 'port-unreach'],
  ['tcp-reset', 'tcp-reset'],
  ['icmp6-policy-fail', 'policy-fail'],
  ['icmp6-reject-route', 'reject-route'],
]);

const LEVELS: Readonly<Record<string, string>> = {
  emerg: '0',
  panic: '0',
  alert: '1',
  crit: '2',
  error: '3',
  warning: '4',
  notice: '5',
  info: '6',
  debug: '7',
};

const level: ValueType = kind([...Object.keys(LEVELS), '0', '7'], (text) => {
  const named = LEVELS[text];
  if (named !== undefined) return named;
  const number = parseWithin(text, 0n, 7n);
  return isRefusal(number)
    ? refuse(
        `does not accept the level "${text}"`,
        `Write 0 to 7 or one of ${Object.keys(LEVELS).join(', ')}.`,
      )
    : String(number);
});

/** XT_LOG's prefix field holds 30 bytes with the final zero; iptables-nft gives NFLOG 128, the legacy one cuts at 64. */
const LOG_PREFIX = 29;
const NFLOG_PREFIX = 127;

const FILTERING = ['INPUT', 'FORWARD', 'OUTPUT'];

const reject = (options: readonly Option[], context: ValueContext): readonly Option[] | Refusal =>
  valueGiven(options, '--reject-with') === 'tcp-reset' && context.protocol !== 'tcp'
    ? refuse('allows tcp-reset only with -p tcp')
    : options;

export const VERDICTS: readonly ExtensionRow[] = [
  { kind: 'target', name: 'ACCEPT', options: [] },
  { kind: 'target', name: 'DROP', tables: ['raw', 'mangle', 'filter', 'security'], options: [] },
  { kind: 'target', name: 'RETURN', options: [] },
  { kind: 'target', name: 'QUEUE', options: [] },
  {
    kind: 'target',
    name: 'REJECT',
    family: 'v4',
    tables: ['filter'],
    hooks: FILTERING,
    options: [option('--reject-with', V4, { implied: 'icmp-port-unreachable' })],
    finish: reject,
  },
  {
    kind: 'target',
    name: 'REJECT',
    family: 'v6',
    tables: ['filter'],
    hooks: FILTERING,
    options: [option('--reject-with', V6, { implied: 'icmp6-port-unreachable' })],
    finish: reject,
  },
  {
    kind: 'target',
    name: 'LOG',
    options: [
      option('--log-prefix', string(LOG_PREFIX, 1)),
      option('--log-level', level, { hidden: '4' }),
      option('--log-tcp-sequence'),
      option('--log-tcp-options'),
      option('--log-ip-options'),
      option('--log-uid'),
      option('--log-macdecode'),
    ],
  },
  {
    kind: 'target',
    name: 'NFLOG',
    options: [
      option('--nflog-prefix', string(NFLOG_PREFIX, 1)),
      option('--nflog-group', u16, { hidden: '0' }),
      option('--nflog-range', u32, { excludes: ['--nflog-size'], hidden: '0' }),
      option('--nflog-size', u32),
      option('--nflog-threshold', u16, { hidden: '0' }),
    ],
  },
  { kind: 'target', name: 'TRACE', tables: ['raw'], options: [] },
];
