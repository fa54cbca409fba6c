/** What the readers of rules, translations and guards share. */
import type { Problem, SourceLocation } from '../../lib/problem.js';
import { ANY } from '../addresses.js';
import type { Source } from '../files/yaml.js';
import type { AddressSet, NatRule, PolicyRule } from '../fleet.js';
import type { AddressResolver } from './networks.js';
import { nameRefs } from './refs.js';
import type { ServiceResolver } from './services.js';

/** The resolvers, and the file that the rules are in. */
export interface RuleContext {
  readonly source: Source;
  /** Name of the role or host. */
  readonly origin: string;
  readonly addresses: AddressResolver;
  readonly services: ServiceResolver;
  readonly problems: Problem[];
}

/** A rule whose `in` and `out` are still names in the policy; each host maps them to its own interfaces. */
export interface Unbound<Rule extends PolicyRule | NatRule> {
  readonly rule: Rule;
  readonly inLocation: SourceLocation;
  readonly outLocation: SourceLocation;
}

/** The addresses under a key; any when it is absent, `undefined` when a name is invalid. */
export function addressesUnder<Key extends string>(
  container: { readonly [key in Key]?: string | readonly string[] },
  key: Key,
  { source, addresses }: RuleContext,
): AddressSet | undefined {
  const value = container[key];
  return value === undefined ? ANY : addresses.resolve(nameRefs(source, container, key, value));
}
