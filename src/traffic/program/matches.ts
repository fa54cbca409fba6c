/** What each match means, option by option. A match or an option that is not here is unmodelled. */

import type { Family } from '../../lib/family.js';
import { networkRanges, parseAddress } from '../../lib/ip.js';
import { between, ofValues, one, type Ranges, subtract, union, unionOf } from '../../lib/ranges.js';
import { protocolNumber } from '../../netfilter/extensions/protocols.js';
import { isRefusal } from '../../netfilter/extensions/row.js';
import { parseMark } from '../../netfilter/extensions/values.js';
import type { Extension, Option } from '../../netfilter/model.js';
import { addressTypes } from './address-types.js';
import {
  domain,
  type Field,
  flagBits,
  macNumber,
  NO_MAC,
  NO_OWNER,
  PACKET_TYPES,
  parseNumbers,
  STATE,
  stateNumber,
  WITH_PORTS,
} from './fields.js';
import { ipSet } from './ip-sets.js';
import type { MatchContext } from './match-context.js';
import {
  ALWAYS,
  all,
  any,
  field,
  NEVER,
  not,
  notLoopback,
  type Predicate,
  pure,
  stateful,
  unless,
} from './predicate.js';

type OptionReader = (option: Option, context: MatchContext) => Predicate | undefined;
/** `undefined`: this use of the match is not modelled. */
type MatchReader = (options: readonly Option[], context: MatchContext) => Predicate | undefined;

/** A match that holds where all of its options do. */
const options =
  (readers: Readonly<Record<string, OptionReader>>, also: Predicate = ALWAYS): MatchReader =>
  (given, context) => {
    const parts: Predicate[] = [also];
    for (const each of given) {
      const part = readers[each.flag]?.(each, context);
      if (part === undefined) return undefined;
      parts.push(part);
    }
    return all(...parts);
  };

/** A value that is a set of numbers in one field; `!` takes the complement. */
const inField =
  (name: Field, read: (text: string, family: Family) => Ranges | undefined): OptionReader =>
  ({ values: [text = ''], negated }, { family }) => {
    const ranges = read(text, family);
    return ranges === undefined ? undefined : unless(negated, field(name, ranges), family);
  };

function numberList(text: string): Ranges | undefined {
  const parts = text.split(',').map(parseNumbers);
  return parts.includes(undefined) ? undefined : unionOf(parts as Ranges[]);
}

const protocols = (...names: readonly string[]): Predicate =>
  field('protocol', ofValues(names.map((name) => BigInt(protocolNumber(name) ?? 0))));

const EVERY_PORT = '0:65535';

/** "Not any port" is unmodelled: iptables-nft 1.8.9 drops the condition, iptables-legacy matches nothing. */
const port =
  (name: Field): OptionReader =>
  (option, context) =>
    option.negated && option.values[0] === EVERY_PORT
      ? undefined
      : inField(name, parseNumbers)(option, context);

const PORTS = { '--sport': port('sport'), '--dport': port('dport') };

const tcpFlags: OptionReader = ({ values: [mask = '', set = ''], negated }, { family }) => {
  const [tested, wanted] = [flagBits(mask), flagBits(set)];
  const matching = Array.from({ length: 64 }, (_, bits) => BigInt(bits)).filter(
    (bits) => (bits & tested) === wanted,
  );
  return unless(negated, field('flags', ofValues(matching)), family);
};

const bothPorts: OptionReader = ({ values: [text = ''], negated }, { family }) => {
  const list = numberList(text);
  return list && unless(negated, any(field('sport', list), field('dport', list)), family);
};

/** First packets as they were sent: what comes over `lo` has passed nat before it arrives. */
const UNTOUCHED: Predicate = all(notLoopback('in'), field('state', one(STATE.NEW)));

/** What is known of the first packet of a connection alone; of others it depends on how the connection began. */
const ofFirstPacket = (first: Predicate, text: string, family: Family, known = UNTOUCHED): Predicate =>
  any(all(known, first), all(not(known, family), pure(text)));

