/**
 * What people ask after "dropped, by that rule": does another rule come too late, is it the wrong source, would a
 * running connection pass, what did nat do before; read off the filter table, for one packet. And whether a rule that
 * was written for it can match any packet at all.
 */

import type { Problem } from '../../lib/problem.js';
import type { Ruleset } from '../../netfilter/model.js';
import type { DecidingRule, Explanation, Packet, TrafficOptions } from '../model.js';
import { type CompiledRule, chainKey, decidedBy } from '../program/compiled-ruleset.js';
import type { Field } from '../program/fields.js';
import { PIPELINES } from '../program/pipeline.js';
import { leaves } from '../program/predicate.js';
import { type TracedPacket, tracePacket } from '../trace/explain.js';
import { packetValues } from '../trace/packet.js';
import { findMatching, MAX_RULES, type Scan } from '../trace/scan.js';
import { ruleName } from '../trace/sentences.js';
import { type Anomaly, liveAnomalies, liveProblem } from './anomalies.js';
import { type Side, sideOf } from './rule-coverage.js';

/** The same as `explainPacket`, with hints and the anomalies of the rules that bear on the packet. */
export function explainWithHints(
  ruleset: Ruleset,
  packet: Packet,
  options: TrafficOptions = {},
): Explanation | undefined {
  const walked = tracePacket(ruleset, packet, options);
  if (walked === undefined) return undefined;
  const hints = [...natHints(walked.explanation), ...filterHints(walked, packet)];
  const anomalies = anomaliesFor(ruleset, walked, packet, options);
  return {
    ...walked.explanation,
    ...(hints.length === 0 ? {} : { hints }),
    ...(anomalies.length === 0 ? {} : { anomalies }),
  };
}

/** An answer about one packet is waited for. */
const BUDGET = { nodes: 2_000_000, milliseconds: 2_000 };

/** Those of rules that would match the packet and that no packet reaches, and those of the rule that decides. */
function anomaliesFor(
  ruleset: Ruleset,
  { explanation: { rule }, ruleset: program, values }: TracedPacket,
  packet: Packet,
  { addresses = [], budget = BUDGET }: TrafficOptions,
): readonly Problem[] {
  const { family } = program;
  const { found, notSearched } = liveAnomalies(ruleset, { addresses, budget }, [family]);
  const steps = new Map(found.map((anomaly): [CompiledRule, Anomaly] => [anomaly.rule, anomaly]));
  const bears = (step: CompiledRule): boolean =>
    rule !== null && isRule(step, rule) ? steps.has(step) : steps.get(step)?.reached === false;
  const arriving = packetValues(packet, family);
  const stages = PIPELINES[packet.hook].filter((stage) => stage.kind === 'table');
  const nat = stages.findIndex(({ table }) => table === 'nat');
  const bearing = stages.flatMap(({ table, chain }, index) => {
    const routine = program.chains.get(chainKey(table, chain));
    // Behind nat the packet is another.
    const scan: Scan = { ruleset: program, values: index > nat ? values : arriving, left: MAX_RULES };
    return routine === undefined ? [] : findMatching(scan, routine, undefined, bears);
  });
  return [
    ...[...new Set(bearing)].flatMap((step) => {
      const anomaly = steps.get(step);
      return anomaly === undefined ? [] : [liveProblem(anomaly)];
    }),
    ...notSearched,
  ];
}

/** The filter table never sees where the packet was sent first. */
function natHints({ path = [] }: Explanation): readonly string[] {
  return path
    .filter(({ rule, effect }) => rule.table === 'nat' && effect.includes('now to '))
    .map(
      ({ rule, effect }) =>
        `${capital(ruleName(rule))} sends it on, ${effect.replace(/^perhaps /, '')}, before the filter table is asked: rules there must name that.`,
    );
}

