/** Who may begin connections, and with which ports: what one hook of a ruleset lets through, read off for every peer. */

import type { Family } from '../../lib/family.js';
import {
  between,
  equalRanges,
  isEmpty,
  normalise,
  ofValues,
  one,
  type Range,
  type Ranges,
  subtract,
  union,
} from '../../lib/ranges.js';
import type { Ruleset } from '../../netfilter/model.js';
import type { DecidingRule, TrafficOptions } from '../model.js';
import { type CompiledRuleset, compileRuleset } from '../program/compiled-ruleset.js';
import { domain, type Field, flagBits, LOOPBACK } from '../program/fields.js';
import { all, any, field, not, type Predicate } from '../program/predicate.js';
import { FALSE, LEAF, TRUE } from '../space/bdd.js';
import { type Cube, enumerateCubes } from '../space/cubes.js';
import { withRules } from '../space/decisions.js';
import { EVALUATION_PREDICATES, evaluate } from '../space/evaluate.js';
import { tryProof } from '../space/proof-limits.js';
import { createSpace, type Space } from '../space/space.js';
import { DEFAULT_BUDGET } from './compare.js';
import { NO_SENDER } from './lockout.js';
import { assume } from './prove.js';

/** INPUT: peers that reach the host; OUTPUT: peers that the host reaches. */
export type ReachHook = 'INPUT' | 'OUTPUT';

/** Services as protocol-port keys, and the peers between whom and the host they are let through. */
export interface ReachEntry {
  /** From one key to another, both included; a protocol without ports has all of its 65536 keys. */
  readonly services: Range;
  /** Peers that some rule accepts on some interface, if unmodelled matches such as rate limits allow it, by that rule. */
  readonly by: readonly { readonly rule: DecidingRule | null; readonly peers: Ranges }[];
  /** All of these together: nobody else gets through. */
  readonly perhaps: Ranges;
  /** Those who get through whatever is not known, on every interface and to every address of the host. */
  readonly surely: Ranges;
}

/** In the order of their keys, which are disjoint; what is in none is refused for every peer. */
export type Reach = readonly ReachEntry[];

export type Reached =
  | {
      readonly ok: true;
      readonly value: Reach;
      /** Keys on which nat sends some peer to another host. */
      readonly redirected: Ranges;
    }
  /** The proof was given up. */
  | { readonly ok: false; readonly why: string };

/** A protocol-port key is `protocol * PORTS + port`. */
export const PORTS = 65536n;

/** ICMP is how a network works, not whom it serves. */
const ICMP: Ranges = ofValues([1n, 58n]);

/** Every address that can be the other end of a connection. */
export const everyPeer = (family: Family): Ranges => subtract([domain('src', family)], NO_SENDER[family]);

/**
 * What becomes of the first packet of a connection, of every protocol but ICMP, between the host and every peer: an
 * ordinary client's packet (source port from 1024, SYN alone) to or from an address of the host, on any interface but
 * `lo`. What nat sends on to another host does not reach this one.
 */
export function reachOf(
  ruleset: Ruleset,
  family: Family,
  hook: ReachHook,
  addresses: readonly string[],
  { budget = DEFAULT_BUDGET }: TrafficOptions = {},
): Reached {
  const program = compileRuleset(ruleset, family, addresses);
  if (program.addresses.length === 0) return { ok: true, value: [], redirected: [] };
  let why = '';
  const value = tryProof(
    () => {
      const packets = firstPackets(program, hook);
      const space = createSpace(family, [program], [...EVALUATION_PREDICATES, packets], budget);
      return readReach(space, program, hook, packets);
    },
    (reason) => {
      why = reason;
    },
  );
  return value === undefined ? { ok: false, why } : { ok: true, ...value };
}

function firstPackets({ family, addresses }: CompiledRuleset, hook: ReachHook): Predicate {
  const [own, peer, device]: readonly [Field, Field, Field] =
    hook === 'INPUT' ? ['dst', 'src', 'in'] : ['src', 'dst', 'out'];
  return all(
    field('state', one(0n)),
    field(device, subtract([domain(device, family)], one(LOOPBACK))),
    field('packetType', one(0n)),
    field('protocol', subtract([domain('protocol', family)], ICMP)),
    field(own, ofValues(addresses)),
    field(peer, everyPeer(family)),
    any(
      not(field('protocol', one(6n)), family),
      all(field('flags', one(flagBits('SYN'))), field('sport', between(1024n, 65535n))),
    ),
    any(field('protocol', one(6n)), field('sport', between(1024n, 65535n))),
  );
}

