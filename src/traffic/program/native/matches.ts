/** The packets that an nft match or lookup matches. */
import { normalise, ofValues, one, type Range, type Ranges } from '../../../lib/ranges.js';
import type { Json, NftSet } from '../../../netfilter/nftables/model.js';
import { listOf, objectOf } from '../../../netfilter/nftables/read.js';
import { matchText, valueText } from '../../../netfilter/nftables/text.js';
import { addressTypes } from '../address-types.js';
import { domain, flagBits, interfaceNumber, LOOPBACK, STATE } from '../fields.js';
import { ALWAYS, all, any, anyOf, field, NEVER, not, type Predicate, pure, stateful } from '../predicate.js';
import type { NativeContext } from './context.js';
import { bitsOf, type Operand, operandOf } from './operands.js';

/** The predicate of `{"match": {op, left, right}}`. */
export function readNativeMatch(match: Json | undefined, context: NativeContext): Predicate {
  const { op, left, right } = objectOf(match);
  const text = matchText(match);
  const named = setOf(right, context);
  if (named === 'missing') return pure(text);
  if (named?.dynamic === true) return stateful(text);
  const values = named?.elements ?? elementsOf(right);
  const found = lookup(left, values, String(op), named?.name, context);
  return found ?? pure(text);
}

/** The elements of a set in braces, or the one value. */
function elementsOf(right: Json | undefined): readonly Json[] {
  const { set } = objectOf(right);
  return set === undefined ? [right ?? null] : listOf(set);
}

/** The named set that `@name` stands for. */
export function setOf(value: Json | undefined, { native }: NativeContext): NftSet | 'missing' | undefined {
  if (typeof value !== 'string' || !value.startsWith('@')) return undefined;
  return native.sets.get(value.slice(1)) ?? 'missing';
}

/** A comparison of an expression, or of a concatenation of several, with some elements. */
function lookup(
  left: Json | undefined,
  elements: readonly Json[],
  op: string,
  set: string | undefined,
  context: NativeContext,
): Predicate | undefined {
  const operands = operandsOf(left, context);
  const given = all(...operands.map(givenOf));
  const matching = isComparison(op)
    ? comparison(operands, elements, op, context)
    : anyElement(operands, elements, op, set, context);
  if (matching === undefined) return undefined;
  const found = all(given, op === '!=' ? not(matching, context.family) : matching);
  return operands.length === 1 && operands.some((each) => each.kind === 'field' && each.rawPorts)
    ? any(found, all(not(given, context.family), pure(`${valueText(left)} of a protocol without ports`)))
    : found;
}

/** One operand, or those of a concatenation. */
function operandsOf(left: Json | undefined, context: NativeContext): readonly Operand[] {
  const { concat } = objectOf(left);
  return (concat === undefined ? [left ?? null] : listOf(concat)).map((each) => operandOf(each, context));
}

/** Where this is false, nft does not match at all. */
const givenOf = (operand: Operand): Predicate => {
  if (operand.kind === 'constant' && operand.is(null) === undefined) return NEVER;
  return operand.kind === 'field' ? operand.given : ALWAYS;
};

/** The condition that nft puts on packets for which a key can be built, and the packets whose key is the element. */
export function keyPredicate(
  key: Json | undefined,
  element: readonly Json[],
  context: NativeContext,
): Predicate {
  const operands = operandsOf(key, context);
  const matching = anyElement(operands, element, '==', undefined, context);
  const text = `${valueText(key)} ${element.map(valueText).join(', ')}`;
  return matching === undefined ? pure(text) : all(...operands.map(givenOf), matching);
}

const COMPARE: { readonly [op: string]: (range: Range, last: bigint) => Ranges } = {
  '<': ([from]) => (from === 0n ? [] : [[0n, from - 1n]]),
  '<=': ([from]) => [[0n, from]],
  '>': ([, to], last) => (to >= last ? [] : [[to + 1n, last]]),
  '>=': ([, to], last) => [[to, last]],
};

const isComparison = (op: string): boolean => COMPARE[op] !== undefined;

function comparison(
  [operand, second]: readonly Operand[],
  [value = null]: readonly Json[],
  op: string,
  { family }: NativeContext,
): Predicate | undefined {
  if (operand?.kind !== 'field' || operand.mask !== undefined || second !== undefined) return undefined;
  const [range, more] = operand.read(value) ?? [];
  if (range === undefined || more !== undefined) return undefined;
  return field(operand.field, COMPARE[op]?.(range, domain(operand.field, family)[1]) ?? []);
}

/** The packets whose key is one of the elements. */
function anyElement(
  operands: readonly Operand[],
  elements: readonly Json[],
  op: string,
  set: string | undefined,
  context: NativeContext,
): Predicate | undefined {
  if (elements.length === 0) return NEVER;
  const lasting = elements.filter((element) => !hasTimeout(element));
  const expiring = elements.filter(hasTimeout);
  const members = (of: readonly Json[]): Predicate | undefined => {
    const [only, second] = operands;
    return second === undefined && only !== undefined
      ? oneOf(only, of, op, context)
      : concatenations(operands, of, op, context);
  };
  const sure = lasting.length === 0 ? NEVER : members(lasting);
  const perhaps = expiring.length === 0 ? NEVER : members(expiring);
  if (sure === undefined || perhaps === undefined) return undefined;
  // A member with a timeout may be gone by now.
  return any(sure, all(perhaps, pure(`@${set ?? 'set'}: its members have not expired`)));
}

const hasTimeout = (element: Json): boolean => objectOf(objectOf(element).elem).timeout !== undefined;

/** A value without its comment, timeout and the like. */
const memberOf = (element: Json): Json => {
  const { elem } = objectOf(element);
  return elem === undefined ? element : (objectOf(elem).val ?? null);
};

