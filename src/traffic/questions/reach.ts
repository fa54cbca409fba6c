/** Who may open connections, and to which ports: what one hook of a ruleset accepts, for every peer. */

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
  unionOf,
} from '../../lib/ranges.js';
import type { Ruleset } from '../../netfilter/model.js';
import type { DecidingRule, TrafficOptions } from '../model.js';
import { type CompiledRuleset, compileRuleset } from '../program/compiled-ruleset.js';
import { domain, FIELDS, type Field, flagBits, PROTOCOL, STATE } from '../program/fields.js';
import { all, any, field, not, notLoopback, type Predicate } from '../program/predicate.js';
import { FALSE, LEAF } from '../space/bdd.js';
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

/** Services (ports of one protocol, or whole protocols), and the peers that may use them. */
export interface ReachEntry {
  /** Protocol-port keys, `protocol * 65536 + port`, inclusive; a protocol without ports has all of its 65536. */
  readonly services: Range;
  /** By rule: the peers it accepts on some interface, if unmodelled matches such as rate limits allow it. */
  readonly by: readonly { readonly rule: DecidingRule | null; readonly peers: Ranges }[];
  /** All of these together: nobody else is accepted. */
  readonly perhaps: Ranges;
  /** Those who are accepted whatever is unknown, on every interface and to every address of the host. */
  readonly surely: Ranges;
}

/** In the order of their services, which are disjoint; what is in none is refused for every peer. */
export type Reach = readonly ReachEntry[];

export type Reached =
  | {
      readonly ok: true;
      readonly value: Reach;
      /** Services for which nat redirects some peer to another host. */
      readonly redirected: Ranges;
    }
  /** A limit ended the proof. */
  | { readonly ok: false; readonly why: string };

/** The protocol-port keys of one protocol. */
export const PORTS = 65536n;

/** Left out: ICMP is no service of a host. */
const ICMP: Ranges = ofValues([PROTOCOL.ICMP, PROTOCOL.ICMPV6]);

/** Every address that can be the other end of a connection. */
export const everyPeer = (family: Family): Ranges => subtract([domain('src', family)], NO_SENDER[family]);

/**
 * The peers whose first packet of a connection is accepted, for every protocol but ICMP: an ordinary client's packet
 * (source port from 1024, SYN alone) to or from an address of the host, on any interface but `lo`. What nat redirects
 * to another host does not reach this one.
 */
export function reachOf(
  ruleset: Ruleset,
  family: Family,
  hook: ReachHook,
  addresses: readonly string[],
  { budget = DEFAULT_BUDGET }: TrafficOptions = {},
): Reached {
  const compiled = compileRuleset(ruleset, family, addresses);
  if (compiled.addresses.length === 0) return { ok: true, value: [], redirected: [] };
  let why = '';
  const value = tryProof(
    () => {
      const packets = firstPackets(compiled, hook);
      const space = createSpace(family, [compiled], [...EVALUATION_PREDICATES, packets], budget);
      return readReach(space, compiled, hook, packets);
    },
    (reason) => {
      why = reason;
    },
  );
  return value === undefined ? { ok: false, why } : { ok: true, ...value };
}

function firstPackets({ family, addresses }: CompiledRuleset, hook: ReachHook): Predicate {
  const [own, peer]: readonly [Field, Field] = hook === 'INPUT' ? ['dst', 'src'] : ['src', 'dst'];
  return all(
    field('state', one(STATE.NEW)),
    notLoopback(hook === 'INPUT' ? 'in' : 'out'),
    field('packetType', one(0n)),
    field('protocol', subtract([domain('protocol', family)], ICMP)),
    field(own, ofValues(addresses)),
    field(peer, everyPeer(family)),
    any(
      not(field('protocol', one(PROTOCOL.TCP)), family),
      all(field('flags', one(flagBits('SYN'))), field('sport', between(1024n, 65535n))),
    ),
    any(field('protocol', one(PROTOCOL.TCP)), field('sport', between(1024n, 65535n))),
  );
}

