/**
 * What people ask about a verdict: does another rule come too late, is the source wrong, would an established connection
 * pass, what did nat do before; taken from the filter table, for one packet. And whether the rules written for the packet
 * can match any packet at all.
 */

import type { Problem } from '../../lib/problem.js';
import type { Ruleset } from '../../netfilter/model.js';
import type { DecidingRule, Explanation, Packet, TrafficOptions } from '../model.js';
import { type CompiledRule, chainOf, compileRuleset, decidedBy } from '../program/compiled-ruleset.js';
import type { Field } from '../program/fields.js';
import { tableStages } from '../program/pipeline.js';
import { ALWAYS } from '../program/predicate.js';
import { type TracedPacket, tracePacket } from '../trace/explain.js';
import { familyOf, packetValues } from '../trace/packet.js';
import { findMatching, MOST_RULES, type Scan } from '../trace/scan.js';
import { ruleName } from '../trace/sentences.js';
import { liveAnomalies, liveProblem } from './anomalies.js';
import { type Side, sideOf } from './rule-coverage.js';

/**
 * `explainPacket` with hints and the anomalies of the rules that concern the packet; `undefined` where its addresses are
 * of different families.
 */
export function explainWithHints(
  ruleset: Ruleset,
  packet: Packet,
  options: TrafficOptions = {},
): Explanation | undefined {
  const family = familyOf(packet);
  if (family === undefined) return undefined;
  const traced = tracePacket(compileRuleset(ruleset, family, options.addresses ?? []), packet);
  const hints = [...natHints(traced.explanation), ...filterHints(traced, packet)];
  const anomalies = anomaliesFor(ruleset, traced, packet, options);
  return {
    ...traced.explanation,
    hints: hints.length === 0 ? undefined : hints,
    anomalies: anomalies.length === 0 ? undefined : anomalies,
  };
}

/** Short: a person waits for the answer. */
const BUDGET = { nodes: 2_000_000, milliseconds: 2_000 };

/** Those of rules that match the packet and that no packet reaches, and those of the deciding rule. */
function anomaliesFor(
  ruleset: Ruleset,
  { explanation: { rule: deciding }, ruleset: compiled, values }: TracedPacket,
  packet: Packet,
  { addresses = [], budget = BUDGET }: TrafficOptions,
): readonly Problem[] {
  const { family } = compiled;
  const { found, notSearched } = liveAnomalies(ruleset, { addresses, budget }, [family]);
  const anomalies = new Map(found.map((anomaly) => [anomaly.rule, anomaly] as const));
  const isWanted = (rule: CompiledRule): boolean =>
    deciding !== null && isRule(rule, deciding)
      ? anomalies.has(rule)
      : anomalies.get(rule)?.reached === false;
  const arriving = packetValues(packet, family);
  const stages = tableStages(compiled, packet.hook);
  const nat = stages.findIndex((stage) => stage.nat);
  const rules = stages.flatMap(({ table, chain: name }, index) => {
    const chain = chainOf(compiled, table, name);
    // Behind nat the packet may be changed.
    const scan: Scan = { ruleset: compiled, values: index > nat ? values : arriving, left: MOST_RULES };
    return chain === undefined ? [] : findMatching(scan, chain, undefined, isWanted);
  });
  const problems = [...new Set(rules)].flatMap((rule) => {
    const anomaly = anomalies.get(rule);
    return anomaly === undefined ? [] : [liveProblem(anomaly)];
  });
  return [...problems, ...notSearched];
}

/** The filter table never sees the original destination. */
function natHints({ path = [] }: Explanation): readonly string[] {
  return path
    .filter(({ rule, effect }) => rule.table === 'nat' && effect.includes('now to '))
    .map(
      ({ rule, effect }) =>
        `${capital(ruleName(rule))} redirects it, ${effect.replace(/^perhaps /, '')}, before the filter table: rules there must match that.`,
    );
}

function filterHints({ explanation, ruleset, values }: TracedPacket, packet: Packet): readonly string[] {
  const { verdict, rule: deciding } = explanation;
  if (deciding === null || deciding.table !== 'filter' || verdict === 'unknown') return [];
  const scan: Scan = { ruleset, values, left: MOST_RULES };
  const start = chainOf(ruleset, 'filter', packet.hook);
  if (start === undefined) return [];
  const decides = (side: Side) => (rule: CompiledRule) => sideOf(rule) === side && !isRule(rule, deciding);
  if (verdict === 'accept')
    return findMatching(scan, start, undefined, decides('refuse'))
      .filter(({ match }) => match !== ALWAYS)
      .slice(0, 1)
      .map((rule) => `${nameOf(rule)} would refuse it, but comes later.`);
  const [late] = findMatching(scan, start, undefined, decides('accept'));
  if (late !== undefined)
    return [`${nameOf(late)} would accept it, but comes later: move it up, or narrow the other.`];
  return NEARLY.flatMap(([field, hint]) =>
    findMatching(scan, start, field, decides('accept'))
      .flatMap((rule) => hint(rule, packet) ?? [])
      .slice(0, MOST_NEAR),
  );
}

/** The most rules of one kind that are named. */
const MOST_NEAR = 2;

/** A field, and a sentence about a rule that matches but for this field: most frequent mistakes first. */
type Nearly = readonly [field: Field, hint: (rule: CompiledRule, packet: Packet) => string | undefined];

const NEARLY: readonly Nearly[] = [
  ['src', (rule, { src }) => `${nameOf(rule)} accepts it from ${sourceOf(rule)}, not from ${src}.`],
  [
    'dst',
    (rule, { dst }) =>
      rule.spec.destination &&
      `${nameOf(rule)} accepts it to ${sideText(rule.spec.destination)}, not to ${dst}.`,
  ],
  ['in', (rule, packet) => onInterface(rule, rule.spec.inInterface, 'in', packet.in)],
  ['out', (rule, packet) => onInterface(rule, rule.spec.outInterface, 'out', packet.out)],
  [
    'protocol',
    (rule, { protocol, dport }) =>
      rule.spec.protocol === undefined || rule.spec.protocol.negated || dport === undefined
        ? undefined
        : `${nameOf(rule)} accepts port ${dport} over ${rule.spec.protocol.value}, not over ${protocol}.`,
  ],
  [
    'state',
    (rule) => {
      const { chain, number, source } = decidedBy(rule);
      const location = source === undefined ? '' : ` at ${source.file}:${source.line}`;
      return `Established connections still pass, by rule ${number} of ${chain}${location}: only new ones are refused.`;
    },
  ],
];

const sideText = ({ value, negated }: { readonly value: string; readonly negated: boolean }): string =>
  negated ? `anything but ${value}` : value;

function sourceOf({ spec }: CompiledRule): string {
  if (spec.source !== undefined) return sideText(spec.source);
  const set = spec.matches.find(({ name }) => name === 'set')?.options[0]?.values[0];
  return set === undefined ? 'other addresses' : `the set ${set}`;
}

function onInterface(
  rule: CompiledRule,
  side: CompiledRule['spec']['inInterface'],
  direction: 'in' | 'out',
  own = 'an interface that no rule names',
): string | undefined {
  if (side === undefined || side.value === 'lo') return undefined;
  return `${nameOf(rule)} accepts it ${direction} on ${sideText(side)}, not on ${own}.`;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const nameOf = (rule: CompiledRule): string => capital(ruleName(decidedBy(rule)));

const isRule = (rule: CompiledRule, { table, chain, number }: DecidingRule): boolean =>
  rule.table === table && rule.chain === chain && rule.number === number;
