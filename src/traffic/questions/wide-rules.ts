/** Accepting rules that are wider than their reader may think, by the threshold of the policy's own lint. */
import type { Family } from '../../lib/family.js';
import { has, intersect, isEmpty, type Ranges, sizeOf, subtract } from '../../lib/ranges.js';
import { ALL_PORTS, isWide, portsText } from '../../policy/lint/width.js';
import {
  type CompiledChain,
  type CompiledRule,
  type CompiledRuleset,
  chainKey,
} from '../program/compiled-ruleset.js';
import { domain, type Field, flagBits, LOOPBACK, WITH_PORTS } from '../program/fields.js';
import type { Predicate } from '../program/predicate.js';
import { OverBudget } from '../space/bdd.js';
import { NO_SENDER } from './lockout.js';

/**
 * What a rule takes of each field that it or a jump to it asks for; `unclear` where that is no box of fields, or hangs
 * on what is not modelled.
 */
type Box = ReadonlyMap<Field, Ranges> | 'unclear';

/** Rules that are looked at, each as often as there are ways to it. */
const MOST_VISITS = 100_000;
/** Chains behind chains; a chain that leads back to itself has no end. */
const MOST_DEEP = 64;

/**
 * Each such rule with what it accepts in words: `every port from 16,777,216 addresses`. Rules for standing connections,
 * for `lo` and for what no host is reached by are none, nor is what leaves the host.
 * @throws OverBudget
 */
export function wideRules(program: CompiledRuleset): ReadonlyMap<CompiledRule, string> {
  const found = new Map<CompiledRule, string>();
  let left = MOST_VISITS;
  const visit = (routine: CompiledChain, under: Box, depth: number): void => {
    for (const step of routine.rules) {
      const { action } = step;
      if (--left < 0 || depth > MOST_DEEP)
        throw new OverBudget('More ways lead through the chains than can be followed.');
      if (action.kind !== 'accept' && action.kind !== 'call') continue;
      const box = narrow(under, step.match);
      if (box === 'unclear' || [...box.values()].some(isEmpty)) continue;
      if (action.kind === 'call') {
        const inner = program.chains.get(chainKey(step.table, action.chain));
        if (inner !== undefined) visit(inner, box, depth + 1);
        continue;
      }
      const width = widthOf(box, program.family);
      if (width !== undefined) found.set(step, width);
    }
  };
  for (const hook of ['INPUT', 'FORWARD'] as const) {
    const routine = program.chains.get(chainKey('filter', hook));
    if (routine !== undefined) visit(routine, new Map(), 0);
  }
  return found;
}

function narrow(box: Box, asked: Predicate): Box {
  if (box === 'unclear') return box;
  switch (asked.kind) {
    case 'field': {
      const known = box.get(asked.field);
      const ranges = known === undefined ? asked.ranges : intersect(known, asked.ranges);
      return new Map([...box, [asked.field, ranges]]);
    }
    case 'all':
      return asked.of.reduce(narrow, box);
    case 'unknown':
      // A pace makes nothing narrower.
      return /^(hash)?limit /.test(asked.text) ? box : 'unclear';
    default:
      return 'unclear';
  }
}

/** Fields that the width does not hang on, and those that tell a first packet from others. */
const WITHOUT_WIDTH: ReadonlySet<Field> = new Set<Field>(['sport', 'out', 'type', 'code']);
const BEGINS: ReadonlyMap<Field, bigint> = new Map<Field, bigint>([
  ['state', 0n],
  ['flags', flagBits('SYN')],
  ['packetType', 0n],
]);

function widthOf(box: ReadonlyMap<Field, Ranges>, family: Family): string | undefined {
  for (const [field, ranges] of box) {
    const begins = BEGINS.get(field);
    if (begins !== undefined && !has(ranges, begins)) return undefined;
    if (begins === undefined && !WITHOUT_WIDTH.has(field) && !MEASURED.has(field)) return undefined;
  }
  if (isEmpty(subtract(box.get('in') ?? [domain('in', family)], [[LOOPBACK, LOOPBACK]]))) return undefined;
  if (isEmpty(subtract(box.get('dst') ?? [domain('dst', family)], NO_SENDER[family]))) return undefined;
  const sources = box.get('src') ?? [domain('src', family)];
  const ports = portsOf(box);
  // Of IPv6 the networks of one link count, as in the policy.
  const [size, what] =
    family === 'v4' ? [sizeOf(sources), 'addresses'] : [sizeOf(sources) >> 64n, '/64 networks'];
  if (!isWide(Math.max(1, Number(size)), ports)) return undefined;
  const everyone = isEmpty(subtract([domain('src', family)], sources));
  return `${portsText(ports)} from ${everyone ? 'every address' : `${size.toLocaleString('en-US')} ${what}`}`;
}

const MEASURED: ReadonlySet<Field> = new Set<Field>(['in', 'protocol', 'src', 'dst', 'dport']);

/** Protocols without ports are one thing each. */
function portsOf(box: ReadonlyMap<Field, Ranges>): number {
  const protocols = box.get('protocol');
  const ported = protocols === undefined || WITH_PORTS.some((number) => has(protocols, number));
  if (!ported) return 1;
  const ports = box.get('dport');
  return ports === undefined ? ALL_PORTS : Number(sizeOf(ports));
}