function filterHints(
  { explanation, ruleset: program, values }: TracedPacket,
  packet: Packet,
): readonly string[] {
  const { verdict, rule } = explanation;
  if (rule === null || rule.table !== 'filter' || verdict === 'unknown') return [];
  const scan: Scan = { ruleset: program, values, left: MAX_RULES };
  const start = program.chains.get(chainKey('filter', packet.hook));
  if (start === undefined) return [];
  const decides = (wanted: Side) => (step: CompiledRule) => sideOf(step) === wanted && !isRule(step, rule);
  if (verdict === 'accept') {
    const late = findMatching(scan, start, undefined, decides('refuse')).filter(
      (step) => leaves(step.match).length > 0,
    );
    return late
      .slice(0, 1)
      .map((step) => `${capital(ruleName(decidedBy(step)))} would refuse it, but comes later.`);
  }
  const [late] = findMatching(scan, start, undefined, decides('accept'));
  if (late !== undefined)
    return [
      `${capital(ruleName(decidedBy(late)))} would accept it, but comes later: move it up, or narrow the other.`,
    ];
  return NEARLY.flatMap(({ field, say }) =>
    findMatching(scan, start, field, decides('accept'))
      .flatMap((step) => say(step, packet) ?? [])
      .slice(0, MOST_NEAR),
  );
}

/** Rules of one kind that are named. */
const MOST_NEAR = 2;

interface Nearly {
  readonly field: Field;
  /** A sentence about a rule that matches but for this field; nothing where that is no news. */
  readonly say: (step: CompiledRule, packet: Packet) => string | undefined;
}

/** What is most often wrong first. */
const NEARLY: readonly Nearly[] = [
  {
    field: 'src',
    say: (step, { src }) =>
      `${capital(ruleName(decidedBy(step)))} accepts it from ${sourceOf(step)}, not from ${src}.`,
  },
  {
    field: 'dst',
    say: (step, { dst }) =>
      step.spec.destination === undefined
        ? undefined
        : `${capital(ruleName(decidedBy(step)))} accepts it to ${sideText(step.spec.destination)}, not to ${dst}.`,
  },
  {
    field: 'in',
    say: (step, packet) => onInterface(step, step.spec.inInterface, packet.in, 'in'),
  },
  {
    field: 'out',
    say: (step, packet) => onInterface(step, step.spec.outInterface, packet.out, 'out'),
  },
  {
    field: 'protocol',
    say: (step, { protocol, dport }) =>
      step.spec.protocol === undefined || step.spec.protocol.negated || dport === undefined
        ? undefined
        : `${capital(ruleName(decidedBy(step)))} accepts port ${dport} over ${step.spec.protocol.value}, not over ${protocol}.`,
  },
  {
    field: 'state',
    say: (step) => {
      const { chain, number, source } = decidedBy(step);
      const location = source === undefined ? '' : ` at ${source.file}:${source.line}`;
      return `A running connection passes all the same, by rule ${number} of ${chain}${location}: only what begins one is refused.`;
    },
  },
];

const sideText = ({ value, negated }: { readonly value: string; readonly negated: boolean }): string =>
  negated ? `anything but ${value}` : value;

function sourceOf({ spec: rule }: CompiledRule): string {
  if (rule.source !== undefined) return sideText(rule.source);
  const set = rule.matches.find(({ name }) => name === 'set')?.options[0]?.values[0];
  return set === undefined ? 'other addresses' : `the set ${set}`;
}

function onInterface(
  step: CompiledRule,
  side: CompiledRule['spec']['inInterface'],
  own: string | undefined,
  way: 'in' | 'out',
): string | undefined {
  if (side === undefined || side.value === 'lo') return undefined;
  const name = own ?? 'an interface that no rule names';
  return `${capital(ruleName(decidedBy(step)))} accepts it ${way} on ${sideText(side)}, not on ${name}.`;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const isRule = (step: CompiledRule, { table, chain, number }: DecidingRule): boolean =>
  step.table === table && step.chain === chain && step.number === number;
