/** Accepting rules that are wider than their reader may think, by the threshold of the policy's own lint. */

import type { Family } from '../../lib/family.js';
import { has, intersect, isEmpty, type Ranges, sizeOf, subtract } from '../../lib/ranges.js';
import { grouped } from '../../lib/text.js';
import { ALL_PORTS, isWide, portsText } from '../../policy/lint/width.js';
import {
  type CompiledChain,
  type CompiledRule,
  type CompiledRuleset,
  calledChain,
  chainOf,
} from '../program/compiled-ruleset.js';
import { domain, type Field, flagBits, LOOPBACK, STATE, WITH_PORTS } from '../program/fields.js';
import type { Predicate } from '../program/predicate.js';
import { OverBudget } from '../space/bdd.js';
import { NO_SENDER } from './lockout.js';

/**
 * The values of each field that a rule and the jumps to it restrict; `unclear` where that is not a conjunction of fields,
 * or depends on an unmodelled match.
 */
type Restriction = ReadonlyMap<Field, Ranges> | 'unclear';

/** The most rules that are visited, each as often as there are call paths to it. */
const MOST_VISITS = 100_000;
/** The most nested calls; a chain that calls itself has no end. */
const MOST_DEEP = 64;

/**
 * Each such rule with what it accepts, as text: `every port from 16,777,216 addresses`. Rules for established
 * connections, for `lo`, for addresses that are not the host's and for what leaves the host are not among them.
 * @throws OverBudget
 */
export function wideRules(ruleset: CompiledRuleset): ReadonlyMap<CompiledRule, string> {
  const found = new Map<CompiledRule, string>();
  let left = MOST_VISITS;
  const visit = (chain: CompiledChain, outer: Restriction, depth: number): void => {
    for (const rule of chain.rules) {
      const { action } = rule;
      if (--left < 0 || depth > MOST_DEEP)
        throw new OverBudget('There are too many paths through the chains.');
      if (action.kind !== 'accept' && action.kind !== 'call') continue;
      const restriction = restrict(outer, rule.match);
      if (restriction === 'unclear' || [...restriction.values()].some(isEmpty)) continue;
      const inner = calledChain(ruleset, rule);
      if (inner !== undefined) visit(inner, restriction, depth + 1);
      const width = action.kind === 'accept' ? widthOf(restriction, ruleset.family) : undefined;
      if (width !== undefined) found.set(rule, width);
    }
  };
  for (const hook of ['INPUT', 'FORWARD'] as const) {
    const chain = chainOf(ruleset, 'filter', hook);
    if (chain !== undefined) visit(chain, new Map(), 0);
  }
  return found;
}

function restrict(outer: Restriction, match: Predicate): Restriction {
  if (outer === 'unclear') return outer;
  switch (match.kind) {
    case 'field': {
      const known = outer.get(match.field);
      const ranges = known === undefined ? match.ranges : intersect(known, match.ranges);
      return new Map([...outer, [match.field, ranges]]);
    }
    case 'all':
      return match.of.reduce(restrict, outer);
    case 'unknown':
      // A rate makes no rule narrower.
      return /^(hash)?limit /.test(match.text) ? outer : 'unclear';
    default:
      return 'unclear';
  }
}

/** Fields that do not count for the width. */
const WITHOUT_WIDTH: ReadonlySet<Field> = new Set<Field>(['sport', 'out', 'type', 'code']);
/** The values of a packet that opens a connection. */
const OPENING: ReadonlyMap<Field, bigint> = new Map<Field, bigint>([
  ['state', STATE.NEW],
  ['flags', flagBits('SYN')],
  ['packetType', 0n],
]);

function widthOf(restriction: ReadonlyMap<Field, Ranges>, family: Family): string | undefined {
  for (const [field, ranges] of restriction) {
    const opening = OPENING.get(field);
    if (opening !== undefined && !has(ranges, opening)) return undefined;
    if (opening === undefined && !WITHOUT_WIDTH.has(field) && !MEASURED.has(field)) return undefined;
  }
  if (isEmpty(subtract(restriction.get('in') ?? [domain('in', family)], [[LOOPBACK, LOOPBACK]])))
    return undefined;
  if (isEmpty(subtract(restriction.get('dst') ?? [domain('dst', family)], NO_SENDER[family])))
    return undefined;
  const sources = restriction.get('src') ?? [domain('src', family)];
  const ports = portsOf(restriction);
  // For IPv6 the networks of one link count, as in the policy.
  const [size, what] =
    family === 'v4' ? [sizeOf(sources), 'addresses'] : [sizeOf(sources) >> 64n, '/64 networks'];
  if (!isWide(Math.max(1, Number(size)), ports)) return undefined;
  const everyone = isEmpty(subtract([domain('src', family)], sources));
  return `${portsText(ports)} from ${everyone ? 'every address' : `${grouped(size)} ${what}`}`;
}

const MEASURED: ReadonlySet<Field> = new Set<Field>(['in', 'protocol', 'src', 'dst', 'dport']);

/** How many ports; a protocol without ports counts as one. */
function portsOf(restriction: ReadonlyMap<Field, Ranges>): number {
  const protocols = restriction.get('protocol');
  const ported = protocols === undefined || WITH_PORTS.some((number) => has(protocols, number));
  if (!ported) return 1;
  const ports = restriction.get('dport');
  return ports === undefined ? ALL_PORTS : Number(sizeOf(ports));
}
