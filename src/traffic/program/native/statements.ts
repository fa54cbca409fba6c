/** What each nft statement does with a packet. */
import { networkRanges, parseAddress } from '../../../lib/ip.js';
import { between, one, type Ranges } from '../../../lib/ranges.js';
import type { Json } from '../../../netfilter/nftables/model.js';
import { listOf, objectOf } from '../../../netfilter/nftables/read.js';
import { statementText } from '../../../netfilter/nftables/text.js';
import { stateful } from '../predicate.js';
import type { Action } from '../targets.js';
import type { NativeContext } from './context.js';

/** A statement as a rule of the model has it. */
export type Statement =
  /** The rule ends here. @property alters it may change what an unmodelled match tests */
  | { readonly kind: 'action'; readonly action: Action; readonly goesOn: boolean }
  /** It goes on only for some packets, which are not known. */
  | { readonly kind: 'condition'; readonly text: string }
  /** It changes nothing that the model has. */
  | { readonly kind: 'nothing'; readonly alters: boolean };

const NOTHING: Statement = { kind: 'nothing', alters: false };
const ALTERS: Statement = { kind: 'nothing', alters: true };
const ends = (action: Action): Statement => ({ kind: 'action', action, goesOn: false });
const changes = (action: Action): Statement => ({ kind: 'action', action, goesOn: true });

type Reader = (of: Json, context: NativeContext, text: string) => Statement | undefined;

const condition: Reader = (_, __, text) => ({ kind: 'condition', text });
const nothing: Reader = () => NOTHING;
const called =
  (goto: boolean): Reader =>
  (of) => {
    const { target } = objectOf(of);
    return ends({ kind: 'call', chain: String(target), goto });
  };

/** A program decides, which may be gone: with `bypass` the packet is then accepted. */
const queue: Reader = (_, __, text) =>
  ends({ kind: 'external', continues: null, accepts: stateful(`${text}: accepted`) });

const STATEMENTS: { readonly [kind: string]: Reader } = {
  accept: () => ends({ kind: 'accept' }),
  drop: () => ends({ kind: 'drop' }),
  reject: () => ends({ kind: 'reject' }),
  return: () => ends({ kind: 'return' }),
  continue: nothing,
  jump: called(false),
  goto: called(true),
  counter: nothing,
  log: nothing,
  last: nothing,
  dup: nothing,
  // The rule ends where a rate in braces is not reached, or where the set is full.
  set: condition,
  map: condition,
  flow: nothing,
  'ct helper': nothing,
  'ct timeout': nothing,
  'ct expectation': nothing,
  secmark: nothing,
  limit: condition,
  quota: condition,
  'ct count': condition,
  meter: condition,
  // Without a socket to take the packet, the rule ends.
  tproxy: condition,
  notrack: () => changes({ kind: 'untrack' }),
  queue,
  fwd: () => ends({ kind: 'drop' }),
  masquerade: () => ends({ kind: 'snat' }),
  snat: () => ends({ kind: 'snat' }),
  redirect: (of, _, text) => {
    const ports = portsOf(objectOf(of).port);
    return ports === 'unknown'
      ? undefined
      : ends({ kind: 'dnat', to: { addresses: 'own', ports }, choice: stateful(text) });
  },
  dnat: (of, context, text) => {
    const { addr, port, family } = objectOf(of);
    if (family !== undefined && family !== (context.family === 'v4' ? 'ip' : 'ip6')) return NOTHING;
    const addresses = addressesOf(addr, context);
    const ports = portsOf(port);
    return addresses === 'unknown' || ports === 'unknown'
      ? undefined
      : ends({ kind: 'dnat', to: { addresses, ports }, choice: stateful(text) });
  },
  mangle: (of) => {
    const { key, value } = objectOf(of);
    const [[kind = '', on] = []] = Object.entries(objectOf(key));
    if (kind === 'meta') return META[String(objectOf(on).key)]?.(value);
    if (kind === 'ct') return NOTHING;
    if (kind === 'tcp option' || kind === 'exthdr' || kind === 'ip option') return ALTERS;
    const { protocol, field } = objectOf(on);
    return kind === 'payload' && WITHOUT_EFFECT.has(`${String(protocol)} ${String(field)}`)
      ? ALTERS
      : undefined;
  },
};

const WITHOUT_EFFECT = new Set(
  ['ip dscp', 'ip ecn', 'ip ttl', 'ip id', 'ip6 dscp', 'ip6 ecn', 'ip6 hoplimit', 'ip6 flowlabel'].concat([
    'ether saddr',
    'ether daddr',
  ]),
);

const META: { readonly [key: string]: (value: Json | undefined) => Statement } = {
  mark: (value) => changes(markAction(value)),
  priority: () => NOTHING,
  nftrace: () => NOTHING,
  secmark: () => NOTHING,
  broute: () => NOTHING,
};

/** `meta mark set 1`, `set meta mark | 2`, `set meta mark & 0xff00 | 2`; of anything else the mark is not known. */
function markAction(value: Json | undefined): Action {
  const linear = linearMark(value);
  return linear === undefined
    ? { kind: 'unknownMark' }
    : { kind: 'mark', value: linear.value >>> 0, mask: ~linear.keep >>> 0 };
}

/** `(mark & keep) ^ value`. */
interface LinearMark {
  readonly keep: number;
  readonly value: number;
}

function linearMark(json: Json | undefined): LinearMark | undefined {
  if (typeof json === 'number') return { keep: 0, value: json };
  const [[kind = '', of] = []] = Object.entries(objectOf(json));
  if (kind === 'meta') return objectOf(of).key === 'mark' ? { keep: -1, value: 0 } : undefined;
  const [left, right] = listOf(of);
  const inner = linearMark(left);
  if (inner === undefined || typeof right !== 'number') return undefined;
  const { keep, value } = inner;
  if (kind === '&') return { keep: keep & right, value: value & right };
  if (kind === '|') return { keep: keep & ~right, value: (value & ~right) | right };
  return kind === '^' ? { keep, value: value ^ right } : undefined;
}

/** What a statement does; an unknown one may do anything. */
export function readStatement(statement: Json, context: NativeContext): Statement {
  const [[kind = '', of] = []] = Object.entries(objectOf(statement));
  const text = statementText(statement);
  const known = STATEMENTS[kind]?.(of as Json, context, text);
  return (
    known ??
    ends({
      kind: 'external',
      continues: stateful(`${text}: continues`),
      accepts: stateful(`${text}: accepts`),
    })
  );
}

/** The statement with a value instead of each map that it looks up. */
export const isMap = (value: Json | undefined): boolean => objectOf(value).map !== undefined;

function addressesOf(value: Json | undefined, { family }: NativeContext): Ranges | undefined | 'unknown' {
  if (value === undefined) return undefined;
  const { prefix, range } = objectOf(value);
  if (prefix !== undefined) {
    const { addr, len } = objectOf(prefix);
    return networkRanges(`${String(addr)}/${String(len)}`, family) ?? 'unknown';
  }
  const [from, to = from] = (range === undefined ? [value] : listOf(range)).map((end) =>
    parseAddress(String(end), family),
  );
  return from === undefined || to === undefined ? 'unknown' : between(from, to);
}

function portsOf(value: Json | undefined): Ranges | undefined | 'unknown' {
  if (value === undefined) return undefined;
  const { range } = objectOf(value);
  const [from, to = from] = range === undefined ? [value] : listOf(range);
  if (typeof from !== 'number' || typeof to !== 'number') return 'unknown';
  return from === to ? one(BigInt(from)) : between(BigInt(from), BigInt(to));
}
