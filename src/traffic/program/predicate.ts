/** What a rule matches, as a tree over the fields of a packet. */
import type { Family } from '../../lib/family.js';
import { isEmpty, one, type Ranges, subtract } from '../../lib/ranges.js';
import { domain, type Field, LOOPBACK } from './fields.js';

export type Predicate =
  | { readonly kind: 'field'; readonly field: Field; readonly ranges: Ranges }
  | { readonly kind: 'all'; readonly of: readonly Predicate[] }
  | { readonly kind: 'any'; readonly of: readonly Predicate[] }
  | { readonly kind: 'not'; readonly of: Predicate }
  /** `(mark & mask) == value`; marks are followed through the rules that set them. */
  | { readonly kind: 'mark'; readonly value: number; readonly mask: number }
  | Unknown;

/** A match that is not modelled: true for some packets and false for others, not known which. */
export interface Unknown {
  readonly kind: 'unknown';
  /** The match as iptables writes it, without its negation: `limit --limit 5/min`. */
  readonly text: string;
  /** Depends on the packet alone, so that the same text gives the same result. */
  readonly pure: boolean;
}

/** Matches every packet. */
export const ALWAYS: Predicate = { kind: 'all', of: [] };
/** Matches no packet. */
export const NEVER: Predicate = { kind: 'any', of: [] };

/** The field has a value in the ranges. */
export const field = (name: Field, ranges: Ranges): Predicate =>
  isEmpty(ranges) ? NEVER : { kind: 'field', field: name, ranges };

/** Packets in or out on any interface but `lo`. */
export const notLoopback = (side: 'in' | 'out'): Predicate =>
  field(side, subtract([domain(side, 'v4')], one(LOOPBACK)));

/** Conjunction, flattened. */
export const all = (...of: readonly Predicate[]): Predicate => {
  const parts = of.flatMap((each) => (each.kind === 'all' ? each.of : [each]));
  if (parts.includes(NEVER)) return NEVER;
  const [first = ALWAYS, second] = parts;
  return second === undefined ? first : { kind: 'all', of: parts };
};

/** Disjunction. */
export const any = (...of: readonly Predicate[]): Predicate => anyOf(of);

/** {@link any} of a list, which may be longer than a call can have arguments. */
export const anyOf = (of: readonly Predicate[]): Predicate => {
  const parts = of.filter((each) => each !== NEVER);
  if (parts.includes(ALWAYS)) return ALWAYS;
  const [first = NEVER, second] = parts;
  return second === undefined ? first : { kind: 'any', of: parts };
};

/** Negation; a negated field becomes the rest of its values. */
export function not(of: Predicate, family: Family): Predicate {
  if (of === ALWAYS) return NEVER;
  if (of === NEVER) return ALWAYS;
  if (of.kind === 'not') return of.of;
  if (of.kind === 'field') return field(of.field, subtract([domain(of.field, family)], of.ranges));
  return { kind: 'not', of };
}

/** The predicate, or its negation where iptables has a `!`. */
export const unless = (negated: boolean, of: Predicate, family: Family): Predicate =>
  negated ? not(of, family) : of;

/** An unmodelled match that depends on the packet alone. */
export const pure = (text: string): Unknown => ({ kind: 'unknown', text, pure: true });
/** An unmodelled match that may differ from one evaluation to the next. */
export const stateful = (text: string): Unknown => ({ kind: 'unknown', text, pure: false });

export type Leaf = Exclude<Predicate, { kind: 'all' | 'any' | 'not' }>;

/** Every leaf of the tree. */
export function leaves(predicate: Predicate): readonly Leaf[] {
  const found: Leaf[] = [];
  gather(predicate, found);
  return found;
}

function gather(predicate: Predicate, found: Leaf[]): void {
  if (predicate.kind === 'not') gather(predicate.of, found);
  else if (predicate.kind === 'all' || predicate.kind === 'any')
    for (const each of predicate.of) gather(each, found);
  else found.push(predicate);
}

/**
 * The value of a predicate whose leaves may be undecided: true, false, or the `leaf` result (of any other type) that
 * first leaves it open.
 */
export function evaluatePredicate<T>(predicate: Predicate, leaf: (leaf: Leaf) => boolean | T): boolean | T {
  switch (predicate.kind) {
    case 'not': {
      const value = evaluatePredicate(predicate.of, leaf);
      return typeof value === 'boolean' ? !value : value;
    }
    case 'all':
    case 'any': {
      const decisive = predicate.kind === 'any';
      let result: boolean | T = !decisive;
      for (const part of predicate.of) {
        const value = evaluatePredicate(part, leaf);
        if (value === decisive) return decisive;
        if (typeof result === 'boolean') result = value;
      }
      return result;
    }
    default:
      return leaf(predicate);
  }
}
