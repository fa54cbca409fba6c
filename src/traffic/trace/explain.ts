/**
 * One packet on its way through the tables, and why it ends where it ends. The walk shares no step with the diagrams
 * of the traffic diff, so that each can judge the other.
 */

import type { Family } from '../../lib/family.js';
import type { Ruleset } from '../../netfilter/model.js';
import type { Explanation, Packet, TrafficOptions } from '../model.js';
import { type CompiledRuleset, compileRuleset, FRAGMENT } from '../program/compiled-ruleset.js';
import type { Field } from '../program/fields.js';
import { PIPELINES } from '../program/pipeline.js';
import { familyOf, packetValues } from './packet.js';
import { distinct, type Ending, MOST_BRANCHES, type PacketState, type Trace } from './packet-state.js';
import { enterConntrack, traceTable } from './trace.js';

/** What the ruleset does with one packet, which rule decided, and what the answer takes for granted. */
export function explainPacket(ruleset: Ruleset, packet: Packet, options: TrafficOptions = {}): Explanation {
  return explainer(ruleset, options)(packet);
}

/** The same for many packets: the rules are read once. */
export function explainer(ruleset: Ruleset, options: TrafficOptions = {}): (packet: Packet) => Explanation {
  const programs = new Map<Family, CompiledRuleset>();
  return (packet) => {
    const family = familyOf(packet);
    if (family === undefined)
      return {
        verdict: 'unknown',
        rule: null,
        assumptions: [`${packet.src} and ${packet.dst} are no addresses of one family.`],
      };
    let program = programs.get(family);
    if (program === undefined) {
      program = compileRuleset(ruleset, family, options.addresses ?? []);
      programs.set(family, program);
    }
    return explainIn(program, packet, family).explanation;
  };
}

/** An answer, and what it was found with. */
export interface TracedPacket {
  readonly explanation: Explanation;
  readonly ruleset: CompiledRuleset;
  /** The packet as it was when its way ended: nat may have changed it. */
  readonly values: ReadonlyMap<Field, bigint>;
}

/** One packet on its way; `undefined` where its addresses are of no one family. */
export function tracePacket(
  ruleset: Ruleset,
  packet: Packet,
  options: TrafficOptions = {},
): TracedPacket | undefined {
  const family = familyOf(packet);
  return family === undefined
    ? undefined
    : explainIn(compileRuleset(ruleset, family, options.addresses ?? []), packet, family);
}

function explainIn(program: CompiledRuleset, packet: Packet, family: Family): TracedPacket {
  const walk: Trace = { ruleset: program, packet, endings: [], branches: 0 };
  let travellers: readonly PacketState[] = [
    {
      values: packetValues(packet, family),
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
  for (const stage of PIPELINES[packet.hook])
    travellers = travellers.flatMap((traveller) =>
      stage.kind === 'conntrack'
        ? [enterConntrack(program, traveller)]
        : distinct(traceTable(walk, stage, traveller)),
    );
  const endings = [
    ...walk.endings,
    ...travellers.map((traveller): Ending => ({ verdict: 'accept', by: traveller.by, state: traveller })),
  ];
  return {
    explanation: summarise(program, packet, endings, walk.branches >= MOST_BRANCHES),
    ruleset: program,
    values: endings[0]?.state.values ?? packetValues(packet, family),
  };
}

function summarise(
  program: CompiledRuleset,
  packet: Packet,
  endings: readonly Ending[],
  cut: boolean,
): Explanation {
  const [first] = endings;
  const verdicts = new Set(endings.map((ending) => ending.verdict));
  const certain = !cut && verdicts.size === 1 && first !== undefined;
  const shown = longest(endings);
  const open = certain ? [] : [...new Set(endings.flatMap((ending) => ending.state.unmodelled))];
  return {
    verdict: certain ? first.verdict : 'unknown',
    rule: (certain ? first : doubtful(endings))?.by ?? null,
    assumptions: [
      ...assumptions(program, packet),
      ...open.map((text) => `It depends on ${text}, which is not modelled.`),
      ...(cut ? [`More than ${MOST_BRANCHES} ways lead through unmodelled matches.`] : []),
    ],
    path: shown?.state.path ?? [],
  };
}

/** The one that hangs on a match of the very rule that ends it. */
const doubtful = (endings: readonly Ending[]): Ending | undefined =>
  endings.find((ending) => ending.state.path.at(-1)?.effect.startsWith('perhaps')) ??
  endings.find((ending) => ending.state.unmodelled.length > 0);

const longest = (endings: readonly Ending[]): Ending | undefined =>
  endings.reduce<Ending | undefined>(
    (best, ending) =>
      best === undefined || ending.state.path.length > best.state.path.length ? ending : best,
    undefined,
  );

function assumptions(program: CompiledRuleset, packet: Packet): readonly string[] {
  const asks = (field: Field): boolean => program.usedFields.has(field);
  const nat = [...program.chains.values()].some((routine) =>
    routine.rules.some((step) => step.action.kind === 'send'),
  );
  const later = packet.state !== undefined && packet.state !== 'NEW';
  return [
    ...(packet.in === undefined && packet.hook !== 'OUTPUT' && asks('in')
      ? ['It comes in on an interface that no rule names.']
      : []),
    ...(packet.out === undefined && packet.hook !== 'INPUT' && asks('out')
      ? ['It goes out on an interface that no rule names.']
      : []),
    ...(nat && later ? ['Its connection is not translated by nat.'] : []),
  ];
}