function readReach(
  space: Space,
  ruleset: CompiledRuleset,
  hook: ReachHook,
  question: Predicate,
): Pick<Extract<Reached, { ok: true }>, 'value' | 'redirected'> {
  const { manager, unknownsFrom } = space;
  const packets = space.encode(question);
  const decisions = withRules(manager);
  const whole = evaluate({ space, ruleset, hook, decisions, relevant: packets, nat: 'unknown' });
  const result = manager.ite(packets, whole, FALSE);
  const accepting = new Map<number, DecidingRule | null>();
  const accepted = assume(
    space,
    manager.where(result, (leaf) => {
      if (leaf === FALSE) return false;
      const { verdict, by } = decisions.decisionOf(leaf);
      if (verdict === 'accept') accepting.set(leaf, by);
      return verdict === 'accept';
    }),
  );
  const peer: Field = hook === 'INPUT' ? 'src' : 'dst';
  const others = FIELDS.filter((name) => name !== 'protocol' && name !== 'dport' && name !== peer);
  const projected = (node: number): number =>
    others.reduce(space.exists, manager.exists(node, unknownsFrom, LEAF));
  const rectanglesOf = (node: number): readonly Rectangle[] =>
    rectangles(space, projected(assume(space, node)), peer);
  // Packets for which nothing unknown leads to a refusal.
  const refused = manager.diff(packets, manager.forAll(accepted, unknownsFrom, LEAF));
  const sure = rectangles(space, manager.diff(projected(packets), projected(refused)), peer);
  const parts = [...accepting].map(([leaf, rule]) => ({
    rule,
    cubes: rectanglesOf(manager.where(result, (each) => each === leaf)),
  }));
  const byNat = manager.where(
    result,
    (leaf) => leaf !== FALSE && decisions.decisionOf(leaf).by?.table === 'nat',
  );
  const redirected = unionOf(rectanglesOf(byNat).map(({ services }) => services));
  return { value: entriesOf(parts, sure), redirected };
}

interface Rectangle {
  readonly services: Ranges;
  readonly peers: Ranges;
}

/** More than any map shows. */
const MOST_CUBES = 100_000;

function rectangles(space: Space, node: number, peer: Field): readonly Rectangle[] {
  const { family } = space;
  return [...enumerateCubes(space, node, MOST_CUBES).cubes.values()].flat().map((cube) => ({
    services: servicesOf(cube),
    peers: cube.get(peer) ?? [domain(peer, family)],
  }));
}

function servicesOf(cube: Cube): Ranges {
  const protocols = cube.get('protocol') ?? [domain('protocol', 'v4')];
  const ports = cube.get('dport');
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
  readonly cubes: readonly Rectangle[];
}

/** The rectangles cut along their services, so that each range of services has its peers once. */
function entriesOf(parts: readonly Part[], sure: readonly Rectangle[]): Reach {
  const edges = new Set<bigint>();
  for (const { services } of [...parts.flatMap(({ cubes }) => cubes), ...sure])
    for (const [from, to] of services) edges.add(from).add(to + 1n);
  const starts = [...edges].sort((a, b) => (a < b ? -1 : 1));
  const bySide = parts.map(({ rule, cubes }) => ({ rule, columns: columnsOf(cubes, starts) }));
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
      perhaps: unionOf(by.map(({ peers }) => peers)),
      surely: sureColumns.get(index) ?? [],
    };
    const last = entries.at(-1);
    if (last !== undefined && last.services[1] + 1n === from && alike(last, entry))
      entries[entries.length - 1] = { ...last, services: [last.services[0], entry.services[1]] };
    else entries.push(entry);
  }
  return entries;
}

/** Index of a range of services → its peers. */
function columnsOf(cubes: readonly Rectangle[], starts: readonly bigint[]): ReadonlyMap<number, Ranges> {
  const indexOf = new Map(starts.map((start, index) => [start, index]));
  const columns = new Map<number, Ranges[]>();
  for (const { services, peers } of cubes)
    for (const [from, to] of services) {
      const end = indexOf.get(to + 1n) ?? 0;
      for (let index = indexOf.get(from) ?? end; index < end; index++) {
        const column = columns.get(index);
        if (column === undefined) columns.set(index, [peers]);
        else column.push(peers);
      }
    }
  return new Map([...columns].map(([index, all]) => [index, unionOf(all)]));
}

const alike = (one: ReachEntry, other: ReachEntry): boolean =>
  one.by.length === other.by.length &&
  one.by.every(
    ({ rule, peers }, index) => rule === other.by[index]?.rule && equalRanges(peers, other.by[index].peers),
  ) &&
  equalRanges(one.surely, other.surely);

/** Whether every port is accepted from or to every peer for sure: the hook filters nothing. */
export const isOpen = (reach: Reach, family: Family): boolean =>
  isEmpty(
    subtract([[0n, 256n * PORTS - 1n]], unionOf([...reach.map(({ services }) => [services]), ICMP_SERVICES])),
  ) && reach.every(({ surely }) => isEmpty(subtract(everyPeer(family), surely)));

/** The services that a {@link Reach} leaves out. */
export const ICMP_SERVICES: Ranges = ICMP.map(([from, to]): Range => [from * PORTS, to * PORTS + PORTS - 1n]);
