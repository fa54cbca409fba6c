/**
 * Names and numbers of IP protocols (https://www.iana.org/assignments/protocol-numbers). The first name of a number
 * is the one that iptables-save 1.8.9 prints; numbers without a name stay numbers.
 */
const NAMES: readonly (readonly [number, ...string[]])[] = [
  [0, 'all', 'ip', 'hopopt'],
  [1, 'icmp'],
  [2, 'igmp'],
  [3, 'ggp'],
  [4, 'ipencap'],
  [5, 'st'],
  [6, 'tcp'],
  [8, 'egp'],
  [9, 'igp'],
  [12, 'pup'],
  [17, 'udp'],
  [20, 'hmp'],
  [22, 'xns-idp'],
  [27, 'rdp'],
  [29, 'iso-tp4'],
  [33, 'dccp'],
  [36, 'xtp'],
  [37, 'ddp'],
  [38, 'idpr-cmtp'],
  [41, 'ipv6'],
  [43, 'ipv6-route'],
  [44, 'ipv6-frag'],
  [45, 'idrp'],
  [46, 'rsvp'],
  [47, 'gre'],
  [50, 'esp'],
  [51, 'ah'],
  [57, 'skip'],
  [58, 'ipv6-icmp', 'icmpv6'],
  [59, 'ipv6-nonxt'],
  [60, 'ipv6-opts'],
  [73, 'rspf'],
  [81, 'vmtp'],
  [88, 'eigrp'],
  [89, 'ospf'],
  [93, 'ax.25'],
  [94, 'ipip'],
  [97, 'etherip'],
  [98, 'encap'],
  [103, 'pim'],
  [108, 'ipcomp'],
  [112, 'vrrp'],
  [115, 'l2tp'],
  [124, 'isis'],
  [132, 'sctp'],
  [133, 'fc'],
  [135, 'mobility-header', 'ipv6-mh', 'mh'],
  [136, 'udplite'],
  [137, 'mpls-in-ip'],
  [138, 'manet'],
  [139, 'hip'],
  [140, 'shim6'],
  [141, 'wesp'],
  [142, 'rohc'],
  [143, 'ethernet'],
];

const NUMBER_OF = new Map(
  NAMES.flatMap(([number, ...names]) => names.map((name) => [name, number] as const)),
);
const NAME_OF = new Map(NAMES.map(([number, name]) => [number, name]));

/** `tcp`, `TCP`, `6` → 6. */
export function protocolNumber(text: string): number | undefined {
  if (/^(0|[1-9]\d{0,2})$/.test(text)) return Number(text) <= 255 ? Number(text) : undefined;
  if (/^0x[0-9a-f]{1,2}$/i.test(text)) return Number(text);
  return NUMBER_OF.get(text.toLowerCase());
}

/** The canonical spelling: `tcp`, `ipv6-icmp`, `253`. */
export const protocolName = (number: number): string => NAME_OF.get(number) ?? String(number);
