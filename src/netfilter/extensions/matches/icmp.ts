/** ICMP and ICMPv6 types by name and number. */
import { type ExtensionRow, isRefusal, option, refuse, type ValueType } from '../row.js';
import { kind, parseWithin } from '../values.js';

type Names = Readonly<Record<string, string>>;

/** Name → `type` or `type/code`, as `iptables -p icmp -h` lists them. */
const ICMP: Names = {
  any: 'any',
  'echo-reply': '0',
  pong: '0',
  'destination-unreachable': '3',
  'network-unreachable': '3/0',
  'host-unreachable': '3/1',
  'protocol-unreachable': '3/2',
  'port-unreachable': '3/3',
  'fragmentation-needed': '3/4',
  'source-route-failed': '3/5',
  'network-unknown': '3/6',
  'host-unknown': '3/7',
  'network-prohibited': '3/9',
  'host-prohibited': '3/10',
  'tos-network-unreachable': '3/11',
  'tos-host-unreachable': '3/12',
  'communication-prohibited': '3/13',
  'host-precedence-violation': '3/14',
  'precedence-cutoff': '3/15',
  'source-quench': '4',
  redirect: '5',
  'network-redirect': '5/0',
  'host-redirect': '5/1',
  'tos-network-redirect': '5/2',
  'tos-host-redirect': '5/3',
  'echo-request': '8',
  ping: '8',
  'router-advertisement': '9',
  'router-solicitation': '10',
  'time-exceeded': '11',
  'ttl-exceeded': '11',
  'ttl-zero-during-transit': '11/0',
  'ttl-zero-during-reassembly': '11/1',
  'parameter-problem': '12',
  'ip-header-bad': '12/0',
  'required-option-missing': '12/1',
  'timestamp-request': '13',
  'timestamp-reply': '14',
  'address-mask-request': '17',
  'address-mask-reply': '18',
};

const ICMPV6: Names = {
  'destination-unreachable': '1',
  'no-route': '1/0',
  'communication-prohibited': '1/1',
  'beyond-scope': '1/2',
  'address-unreachable': '1/3',
  'port-unreachable': '1/4',
  'failed-policy': '1/5',
  'reject-route': '1/6',
  'packet-too-big': '2',
  'time-exceeded': '3',
  'ttl-exceeded': '3',
  'ttl-zero-during-transit': '3/0',
  'ttl-zero-during-reassembly': '3/1',
  'parameter-problem': '4',
  'bad-header': '4/0',
  'unknown-header-type': '4/1',
  'unknown-option': '4/2',
  'echo-request': '128',
  ping: '128',
  'echo-reply': '129',
  pong: '129',
  'router-solicitation': '133',
  'router-advertisement': '134',
  'neighbour-solicitation': '135',
  'neighbor-solicitation': '135',
  'neighbour-advertisement': '136',
  'neighbor-advertisement': '136',
  redirect: '137',
};

/** A name (or an unambiguous start of one), `type` or `type/code`. */
const icmpType = (names: Names): ValueType =>
  kind([...Object.keys(names), '8/0', '3', '0x3/1'], (text) => {
    const lower = text.toLowerCase();
    const starts = Object.keys(names).filter((name) => name.startsWith(lower));
    const exact = names[lower];
    if (exact !== undefined) return exact;
    if (lower !== '' && starts.length === 1) return names[starts[0] ?? ''] ?? '';
    if (starts.length > 1 && lower !== '')
      return refuse(`cannot tell "${text}" from ${starts.join(' and ')}`, 'Write the whole name.');
    const cut = text.indexOf('/');
    const type = parseWithin(cut === -1 ? text : text.slice(0, cut), 0n, 255n);
    const code = cut === -1 ? undefined : parseWithin(text.slice(cut + 1), 0n, 255n);
    if (isRefusal(type) || isRefusal(code))
      return refuse(
        `does not accept the ICMP type "${text}"`,
        'Write a name such as echo-request, a number, or number/code.',
      );
    // Type 255 is how the kernel keeps "any", whatever the code.
    if (type === 255n && 'any' in names) return 'any';
    return code === undefined ? String(type) : `${type}/${code}`;
  });

export const ICMP_MATCHES: readonly ExtensionRow[] = [
  {
    kind: 'match',
    name: 'icmp',
    family: 'v4',
    protocols: ['icmp'],
    options: [option('--icmp-type', icmpType(ICMP), { not: true, required: true })],
  },
  {
    kind: 'match',
    name: 'icmp6',
    aliases: ['icmpv6', 'ipv6-icmp'],
    family: 'v6',
    protocols: ['ipv6-icmp'],
    options: [option('--icmpv6-type', icmpType(ICMPV6), { not: true, required: true })],
  },
];
