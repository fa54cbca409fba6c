/**
 * Names for unmodelled matches, so that the same match before and after a change has the same name. A limit has its own
 * state in every rule: the n-th rule with the same text in the same chain counts as the same rule, and of the others the
 * n-th match with the same text as the same match. Rules that no packet reaches are not counted.
 */

import {
  type CompiledChain,
  type CompiledRule,
  type CompiledRuleset,
  calledChain,
} from '../program/compiled-ruleset.js';
import { ALWAYS, leaves, type Predicate, type Unknown } from '../program/predicate.js';

/** An unmodelled match of one rule, or a test of a mark, which may turn out to be unknown. */
export type Occurrence = Unknown | Extract<Predicate, { kind: 'mark' }>;

/** The match as iptables writes it, without `-m`. */
export const occurrenceText = (occurrence: Occurrence): string =>
  occurrence.kind === 'unknown'
    ? occurrence.text
    : `mark --mark 0x${occurrence.value.toString(16)}/0x${occurrence.mask.toString(16)}`;

/** Whether the packet alone decides it. */
export const isPure = (occurrence: Occurrence): boolean => occurrence.kind === 'unknown' && occurrence.pure;

function occurrences({ match, action }: CompiledRule): readonly Occurrence[] {
  const found = leaves(match).filter((leaf) => leaf.kind !== 'field');
  if (action.kind === 'dnat') found.push(action.choice);
  if (action.kind === 'external') found.push(...(action.continues ? [action.continues] : []), action.accepts);
  return found;
}

interface Impure {
  readonly occurrence: Occurrence;
  /** Its rule and its own text. */
  readonly inRule: string;
  readonly text: string;
}

/** A name for each occurrence; for pure ones it is their text alone. */
export function nameOccurrences(rulesets: readonly CompiledRuleset[]): ReadonlyMap<Occurrence, string> {
  const names = new Map<Occurrence, string>();
  const lists = rulesets.map((ruleset) => impureOf(ruleset, names));
  const [first = [], second] = lists;
  if (second === undefined) number(first, 'inRule', names, '');
  else {
    const shared = common(first, second);
    for (const list of lists) number(list.filter(shared), 'inRule', names, '=');
    const rest = lists.map((list) => list.filter((each) => !names.has(each.occurrence)));
    for (const list of rest) number(list, 'text', names, '~');
  }
  for (const ruleset of rulesets)
    for (const { rules } of ruleset.chains.values())
      for (const occurrence of rules.flatMap(occurrences))
        if (!names.has(occurrence)) names.set(occurrence, `never reached\n${occurrenceText(occurrence)}`);
  return names;
}

/** The rules that some packet may reach, chain by chain: those up to the first that decides on every packet. */
function reachableRules(ruleset: CompiledRuleset): readonly CompiledRule[] {
  const reachable = new Map<CompiledChain, readonly CompiledRule[]>();
  const queue = [...ruleset.chains.values()].filter(({ policy }) => policy !== undefined);
  for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
    if (reachable.has(chain)) continue;
    const last = chain.rules.findIndex((rule) => decidesAll(ruleset, rule, []));
    const rules = last === -1 ? chain.rules : chain.rules.slice(0, last + 1);
    reachable.set(chain, rules);
    queue.push(...rules.flatMap((rule) => calledChain(ruleset, rule) ?? []));
  }
  return [...ruleset.chains.values()].flatMap((chain) => reachable.get(chain) ?? []);
}

const VERDICTS: ReadonlySet<string> = new Set(['accept', 'drop', 'reject', 'snat']);

function decidesAll(ruleset: CompiledRuleset, rule: CompiledRule, callers: readonly string[]): boolean {
  const { match, action } = rule;
  if (match !== ALWAYS) return false;
  if (action.kind !== 'call') return VERDICTS.has(action.kind);
  const chain = calledChain(ruleset, rule);
  if (chain === undefined || action.goto || callers.includes(action.chain)) return false;
  const inner = [...callers, action.chain];
  const last = chain.rules.findIndex((each) => decidesAll(ruleset, each, inner));
  return (
    last !== -1 &&
    chain.rules
      .slice(0, last)
      .every((each) => each.action.kind !== 'return' && !(each.action.kind === 'call' && each.action.goto))
  );
}

/** The impure occurrences in the order of the rules; names the pure ones. */
function impureOf(ruleset: CompiledRuleset, names: Map<Occurrence, string>): readonly Impure[] {
  const found: Impure[] = [];
  for (const rule of reachableRules(ruleset))
    for (const occurrence of occurrences(rule)) {
      const text = occurrenceText(occurrence);
      if (isPure(occurrence)) names.set(occurrence, text);
      else
        found.push({ occurrence, inRule: [rule.table, rule.chain, rule.spec.text, text].join('\n'), text });
    }
  return found;
}

/** Whether the n-th of its rule and text is in both lists. */
function common(a: readonly Impure[], b: readonly Impure[]): (each: Impure) => boolean {
  const index = new Map<Impure, number>();
  const [left, right] = [a, b].map((list) => {
    const counts = new Map<string, number>();
    for (const each of list) {
      const before = counts.get(each.inRule) ?? 0;
      index.set(each, before);
      counts.set(each.inRule, before + 1);
    }
    return counts;
  });
  return (each) =>
    (index.get(each) ?? 0) < Math.min(left?.get(each.inRule) ?? 0, right?.get(each.inRule) ?? 0);
}

function number(
  list: readonly Impure[],
  by: 'inRule' | 'text',
  names: Map<Occurrence, string>,
  prefix: string,
): void {
  const counts = new Map<string, number>();
  for (const each of list) {
    const index = counts.get(each[by]) ?? 0;
    counts.set(each[by], index + 1);
    names.set(each.occurrence, `${prefix}${index}\n${each[by]}`);
  }
}