function readReach(
  space: Space,
  program: CompiledRuleset,
  hook: ReachHook,
  question: Predicate,
): Pick<Extract<Reached, { ok: true }>, 'value' | 'redirected'> {
  const { manager: store, unknownsFrom } = space;
  const packets = space.encode(question, space.nameOf);
  const decisions = withRules(store);
  const whole = evaluate({ space, ruleset: program, hook, decisions, relevant: packets, nat: 'unknown' });
  const result = store.ite(packets, whole, FALSE);
  const accepting = new Map<number, DecidingRule | null>();
  const accepted = assume(
    space,
    store.mapLeaves(result, (leaf) => {
      if (leaf === FALSE) return FALSE;
      const { verdict, by } = decisions.decisionOf(leaf);
      if (verdict !== 'accept') return FALSE;
      accepting.set(leaf, by);
      return TRUE;
    }),
    [],
  );
  const peer: Field = hook === 'INPUT' ? 'src' : 'dst';
  const isKept = (name: Field): boolean => name === 'protocol' || name === 'dport' || name === peer;
  const others = [...space.axes.values()].filter((axis) => !isKept(axis.field) && axis.width > 0);
  const some = (node: number): number =>
    others.reduce(
      (sum, { first, width }) => store.exists(sum, first, first + width),
      store.exists(node, unknownsFrom, LEAF),
    );
  const possible = some(packets);
  // Refused in no way: a packet that is not in question cannot be refused.
  const refused = store.diff(packets, store.forAll(accepted, unknownsFrom, LEAF));
  const sure = rectangles(space, store.diff(possible, some(refused)), peer);
  const parts = [...accepting].map(([leaf, rule]) => {
    const own = store.mapLeaves(result, (each) => (each === leaf ? TRUE : FALSE));
    return { rule, boxes: rectangles(space, some(assume(space, own, [])), peer) };
  });
  const sent = store.mapLeaves(result, (leaf) =>
    leaf !== FALSE && decisions.decisionOf(leaf).by?.table === 'nat' ? TRUE : FALSE,
  );
  const redirected = rectangles(space, some(assume(space, sent, [])), peer).map(({ services }) => services);
  return { value: entriesOf(parts, sure), redirected: union(...redirected) };
}

interface Rectangle {
  readonly services: Ranges;
  readonly peers: Ranges;
}

/** More than any list that is read to its end. */
const MOST_BOXES = 100_000;

function rectangles(space: Space, node: number, peer: Field): readonly Rectangle[] {
  const { family } = space;
  return [...enumerateCubes(space, node, MOST_BOXES).cubes.values()].flat().map((box) => ({
    services: servicesOf(box),
    peers: box.get(peer) ?? [domain(peer, family)],
  }));
}

function servicesOf(box: Cube): Ranges {
  const protocols = box.get('protocol') ?? [domain('protocol', 'v4')];
  const ports = box.get('dport');
  return normalise(
    protocols.flatMap(([from, to]): readonly Range[] =>
      ports === undefined
        ? [[from * PORTS, to * PORTS + PORTS - 1n]]
        : Array.from({ length: Number(to - from) + 1 }, (_, index) => (from + BigInt(index)) * PORTS).flatMap(
            (base) => ports.map(([low, high]): Range => [base + low, base + high]),
          ),
    ),
  );
}

interface Part {
  readonly rule: DecidingRule | null;
  readonly boxes: readonly Rectangle[];
}

/** The rectangles cut along their services, so that each of these has its peers once. */
function entriesOf(parts: readonly Part[], sure: readonly Rectangle[]): Reach {
  const edges = new Set<bigint>();
  for (const { services } of [...parts.flatMap(({ boxes }) => boxes), ...sure])
    for (const [from, to] of services) edges.add(from).add(to + 1n);
  const starts = [...edges].sort((a, b) => (a < b ? -1 : 1));
  const bySide = parts.map(({ rule, boxes }) => ({ rule, columns: columnsOf(boxes, starts) }));
  const sureColumns = columnsOf(sure, starts);
  const entries: ReachEntry[] = [];
  for (const [index, from] of starts.entries()) {
    const next = starts[index + 1];
    if (next === undefined) break;
    const by = bySide.flatMap(({ rule, columns }) => {
      const peers = columns.get(index);
      return peers === undefined ? [] : [{ rule, peers }];
    });
    if (by.length === 0) continue;
    const entry: ReachEntry = {
      services: [from, next - 1n],
      by,
      perhaps: union(...by.map(({ peers }) => peers)),
      surely: sureColumns.get(index) ?? [],
    };
    const last = entries.at(-1);
    if (last !== undefined && last.services[1] + 1n === from && alike(last, entry))
      entries[entries.length - 1] = { ...last, services: [last.services[0], entry.services[1]] };
    else entries.push(entry);
  }
  return entries;
}

/** Index of a range of keys → the peers there. */
function columnsOf(boxes: readonly Rectangle[], starts: readonly bigint[]): ReadonlyMap<number, Ranges> {
  const indexOf = new Map(starts.map((start, index) => [start, index]));
  const columns = new Map<number, Ranges[]>();
  for (const { services, peers } of boxes)
    for (const [from, to] of services) {
      const end = indexOf.get(to + 1n) ?? 0;
      for (let index = indexOf.get(from) ?? end; index < end; index++) {
        const column = columns.get(index);
        if (column === undefined) columns.set(index, [peers]);
        else column.push(peers);
      }
    }
  return new Map([...columns].map(([index, all]) => [index, union(...all)]));
}

const alike = (one: ReachEntry, other: ReachEntry): boolean =>
  one.by.length === other.by.length &&
  one.by.every(
    ({ rule, peers }, index) => rule === other.by[index]?.rule && equalRanges(peers, other.by[index].peers),
  ) &&
  equalRanges(one.surely, other.surely);

/** Ports that are let through for every peer in every way, and all of them: the hook filters nothing. */
export const isOpen = (reach: Reach, family: Family): boolean =>
  isEmpty(
    subtract([[0n, 256n * PORTS - 1n]], union(...reach.map(({ services }) => [services]), ICMP_SERVICES)),
  ) && reach.every(({ surely }) => isEmpty(subtract(everyPeer(family), surely)));

/** The keys that no reach says anything about. */
export const ICMP_SERVICES: Ranges = ICMP.map(([from, to]): Range => [from * PORTS, to * PORTS + PORTS - 1n]);
