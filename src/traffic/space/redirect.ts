/** Packets that nat redirects: the result behind the table, for the packet with its new destination. */

import { has, type Ranges } from '../../lib/ranges.js';
import type { CompiledRule } from '../program/compiled-ruleset.js';
import { domain, type Field, LOOPBACK_ADDRESS, LOOPBACK_NETWORK } from '../program/fields.js';
import { field } from '../program/predicate.js';
import type { Action } from '../program/targets.js';
import { TRUE } from './bdd.js';
import type { EvaluationContext } from './context.js';
import type { Space } from './space.js';
import type { Occurrence } from './unknowns.js';

/** With more possible destinations than this, the verdict is computed for all destinations at once. */
const MOST_CHOICES = 64;

/** The result for packets that a rule of the nat table redirects. @param rest the result behind the table */
export function redirected(
  context: EvaluationContext,
  rule: CompiledRule,
  { to, choice }: Extract<Action, { kind: 'dnat' }>,
  rest: number,
  nameOf: (occurrence: Occurrence) => string,
): number {
  const { space, hook, nat } = context;
  const elsewhere = context.decisions.refuseBy('drop', rule, context.stage);
  // What the host redirects to itself is not forwarded.
  if (to.addresses === 'own' && hook === 'FORWARD') return elsewhere;
  const name = nameOf(choice);
  const addresses = possibleAddresses(context, to.addresses);
  const ports = to.ports === undefined ? [undefined] : pieces(space, 'dport', to.ports);
  const sent =
    addresses === undefined || addresses.length * ports.length > MOST_CHOICES
      ? anyDestination(context, rule, rest, name, ports)
      : choose(
          space,
          name,
          addresses.flatMap((address) =>
            ports.map((port) => {
              const result = atDestination(context, address, to.addresses === 'own', rest, elsewhere);
              const moved = address === undefined ? result : space.fix(result, 'dst', address);
              const all = port === undefined ? moved : space.fix(moved, 'dport', port);
              return marked(space, all, address, port, name);
            }),
          ),
        );
  return nat === 'unknown' && hook === 'INPUT'
    ? space.manager.ite(space.unknown(`${name}\narrives`), sent, elsewhere)
    : sent;
}

/** The connection is DNAT unless it had that destination already; which of a piece is not known (nf_nat_core.c). */
function marked(
  space: Space,
  node: number,
  address: bigint | undefined,
  port: bigint | undefined,
  name: string,
): number {
  const { manager } = space;
  const [unchanged, changed] = [0n, 1n].map((value) => space.fix(node, 'translated', value)) as [
    number,
    number,
  ];
  if (unchanged === changed) return changed;
  const same = manager.and(pieceWith(space, 'dst', address), pieceWith(space, 'dport', port));
  return manager.ite(same, manager.ite(space.unknown(`${name}\nunchanged`), unchanged, changed), changed);
}

/** The packets in the same piece of the field as the value. */
function pieceWith(space: Space, name: 'dst' | 'dport', value: bigint | undefined): number {
  if (value === undefined) return TRUE;
  const starts = space.axes.get(name)?.starts ?? [];
  const piece = space.pieceOf(name, value);
  const [, last] = domain(name, space.family);
  return space.encode(field(name, [[starts[piece] ?? 0n, (starts[piece + 1] ?? last + 1n) - 1n]]));
}

/** One value of each piece that the ranges touch. */
function pieces(space: Space, field: 'dst' | 'dport', ranges: Ranges): readonly bigint[] {
  const starts = space.axes.get(field)?.starts ?? [];
  return ranges.flatMap(([from, to]) => {
    const first = space.pieceOf(field, from);
    const last = space.pieceOf(field, to);
    return [from, ...starts.slice(first + 1, last + 1)];
  });
}

function possibleAddresses(
  { space, hook }: EvaluationContext,
  addresses: Ranges | 'own' | undefined,
): readonly (bigint | undefined)[] | undefined {
  if (addresses === undefined) return [undefined];
  if (addresses !== 'own') return pieces(space, 'dst', addresses);
  if (hook === 'OUTPUT') return [LOOPBACK_ADDRESS[space.family]];
  const starts = space.axes.get('dst')?.starts ?? [];
  return starts.length > MOST_CHOICES ? undefined : starts;
}

/** Whether a packet with this destination still passes the hook in question. */
function atDestination(
  { space, ruleset, hook }: EvaluationContext,
  address: bigint | undefined,
  own: boolean,
  rest: number,
  elsewhere: number,
): number {
  if (hook === 'OUTPUT' || (address === undefined && !own)) return rest;
  const [local, remote] = hook === 'INPUT' ? [rest, elsewhere] : [elsewhere, rest];
  if (own || address === undefined) return local;
  if (has(LOOPBACK_NETWORK[space.family], address) || ruleset.addresses.includes(address)) return local;
  if (ruleset.addresses.length > 0) return remote;
  return space.manager.ite(space.unknown(`${address} is an address of this host`), local, remote);
}

/** One of several results; which one is unknown. */
function choose(space: Space, name: string, results: readonly number[]): number {
  const distinct = [...new Set(results)];
  const visit = (from: number, to: number, suffix: string): number => {
    if (to - from <= 1) return distinct[from] as number;
    const middle = (from + to) >> 1;
    return space.manager.ite(
      space.unknown(`${name}\n${suffix}`),
      visit(from, middle, `${suffix}0`),
      visit(middle, to, `${suffix}1`),
    );
  };
  // The results are part of the name: the same choice among other results is another unknown.
  return visit(0, distinct.length, distinct.join(' '));
}

/** Too many destinations: accepted for sure where all of them are, possibly where one is. */
function anyDestination(
  context: EvaluationContext,
  rule: CompiledRule,
  rest: number,
  name: string,
  ports: readonly (bigint | undefined)[],
): number {
  const { space, decisions, stage } = context;
  const { manager } = space;
  const [port, another] = ports;
  const atPort = port === undefined || another !== undefined ? rest : space.fix(rest, 'dport', port);
  const accepted = decisions.where(atPort, 'accept');
  const open: readonly Field[] = ['dst', ...(another === undefined ? [] : ['dport' as const]), 'translated'];
  const every = open.reduce(space.forAll, accepted);
  const some = open.reduce(space.exists, accepted);
  const possibly = manager.and(some, space.unknown(`${name}\n${accepted}`));
  const accept = stage.nat ? decisions.acceptBy(decisions.accepted, rule, stage) : decisions.accepted;
  return manager.ite(manager.or(every, possibly), accept, decisions.refuseBy('drop', rule, stage));
}
