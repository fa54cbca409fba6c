/** What a rule asks of a packet, as a tree over fields. */
import type { Family } from '../../lib/family.js';
import { isEmpty, type Ranges, subtract } from '../../lib/ranges.js';
import { domain, type Field } from './fields.js';

export type Predicate =
  | { readonly kind: 'field'; readonly field: Field; readonly ranges: Ranges }
  | { readonly kind: 'all'; readonly of: readonly Predicate[] }
  | { readonly kind: 'any'; readonly of: readonly Predicate[] }
  | { readonly kind: 'not'; readonly of: Predicate }
  /** `(mark & mask) == value`; marks are followed through the rules that set them. */
  | { readonly kind: 'mark'; readonly value: number; readonly mask: number }
  | Unknown;

/** Something that is not modelled: true for some packets and false for others, no one knows which. */
export interface Unknown {
  readonly kind: 'unknown';
  /** The match as iptables writes it, without its negation: `limit --limit 5/min`. */
  readonly text: string;
  /** Depends on the packet alone, so that the same text gives the same answer. */
  readonly pure: boolean;
}

export const ALWAYS: Predicate = { kind: 'all', of: [] };
export const NEVER: Predicate = { kind: 'any', of: [] };

export const field = (name: Field, ranges: Ranges): Predicate =>
  isEmpty(ranges) ? NEVER : { kind: 'field', field: name, ranges };

export const all = (...of: readonly Predicate[]): Predicate => {
  const rest = of.flatMap((each) => (each.kind === 'all' ? each.of : [each]));
  if (rest.includes(NEVER)) return NEVER;
  const [first] = rest;
  return rest.length === 0
    ? ALWAYS
    : rest.length === 1 && first !== undefined
      ? first
      : { kind: 'all', of: rest };
};

export const any = (...of: readonly Predicate[]): Predicate => {
  const rest = of.filter((each) => each !== NEVER);
  if (rest.includes(ALWAYS)) return ALWAYS;
  const [first] = rest;
  return rest.length === 0
    ? NEVER
    : rest.length === 1 && first !== undefined
      ? first
      : { kind: 'any', of: rest };
};

export function not(of: Predicate, family: Family): Predicate {
  if (of === ALWAYS) return NEVER;
  if (of === NEVER) return ALWAYS;
  if (of.kind === 'not') return of.of;
  if (of.kind === 'field') return field(of.field, subtract([domain(of.field, family)], of.ranges));
  return { kind: 'not', of };
}

export const unless = (negated: boolean, of: Predicate, family: Family): Predicate =>
  negated ? not(of, family) : of;

export const pure = (text: string): Unknown => ({ kind: 'unknown', text, pure: true });
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