/** One operand compared with several values. */
function oneOf(
  operand: Operand,
  elements: readonly Json[],
  op: string,
  context: NativeContext,
): Predicate | undefined {
  const values = elements.map(memberOf);
  switch (operand.kind) {
    case 'field': {
      if (operand.bits !== undefined) return bitField(operand, operand.bits, values, op, context);
      const ranges = values.map((value) => rangesOf(operand.read, value));
      if (ranges.includes(undefined)) return undefined;
      return field(operand.field, normalise((ranges as Ranges[]).flat()));
    }
    case 'mark': {
      if (!values.every((value) => typeof value === 'number')) return undefined;
      return anyOf(
        values.map((value): Predicate => ({ kind: 'mark', value: Number(value), mask: operand.mask })),
      );
    }
    case 'constant': {
      const answers = values.map(operand.is);
      return answers.includes(true) ? ALWAYS : NEVER;
    }
    case 'addressType': {
      const types = values.map((value) => ADDRESS_TYPES[String(value)]);
      if (types.includes(undefined)) return undefined;
      return addressTypes([{ flag: operand.flag, negated: false, values: [types.join(',')] }], context);
    }
    default:
      return undefined;
  }
}

const ADDRESS_TYPES: { readonly [name: string]: string } = {
  unspec: 'UNSPEC',
  unicast: 'UNICAST',
  local: 'LOCAL',
  broadcast: 'BROADCAST',
  anycast: 'ANYCAST',
  multicast: 'MULTICAST',
  blackhole: 'BLACKHOLE',
  unreachable: 'UNREACHABLE',
  prohibit: 'PROHIBIT',
};

/** A value, or a range of two. */
function rangesOf(read: (value: Json) => Ranges | undefined, value: Json): Ranges | undefined {
  const { range } = objectOf(value);
  if (range === undefined) return read(value);
  const [from, to] = listOf(range).map((end) => read(end)?.[0]);
  return from === undefined || to === undefined ? undefined : [[from[0], to[1]]];
}

type BitOperand = Extract<Operand, { kind: 'field' }>;

/**
 * A state or flags. `in` asks whether any of the bits is set; `==` and `!=` for all bits, but with a list of names, as
 * in `ct state != established,related`, whether any is set.
 */
function bitField(
  { field: name, mask }: BitOperand,
  names: readonly string[],
  values: readonly Json[],
  op: string,
  context: NativeContext,
): Predicate | undefined {
  const wanted = values.map((value) => bitsOf(value, names));
  if (wanted.includes(undefined)) return undefined;
  const isList = op === 'in' || (op === '!=' && values.length === 1 && Array.isArray(values[0]));
  if (op === '!=' && isList && name === 'flags') return undefined;
  const holds = (bits: number): boolean =>
    (wanted as number[]).some((each) =>
      isList ? (bits & (mask ?? -1) & each) !== 0 : (bits & (mask ?? -1)) === each,
    );
  if (name === 'flags') {
    // The model has no ECE and CWR: a comparison of the whole byte with them is never true of its packets.
    const matching = Array.from({ length: Number(flagBits('ALL')) + 1 }, (_, bits) => bits).filter(holds);
    return field('flags', ofValues(matching.map(BigInt)));
  }
  const states = names.flatMap((_, index) => (holds(1 << index) ? [BigInt(index)] : []));
  const matching = field('state', ofValues(states));
  return context.untracked ? beforeTracking(states, context) : matching;
}

/** Before connection tracking a packet is INVALID, unless an earlier rule made it UNTRACKED, or it came over `lo`. */
function beforeTracking(states: readonly bigint[], { family }: Pick<NativeContext, 'family'>): Predicate {
  const loopback = field('in', one(LOOPBACK));
  const untracked = field('state', one(STATE.UNTRACKED));
  return any(
    all(loopback, field('state', ofValues(states))),
    all(
      not(loopback, family),
      any(
        states.includes(STATE.UNTRACKED) ? untracked : NEVER,
        states.includes(STATE.INVALID) ? not(untracked, family) : NEVER,
      ),
    ),
  );
}

/** Elements of concatenations, joined where they differ in one component alone. */
function concatenations(
  operands: readonly Operand[],
  elements: readonly Json[],
  op: string,
  context: NativeContext,
): Predicate | undefined {
  const rows = elements.map((element) => listOf(objectOf(memberOf(element)).concat));
  if (rows.some((row) => row.length !== operands.length)) return undefined;
  const joined = widest(operands, rows);
  const groups = new Map<string, { readonly row: readonly Json[]; readonly values: Json[] }>();
  for (const row of rows) {
    const key = JSON.stringify(row.toSpliced(joined, 1));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { row, values: [row[joined] as Json] });
    else group.values.push(row[joined] as Json);
  }
  const parts: Predicate[] = [];
  for (const { row, values } of groups.values()) {
    const components = operands.map((operand, index) =>
      oneOf(operand, index === joined ? values : [row[index] as Json], op === '!=' ? '==' : op, context),
    );
    if (components.includes(undefined)) return undefined;
    parts.push(all(...(components as Predicate[])));
  }
  return anyOf(parts);
}

/** The component with the most values. */
function widest(operands: readonly Operand[], rows: readonly (readonly Json[])[]): number {
  const counts = operands.map((_, index) => new Set(rows.map((row) => JSON.stringify(row[index]))).size);
  return counts.indexOf(Math.max(...counts));
}

/** Packets that come in, or go out, by one of the devices. */
export const onDevices = (side: 'in' | 'out', devices: readonly string[]): Predicate =>
  field(side, ofValues(devices.map(interfaceNumber)));
