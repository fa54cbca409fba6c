/**
 * The verdict on one packet, and why. The trace shares no code path with the diagrams of the traffic diff, so that each
 * can be tested against the other.
 */

import type { Family } from '../../lib/family.js';
import type { Ruleset } from '../../netfilter/model.js';
import type { Explanation, Packet, TrafficOptions } from '../model.js';
import { type CompiledRuleset, compileRuleset, FRAGMENT } from '../program/compiled-ruleset.js';
import type { Field } from '../program/fields.js';
import { type Stage, stagesOf } from '../program/pipeline.js';
import { familyOf, packetValues } from './packet.js';
import { distinct, type Ending, MOST_BRANCHES, type PacketState, type Trace } from './packet-state.js';
import { enterConntrack, traceTable } from './trace.js';

/** What the ruleset does with one packet, which rule decided, and what the answer assumes. */
export function explainPacket(ruleset: Ruleset, packet: Packet, options: TrafficOptions = {}): Explanation {
  return explainer(ruleset, options)(packet);
}

/** {@link explainPacket} for many packets: the rules are compiled once per family. */
export function explainer(ruleset: Ruleset, options: TrafficOptions = {}): (packet: Packet) => Explanation {
  const compiled = new Map<Family, CompiledRuleset>();
  return (packet) => {
    const family = familyOf(packet);
    if (family === undefined)
      return {
        verdict: 'unknown',
        rule: null,
        assumptions: [`${packet.src} and ${packet.dst} are not addresses of the same family.`],
      };
    let rules = compiled.get(family);
    if (rules === undefined) {
      rules = compileRuleset(ruleset, family, options.addresses ?? []);
      compiled.set(family, rules);
    }
    return tracePacket(rules, packet).explanation;
  };
}

/** An explanation, and the state it was found with. */
export interface TracedPacket {
  readonly explanation: Explanation;
  readonly ruleset: CompiledRuleset;
  /** The packet as it was at the end: nat may have changed it. */
  readonly values: ReadonlyMap<Field, bigint>;
}

/** Traces one packet, which must be of the ruleset's family. */
export function tracePacket(ruleset: CompiledRuleset, packet: Packet): TracedPacket {
  const trace: Trace = { ruleset, packet, endings: [], branches: 0 };
  const values = packetValues(packet, ruleset.family);
  const start: readonly PacketState[] = [
    {
      values,
      mark: packet.hook === 'OUTPUT' ? undefined : 0,
      assumed: new Map([
        [`before\n${FRAGMENT.text}`, false],
        [`after\n${FRAGMENT.text}`, false],
      ]),
      unmodelled: [],
      path: [],
      by: null,
    },
  ];
  const states = traceStages(trace, stagesOf(ruleset, packet.hook), start);
  const accepted = states.map((state): Ending => ({ verdict: 'accept', by: state.by, state }));
  const endings = [...trace.endings, ...accepted];
  return {
    explanation: summarise(trace, endings),
    ruleset,
    values: endings[0]?.state.values ?? values,
  };
}

/** The states that leave the stages. */
function traceStages(
  trace: Trace,
  stages: readonly Stage[],
  start: readonly PacketState[],
): readonly PacketState[] {
  return stages.reduce(
    (states, stage) => distinct(states.flatMap((state) => traceStage(trace, stage, state))),
    start,
  );
}

function traceStage(trace: Trace, stage: Stage, state: PacketState): readonly PacketState[] {
  if (stage.kind === 'conntrack') return [enterConntrack(trace.ruleset, state)];
  if (stage.kind === 'table') return traceTable(trace, stage, state);
  return stage.orders.flatMap((order) =>
    traceStages(trace, order, [{ ...state, unmodelled: [...state.unmodelled, stage.name] }]),
  );
}

function summarise({ ruleset, packet, branches }: Trace, endings: readonly Ending[]): Explanation {
  const [first] = endings;
  const cut = branches >= MOST_BRANCHES;
  const certain = !cut && first !== undefined && endings.every(({ verdict }) => verdict === first.verdict);
  const open = certain ? [] : [...new Set(endings.flatMap(({ state }) => state.unmodelled))];
  return {
    verdict: certain ? first.verdict : 'unknown',
    rule: (certain ? first : uncertain(endings))?.by ?? null,
    assumptions: [
      ...assumptions(ruleset, packet),
      ...open.map((text) => `It depends on ${text}, which is not modelled.`),
      ...(cut ? [`More than ${MOST_BRANCHES} paths lead through unmodelled matches.`] : []),
    ],
    path: longestPath(endings),
  };
}

/** Preferably the ending whose last rule has an unmodelled match itself. */
const uncertain = (endings: readonly Ending[]): Ending | undefined =>
  endings.find(({ state }) => state.path.at(-1)?.effect.startsWith('perhaps')) ??
  endings.find(({ state }) => state.unmodelled.length > 0);

const longestPath = (endings: readonly Ending[]): PacketState['path'] =>
  endings.reduce<PacketState['path']>(
    (best, { state: { path } }) => (path.length > best.length ? path : best),
    [],
  );

function assumptions(ruleset: CompiledRuleset, packet: Packet): readonly string[] {
  const { hook, in: arriving, out, state = 'NEW' } = packet;
  const { usedFields, chains } = ruleset;
  const nat = [...chains.values()].some(({ rules }) => rules.some(({ action }) => action.kind === 'dnat'));
  return [
    ...(arriving === undefined && hook !== 'OUTPUT' && usedFields.has('in')
      ? ['It comes in on an interface that no rule names.']
      : []),
    ...(out === undefined && hook !== 'INPUT' && usedFields.has('out')
      ? ['It goes out on an interface that no rule names.']
      : []),
    ...(nat && state !== 'NEW' ? ['Its connection is not translated by nat.'] : []),
  ];
}
