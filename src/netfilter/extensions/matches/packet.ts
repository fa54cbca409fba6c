/** Matches on the packet itself: length, ttl, hl, dscp, tos, ecn, pkttype, realm, mark, comment. */
import type { Option } from '../../model.js';
import { type ExtensionRow, exclusive, isRefusal, option, refuse, type ValueType } from '../row.js';
import {
  formatHex,
  integer,
  kind,
  mark,
  oneOf,
  parseInteger,
  parseWithin,
  range,
  string,
  U32,
  u8,
} from '../values.js';

/** RFC 1349 names; a name stands for its bits under the mask 0x3f. */
const TOS_NAMES: Readonly<Record<string, bigint>> = {
  'minimize-delay': 0x10n,
  'maximize-throughput': 0x08n,
  'maximize-reliability': 0x04n,
  'minimize-cost': 0x02n,
  'normal-service': 0x00n,
};

/** `0x10/0xff`, both always printed with two digits. */
export const tos: ValueType = kind(['0x10', '4/0x1c', 'Minimize-Delay', 'normal-service', '255'], (text) => {
  const named = TOS_NAMES[text.toLowerCase()];
  if (named !== undefined) return `${formatHex(named, 2)}/0x3f`;
  const cut = text.indexOf('/');
  const value = parseWithin(cut === -1 ? text : text.slice(0, cut), 0n, 255n);
  const mask = cut === -1 ? 255n : parseWithin(text.slice(cut + 1), 0n, 255n);
  if (isRefusal(value) || isRefusal(mask))
    return refuse(
      `does not accept "${text}"`,
      `Write a number, number/mask or one of ${Object.keys(TOS_NAMES).join(', ')}.`,
    );
  return `${formatHex(value, 2)}/${formatHex(mask, 2)}`;
});

/** RFC 2474, RFC 2597 and RFC 3246. */
const DSCP_CLASSES: Readonly<Record<string, number>> = {
  CS0: 0x00,
  CS1: 0x08,
  CS2: 0x10,
  CS3: 0x18,
  CS4: 0x20,
  CS5: 0x28,
  CS6: 0x30,
  CS7: 0x38,
  BE: 0x00,
  AF11: 0x0a,
  AF12: 0x0c,
  AF13: 0x0e,
  AF21: 0x12,
  AF22: 0x14,
  AF23: 0x16,
  AF31: 0x1a,
  AF32: 0x1c,
  AF33: 0x1e,
  AF41: 0x22,
  AF42: 0x24,
  AF43: 0x26,
  EF: 0x2e,
};

const dscpHex = (value: bigint): string => formatHex(value, 2);

export const dscp: ValueType = kind(['0', '0x2e', '63'], (text) => {
  const value = parseWithin(text, 0n, 63n);
  return isRefusal(value) ? value : dscpHex(value);
});

/** A class by name; the value is its number, since that is what save prints. */
export const dscpClass: ValueType = kind(Object.keys(DSCP_CLASSES), (text) => {
  const value = DSCP_CLASSES[text.toUpperCase()];
  if (value === undefined)
    return refuse(
      `does not accept the class "${text}"`,
      `Write one of ${Object.keys(DSCP_CLASSES).join(', ')}.`,
    );
  return dscpHex(BigInt(value));
});

/** Puts every option that is another spelling of `flag` under that name. */
export const rename =
  (from: string, flag: string) =>
  (options: readonly Option[]): readonly Option[] =>
    options.map((each) => (each.flag === from ? { ...each, flag } : each));

const compared = (name: string) =>
  exclusive(
    option(`--${name}-eq`, u8, { aliases: [`--${name}`], not: true }),
    option(`--${name}-lt`, u8),
    option(`--${name}-gt`, u8),
  );

/**
 * A number that iproute2 may have a name for on the host. The number loads everywhere and so it is what is printed;
 * of names only that of 0 is the same on every host that has one.
 */
export const lookedUp = (zero: string): ValueType =>
  kind(['5', '0x1/0x2a', '0x0/0xf'], (text) => {
    if (text === zero) return '0x0';
    const cut = text.indexOf('/');
    const value = parseInteger(cut === -1 ? text : text.slice(0, cut));
    const mask = cut === -1 ? U32 : parseInteger(text.slice(cut + 1));
    if (value === undefined || mask === undefined || value > U32 || mask > U32)
      return refuse(
        `takes a number or number/mask, not "${text}"`,
        'Write the number: names differ from host to host.',
      );
    return mask === U32 ? formatHex(value) : `${formatHex(value)}/${formatHex(mask)}`;
  });

export const PACKET: readonly ExtensionRow[] = [
  {
    kind: 'match',
    name: 'length',
    options: [option('--length', range(65535n), { not: true, required: true })],
  },
  { kind: 'match', name: 'ttl', family: 'v4', oneOf: 'any', options: compared('ttl') },
  { kind: 'match', name: 'hl', family: 'v6', oneOf: 'any', options: compared('hl') },
  {
    kind: 'match',
    name: 'dscp',
    oneOf: 'any',
    options: exclusive(
      option('--dscp', dscp, { not: true }),
      option('--dscp-class', dscpClass, { not: true }),
    ),
    finish: rename('--dscp-class', '--dscp'),
  },
  { kind: 'match', name: 'tos', options: [option('--tos', tos, { not: true, required: true })] },
  {
    kind: 'match',
    name: 'ecn',
    oneOf: 'any',
    options: [
      option('--ecn-tcp-ece', [], { not: true }),
      option('--ecn-tcp-cwr', [], { not: true }),
      option('--ecn-ip-ect', integer(3), { not: true }),
    ],
    finish: (options, context) =>
      options.some((each) => each.flag.startsWith('--ecn-tcp')) && context.protocol !== 'tcp'
        ? refuse('matches TCP bits only with -p tcp')
        : options,
  },
  {
    kind: 'match',
    name: 'pkttype',
    options: [
      option(
        '--pkt-type',
        oneOf(['unicast', 'broadcast', 'multicast', 'otherhost'], {
          bcast: 'broadcast',
          mcast: 'multicast',
          host: 'unicast',
        }),
        { not: true, required: true },
      ),
    ],
  },
  {
    kind: 'match',
    name: 'realm',
    family: 'v4',
    hooks: ['INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
    options: [option('--realm', lookedUp('cosmos'), { not: true, required: true })],
  },
  { kind: 'match', name: 'mark', options: [option('--mark', mark, { not: true, required: true })] },
  {
    kind: 'match',
    name: 'comment',
    options: [option('--comment', string(255), { required: true })],
  },
];