/** A field of the connection's first packet. */
const ofConnection =
  (
    name: Field,
    read: (text: string, family: Family) => Ranges | undefined,
    given: Predicate = ALWAYS,
  ): OptionReader =>
  (option, context) => {
    // Connection tracking comes after the raw table.
    if (context.table === 'raw') return undefined;
    const { family } = context;
    const known = inField(name, read)(option, context);
    const text = `conntrack ${option.flag} ${option.values.join(' ')}`;
    if (known === undefined) return undefined;
    // Packets without a connection match neither the option nor its negation (xt_conntrack.c).
    const other = pure(option.negated ? `! ${text}` : text);
    const first = given === ALWAYS ? known : any(all(given, known), all(not(given, family), other));
    return any(all(UNTOUCHED, first), all(not(UNTOUCHED, family), other));
  };

const HAS_PORTS: Predicate = field('protocol', ofValues(WITH_PORTS));

/** `--ctdir ORIGINAL` is true of a first packet, `REPLY` is not. */
const direction: OptionReader = ({ values: [text = ''] }, { family, table }) =>
  table === 'raw'
    ? undefined
    : ofFirstPacket(
        text === 'ORIGINAL' ? ALWAYS : NEVER,
        `conntrack --ctdir ${text}`,
        family,
        field('state', one(STATE.NEW)),
      );

/** `SNAT` and `DNAT` are properties of the connection beside its state; DNAT is known of first packets. */
const states: OptionReader = ({ values: [text = ''], negated }, { family, table }) => {
  // Connection tracking comes after the raw table.
  if (table === 'raw') return undefined;
  const names = text.split(',');
  const known = names.map(stateNumber).filter((each) => each !== undefined);
  const others = names
    .filter((name) => stateNumber(name) === undefined)
    .map((name) =>
      name === 'DNAT'
        ? ofFirstPacket(field('translated', one(1n)), 'ctstate DNAT', family)
        : pure(`ctstate ${name}`),
    );
  return unless(negated, any(field('state', ofValues(known)), ...others), family);
};

const icmpType: OptionReader = ({ values: [text = ''], negated }, { family }) => {
  if (text === 'any') return unless(negated, ALWAYS, family);
  const [type, code] = text.split('/').map((part) => one(BigInt(part)));
  if (type === undefined) return undefined;
  return unless(negated, all(field('type', type), code === undefined ? ALWAYS : field('code', code)), family);
};

const addressRange = (text: string, family: Family): Ranges | undefined => {
  const [from, to] = text.split('-').map((end) => parseAddress(end, family));
  return from === undefined || to === undefined ? undefined : between(from, to);
};

/** Without a hardware address the match is false, negated or not (xt_mac.c). */
const mac: OptionReader = ({ values: [text = ''], negated }, { family }) => {
  const wanted = one(macNumber(text));
  return field('mac', negated ? subtract([domain('mac', family)], union(wanted, one(NO_MAC))) : wanted);
};

const packetType = (text: string): Ranges | undefined => {
  const index = PACKET_TYPES.indexOf(text);
  return index === -1 ? undefined : one(BigInt(index));
};

const mark: OptionReader = ({ values: [text = ''], negated }, { family }) => {
  const parsed = parseMark(text);
  if (isRefusal(parsed)) return undefined;
  return unless(negated, { kind: 'mark', value: Number(parsed[0]), mask: Number(parsed[1]) }, family);
};

const ICMP = protocols('icmp');
const ICMP6 = protocols('ipv6-icmp');

