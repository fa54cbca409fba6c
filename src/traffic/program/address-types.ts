/** `-m addrtype`: the type that the routing table gives an address, as far as it follows from the address alone. */

import type { Family } from '../../lib/family.js';
import { networkRanges } from '../../lib/ip.js';
import { type Ranges, subtract, union, unionOf } from '../../lib/ranges.js';
import type { Option } from '../../netfilter/model.js';
import { domain, LOOPBACK_NETWORK } from './fields.js';
import type { MatchContext } from './match-context.js';
import { all, any, field, type Predicate, pure, unless } from './predicate.js';

const networks = (family: Family, ...texts: readonly string[]): Ranges =>
  unionOf(texts.map((text) => networkRanges(text, family) ?? []));

/** RFC 5771 and RFC 4291. */
const MULTICAST: { readonly [family in Family]: Ranges } = {
  v4: networks('v4', '224.0.0.0/4'),
  v6: networks('v6', 'ff00::/8'),
};
const LIMITED_BROADCAST: { readonly [family in Family]: Ranges } = {
  v4: networks('v4', '255.255.255.255'),
  v6: [],
};

/**
 * Addresses whose type is certain. A host has more addresses than the known ones (those of bridges, broadcasts of its
 * networks), so all others may have any type.
 */
function certain(family: Family, addresses: Ranges): Readonly<Record<string, Ranges>> {
  return {
    LOCAL: union(addresses, LOOPBACK_NETWORK[family]),
    MULTICAST: MULTICAST[family],
    BROADCAST: LIMITED_BROADCAST[family],
  };
}

/** The predicate of an addrtype match; `undefined` where it depends on an interface. */
export function addressTypes(options: readonly Option[], context: MatchContext): Predicate | undefined {
  if (options.some((each) => each.flag.startsWith('--limit-iface'))) return undefined;
  return all(...options.map((option) => addressType(option, context)));
}

function addressType({ flag, values: [text = ''], negated }: Option, context: MatchContext): Predicate {
  const { family } = context;
  const name = flag === '--src-type' ? 'src' : 'dst';
  const types = certain(family, context.addresses);
  const wanted = text.split(',');
  const matching = unionOf(wanted.map((type) => types[type] ?? []));
  const known = unionOf(Object.values(types));
  const others = subtract([domain(name, family)], known);
  const unknown = pure(`addrtype ${flag} ${text}`);
  return unless(negated, any(field(name, matching), all(field(name, others), unknown)), family);
}
