/** Packets that nat sends elsewhere: the rest of the question is asked of the packet with its new destination. */

import { parseAddress } from '../../lib/ip.js';
import { has, type Ranges } from '../../lib/ranges.js';
import type { CompiledRule } from '../program/compiled-ruleset.js';
import { LOOPBACK_NETWORK } from '../program/fields.js';
import { pure } from '../program/predicate.js';
import type { Action } from '../program/targets.js';
import { FALSE, TRUE } from './bdd.js';
import type { EvaluationContext } from './context.js';
import type { Space } from './space.js';
import type { Occurrence } from './unknowns.js';

type Sending = Extract<Action, { kind: 'send' }>;

/** More destinations than this are not told apart. */
const MOST_CHOICES = 64;

/** @param rest what becomes of packets behind this table. */
export function redirected(
  scene: EvaluationContext,
  step: CompiledRule,
  action: Sending,
  rest: number,
  name: (occurrence: Occurrence) => string,
): number {
  const { space, hook, nat } = scene;
  const { manager: store } = space;
  const elsewhere = scene.decisions.refuseBy('drop', step, scene.stage);
  const choice = name(action.choice);
  const addresses = addressPieces(scene, action.to.addresses);
  const ports = action.to.ports === undefined ? [undefined] : pieces(space, 'dport', action.to.ports);
  const sent =
    addresses === undefined || addresses.length * ports.length > MOST_CHOICES
      ? anywhere(scene, step, rest, choice)
      : pick(
          space,
          choice,
          addresses.flatMap((address) =>
            ports.map((port) => {
              const there = arrives(scene, address, action.to.addresses === 'own', rest, elsewhere);
              const moved = address === undefined ? there : space.fix(there, 'dst', address);
              return port === undefined ? moved : space.fix(moved, 'dport', port);
            }),
          ),
        );
  return nat === 'unknown' && hook === 'INPUT'
    ? store.ite(space.unknown(`${choice}\narrives`), sent, elsewhere)
    : sent;
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

const LOOPBACK = { v4: '127.0.0.1', v6: '::1' } as const;

function addressPieces(
  { space, hook }: EvaluationContext,
  addresses: Ranges | 'own' | undefined,
): readonly (bigint | undefined)[] | undefined {
  if (addresses === undefined) return [undefined];
  if (addresses !== 'own') return pieces(space, 'dst', addresses);
  const { family } = space;
  if (hook === 'OUTPUT') return [parseAddress(LOOPBACK[family], family)];
  const starts = space.axes.get('dst')?.starts ?? [];
  return starts.length > MOST_CHOICES ? undefined : starts;
}

/** Whether a packet with this destination still passes the hook that was asked about. */
function arrives(
  { space, ruleset: program, hook }: EvaluationContext,
  address: bigint | undefined,
  own: boolean,
  rest: number,
  elsewhere: number,
): number {
  if (hook === 'OUTPUT' || (address === undefined && !own)) return rest;
  const [here, there] = hook === 'INPUT' ? [rest, elsewhere] : [elsewhere, rest];
  if (own || address === undefined) return here;
  const { family } = space;
  if (has(LOOPBACK_NETWORK[family], address) || program.addresses.includes(address)) return here;
  if (program.addresses.length > 0) return there;
  const unknown = pure(`${address} is an address of this host`);
  return space.manager.ite(space.unknown(unknown.text), here, there);
}

/** One of several answers; which of them is an unknown. */
function pick(space: Space, name: string, answers: readonly number[]): number {
  const distinct = [...new Set(answers)];
  const choose = (from: number, to: number, suffix: string): number => {
    if (to - from <= 1) return distinct[from] as number;
    const middle = (from + to) >> 1;
    return space.manager.ite(
      space.unknown(`${name}\n${suffix}`),
      choose(from, middle, `${suffix}0`),
      choose(middle, to, `${suffix}1`),
    );
  };
  // The answers are part of the name: the same choice among other answers is another unknown.
  return choose(0, distinct.length, distinct.join(' '));
}

/** Too many destinations to tell apart: accepted for sure where every one is, perhaps where one is. */
function anywhere(scene: EvaluationContext, step: CompiledRule, rest: number, name: string): number {
  const { space, decisions, stage } = scene;
  const { manager: store } = space;
  const accepted = store.mapLeaves(rest, (leaf) => (decisions.verdictOf(leaf) === 'accept' ? TRUE : FALSE));
  let [every, some] = [accepted, accepted];
  for (const field of ['dst', 'dport'] as const) {
    const axis = space.axes.get(field);
    if (axis === undefined) continue;
    every = store.forAll(every, axis.first, axis.first + axis.width);
    some = store.exists(some, axis.first, axis.first + axis.width);
  }
  const perhaps = store.and(some, space.unknown(`${name}\n${accepted}`));
  const accept =
    stage.table === 'nat' ? decisions.acceptBy(decisions.accepted, step, stage) : decisions.accepted;
  return store.ite(store.or(every, perhaps), accept, decisions.refuseBy('drop', step, stage));
}
