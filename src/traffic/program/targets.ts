/** What each target does with a packet. */

import type { Family } from '../../lib/family.js';
import { networkRanges, parseAddress } from '../../lib/ip.js';
import { between, type Ranges } from '../../lib/ranges.js';
import { isRefusal } from '../../netfilter/extensions/row.js';
import { parseMark } from '../../netfilter/extensions/values.js';
import type { Option, Rule, Target } from '../../netfilter/model.js';
import { parseNumbers } from './fields.js';
import { stateful, type Unknown } from './predicate.js';

/** What a rule does with a packet that it matches. */
export type Action =
  | {
      readonly kind:
        | 'accept'
        | 'drop'
        | 'reject'
        | 'return'
        | 'continue'
        | 'untrack'
        | 'unknownMark'
        | 'snat';
    }
  | { readonly kind: 'call'; readonly chain: string; readonly goto: boolean }
  /** `mark = (mark & ~mask) ^ value`. */
  | { readonly kind: 'mark'; readonly value: number; readonly mask: number }
  /** DNAT, REDIRECT, NETMAP: another destination; the kernel chooses one of several. */
  | { readonly kind: 'dnat'; readonly to: Destination; readonly choice: Unknown }
  /** NFQUEUE and targets that are not known: the packet may go on to the next rule, be accepted, or be dropped. */
  | { readonly kind: 'external'; readonly continues: Unknown | null; readonly accepts: Unknown };

interface Destination {
  /** `own`: an address of this host that only the kernel knows. Absent: unchanged. */
  readonly addresses?: Ranges | 'own';
  readonly ports?: Ranges;
}

const CONTINUE: Action = { kind: 'continue' };

/** Targets after which the next rule is read, and which change nothing that a modelled match tests. */
const WITHOUT_EFFECT = new Set(
  `LOG NFLOG ULOG TRACE AUDIT TEE LED IDLETIMER RATEEST SECMARK CONNSECMARK CLASSIFY CHECKSUM
   TOS DSCP ECN TTL HL TCPMSS TCPOPTSTRIP`.split(/\s+/),
);

const PLAIN: Readonly<Record<string, Action>> = {
  ACCEPT: { kind: 'accept' },
  DROP: { kind: 'drop' },
  REJECT: { kind: 'reject' },
  RETURN: { kind: 'return' },
  SNAT: { kind: 'snat' },
  MASQUERADE: { kind: 'snat' },
  NOTRACK: { kind: 'untrack' },
  HMARK: { kind: 'unknownMark' },
};

type TargetReader = (options: readonly Option[], family: Family, text: string) => Action | undefined;

const WITH_OPTIONS: Readonly<Record<string, TargetReader>> = {
  MARK: (options) => markAction(value(options, '--set-xmark')),
  CONNMARK: (options) => (given(options, '--restore-mark') ? { kind: 'unknownMark' } : CONTINUE),
  SET: (options) => (given(options, '--map-mark') ? { kind: 'unknownMark' } : CONTINUE),
  CT: (options) => (given(options, '--notrack') ? { kind: 'untrack' } : CONTINUE),
  DNAT: (options, family, text) => destination(value(options, '--to-destination'), family, text),
  REDIRECT: (options, _, text) => {
    const ports = portRanges(value(options, '--to-ports'));
    return { kind: 'dnat', to: { addresses: 'own', ports }, choice: stateful(text) };
  },
  NETMAP: (options, family, text) => {
    const addresses = networkRanges(value(options, '--to') ?? '', family);
    return addresses && { kind: 'dnat', to: { addresses }, choice: stateful(text) };
  },
  NFQUEUE: queue,
  QUEUE: queue,
};

function queue(_: readonly Option[], __: Family, text: string): Action {
  return { kind: 'external', continues: null, accepts: stateful(`${text}: accepted`) };
}

const given = (options: readonly Option[], flag: string): boolean =>
  options.some((each) => each.flag === flag);
const value = (options: readonly Option[], flag: string): string | undefined =>
  options.find((each) => each.flag === flag)?.values[0];

function markAction(text: string | undefined): Action | undefined {
  const parsed = parseMark(text ?? '');
  return isRefusal(parsed) ? undefined : { kind: 'mark', value: Number(parsed[0]), mask: Number(parsed[1]) };
}

/** `80`, `80-90`, `80-90/8080`. */
const portRanges = (text = ''): Ranges | undefined => parseNumbers(text.replace(/\/\d+$/, ''));

/** `address[-address][:ports]`, the address in brackets when it is IPv6 and has ports. */
function destination(text: string | undefined, family: Family, rule: string): Action | undefined {
  const found = /^(?:\[(.*)\]|([^[\]]*?))(?::([\d/-]+))?$/.exec(text ?? '');
  const plain = family === 'v6' && !text?.startsWith('[') && !text?.startsWith(':');
  const address = plain ? text : (found?.[1] ?? found?.[2]);
  const ports = plain ? undefined : portRanges(found?.[3]);
  const ends = (address ?? '').split('-').map((end) => parseAddress(end, family));
  const [from, to = from] = ends;
  if (address !== '' && (from === undefined || to === undefined)) return undefined;
  const addresses = from === undefined || to === undefined ? undefined : between(from, to);
  return { kind: 'dnat', to: { addresses, ports }, choice: stateful(rule) };
}

/** The action of a rule's target. @param chains the user chains of its table. */
export function readTarget(rule: Rule, family: Family, chains: ReadonlySet<string>): Action {
  const { target } = rule;
  if (target === undefined) return CONTINUE;
  if (target.goto || target.chain)
    return chains.has(target.name)
      ? { kind: 'call', chain: target.name, goto: target.goto }
      : unknownTarget(target);
  const known = target.known
    ? (PLAIN[target.name] ?? WITH_OPTIONS[target.name]?.(target.options, family, `-j ${targetText(target)}`))
    : undefined;
  if (known !== undefined) return known;
  return target.known && WITHOUT_EFFECT.has(target.name) ? CONTINUE : unknownTarget(target);
}

const targetText = (target: Target): string =>
  [target.name, ...target.options.flatMap((each) => [each.flag, ...each.values])].join(' ');

const unknownTarget = (target: Target): Action => ({
  kind: 'external',
  continues: stateful(`-j ${targetText(target)}: continues`),
  accepts: stateful(`-j ${targetText(target)}: accepts`),
});

/** Whether a target changes what an unmodelled match may test. */
export const altersPackets = (target: Target | undefined): boolean =>
  target !== undefined && ALTERING.has(target.name);

const ALTERING = new Set('TOS DSCP ECN TTL HL TCPMSS TCPOPTSTRIP HMARK CLASSIFY SECMARK TPROXY'.split(' '));