const MATCHES: Readonly<Record<string, MatchReader>> = {
  comment: () => ALWAYS,
  tcp: options({ ...PORTS, '--tcp-flags': tcpFlags }, protocols('tcp')),
  udp: options(PORTS, protocols('udp')),
  sctp: options(PORTS, protocols('sctp')),
  dccp: options(PORTS, protocols('dccp')),
  multiport: options(
    {
      '--sports': inField('sport', numberList),
      '--dports': inField('dport', numberList),
      '--ports': bothPorts,
    },
    protocols('tcp', 'udp', 'udplite', 'sctp', 'dccp'),
  ),
  icmp: options({ '--icmp-type': icmpType }, ICMP),
  icmp6: options({ '--icmpv6-type': icmpType }, ICMP6),
  conntrack: options({
    '--ctstate': states,
    '--ctorigsrc': ofConnection('src', networkRanges),
    '--ctorigdst': ofConnection('originalDst', networkRanges),
    '--ctorigsrcport': ofConnection('sport', parseNumbers, HAS_PORTS),
    '--ctorigdstport': ofConnection('originalDport', parseNumbers, HAS_PORTS),
    '--ctdir': direction,
  }),
  state: options({ '--state': states }),
  iprange: options({
    '--src-range': inField('src', addressRange),
    '--dst-range': inField('dst', addressRange),
  }),
  mark: options({ '--mark': mark }),
  mac: options({ '--mac-source': mac }),
  pkttype: options({ '--pkt-type': inField('packetType', packetType) }),
  owner: options({
    '--uid-owner': inField('uid', parseNumbers),
    '--gid-owner': inField('gid', parseNumbers),
    '--socket-exists': ({ negated }, { family }) =>
      unless(negated, field('uid', between(0n, NO_OWNER - 1n)), family),
  }),
  addrtype: addressTypes,
  set: ipSet,
  // --set alone adds the address and is true (xt_recent.c); the contents of the list are not known.
  recent: (given) => (given.some((each) => each.flag === '--set' && !each.negated) ? ALWAYS : undefined),
};

/** Matches that depend on the packet alone, or on what stays the same while it passes. */
const PURE = new Set(
  `ah bpf cgroup cluster connlabel cpu dccp devgroup dscp dst ecn esp eui64 frag hbh helper hl icmp icmp6 ipcomp
   ipv6header ipvs length mh osf physdev policy realm rpfilter rt sctp socket srh string tcp tcpmss time tos ttl u32
   addrtype conntrack set iprange multiport owner mac pkttype`.split(/\s+/),
);

/** The predicate of a match; what is not modelled becomes an unknown. */
export function readMatch(extension: Extension, context: MatchContext): Predicate {
  const read = extension.known ? MATCHES[extension.name]?.(extension.options, context) : undefined;
  return read ?? unknownMatch(extension, context);
}

/**
 * Matches for which `!` is the complement. Others are false with `!` and without where the packet has not what they
 * test: an extension header, a socket, a connection, or the flags of a SYN.
 */
const COMPLEMENTED = new Set(
  `addrtype bpf connlabel cpu devgroup dscp helper iprange length mac multiport owner physdev pkttype realm set string
   tcp tcpmss tos ttl hl u32`.split(/\s+/),
);

/** They find no connection in the raw table, which comes before connection tracking. */
const OF_CONNECTION = new Set('cluster connlabel conntrack helper'.split(' '));

function unknownMatch(
  { name, options: given, known }: Extension,
  { family, table }: MatchContext,
): Predicate {
  const make = known && PURE.has(name) ? pure : stateful;
  const single =
    given.length === 1 &&
    (COMPLEMENTED.has(name) || given[0]?.flag === '--ctstate' || given[0]?.flag === '--state');
  const text = given.map((each) => optionText(each, !single));
  const negated = single && given[0]?.negated === true;
  const early = table === 'raw' && OF_CONNECTION.has(name) ? ['in the raw table'] : [];
  return unless(negated, make([name, ...text, ...early].join(' ')), family);
}

const optionText = ({ flag, values, negated }: Option, withNegation: boolean): string =>
  [...(negated && withNegation ? ['!'] : []), flag, ...values].join(' ');
