/**
 * Rules without effect (the taxonomy of Al-Shaer and Hamed, by sets instead of pairs): rules that no packet reaches
 * because the earlier ones together decide on all of theirs, and accepting rules whose packets later ones would accept
 * too. Of the rules that a host runs also those that accept very much; in a policy a lint finds these.
 */

import { FAMILIES, type Family } from '../../lib/family.js';
import { groupBy } from '../../lib/group.js';
import { byLocation, type Level, note, type Problem } from '../../lib/problem.js';
import { FAMILY } from '../../lib/text.js';
import type { Ruleset } from '../../netfilter/model.js';
import { NARROW } from '../../policy/lint/width.js';
import type { TrafficOptions } from '../model.js';
import { type CompiledRule, compileRuleset } from '../program/compiled-ruleset.js';
import { tryProof } from '../space/proof-limits.js';
import { DEFAULT_BUDGET } from './compare.js';
import { type RuleCoverage, ruleCoverage, type Side, sideOf } from './rule-coverage.js';
import { wideRules } from './wide-rules.js';

export interface Anomaly {
  readonly id: 'dead-rule' | 'redundant-rule' | 'shadowed-rule' | 'wide-allow';
  readonly level: Level;
  readonly rule: CompiledRule;
  /** Some packet reaches and matches it. */
  readonly reached: boolean;
  /** The predicate of a sentence about the rule: `can never match: earlier rules drop its packets`. */
  readonly text: string;
  /** The rules that decide on its packets. */
  readonly by: readonly CompiledRule[];
  readonly hint?: string;
}

export interface Anomalies {
  readonly found: readonly Anomaly[];
  /** What could not be checked, and why. */
  readonly notSearched: readonly Problem[];
}

/**
 * One problem per line of the policy, by location. A spent budget adds a note.
 * @param addresses the host's own, where they are known
 */
export function findAnomalies(ruleset: Ruleset, addresses: readonly string[] = []): readonly Problem[] {
  const { found, notSearched } = search(FAMILIES, ruleset, { addresses }, () => []);
  return onePerLine([...found.map((anomaly) => problemOf(anomaly, OF_POLICY)), ...notSearched]).toSorted(
    byLocation,
  );
}

/** The anomalies of rules as a host runs them, each by itself, in the order of the chains. */
export const liveAnomalies = (
  ruleset: Ruleset,
  options: TrafficOptions = {},
  families: readonly Family[] = FAMILIES,
): Anomalies =>
  search(families, ruleset, options, (family) => [
    ...wideRules(compileRuleset(ruleset, family, options.addresses ?? [])),
  ]);

function search(
  families: readonly Family[],
  ruleset: Ruleset,
  { addresses = [], budget = DEFAULT_BUDGET }: TrafficOptions,
  wideOf: (family: Family) => readonly (readonly [CompiledRule, string])[],
): Anomalies {
  const found: Anomaly[] = [];
  const notSearched: Problem[] = [];
  for (const family of families) {
    const attempt = (what: string, proof: () => readonly Anomaly[]): readonly Anomaly[] =>
      tryProof(proof, (reason) => {
        const message = `${FAMILY[family]} was not checked for ${what}: ${reason}`;
        notSearched.push(note('anomalies-not-searched', message));
      }) ?? [];
    const idle = attempt('rules without effect', () =>
      idleRules(ruleCoverage(compileRuleset(ruleset, family, addresses), budget)),
    );
    const wide = attempt('rules that accept too much', () =>
      wideOf(family).map(([rule, width]) => tooWide(rule, width)),
    );
    const known = new Set(idle.map(({ rule }) => rule));
    found.push(...idle, ...wide.filter(({ rule }) => !known.has(rule)));
  }
  return { found, notSearched };
}

const tooWide = (rule: CompiledRule, width: string): Anomaly => ({
  id: 'wide-allow',
  level: 'note',
  rule,
  reached: true,
  text: `accepts ${width} unless an earlier rule decides`,
  by: [],
  hint: NARROW,
});

/** Each can be removed by itself. Of a rule and its duplicate, the one that hides the other stays. */
function idleRules(coverage: ReadonlyMap<CompiledRule, RuleCoverage>): readonly Anomaly[] {
  const hiding = new Set(
    [...coverage.values()].flatMap(({ alive, hiddenBy }) => (alive ? [] : [...hiddenBy])),
  );
  return [...coverage].flatMap(
    ([rule, entry]) => anomalyOf(rule, hiding.has(rule) ? { ...entry, needless: false } : entry) ?? [],
  );
}

function anomalyOf(rule: CompiledRule, coverage: RuleCoverage): Anomaly | undefined {
  const own = sideOf(rule);
  const by = [...coverage.blockers];
  const dead = (level: Level, why: string, blockers: readonly CompiledRule[] = []): Anomaly => ({
    id: 'dead-rule',
    level,
    rule,
    reached: false,
    text: `can never match: ${why}`,
    by: blockers,
  });
  if (!coverage.possible) return dead('warning', 'its conditions exclude each other');
  if (!coverage.called) return dead('warning', `no jump to ${rule.chain} passes its packets`);
  if (coverage.alive)
    return own === 'accept' && coverage.needless && rule.table === 'filter'
      ? redundant(rule, true, 'has no effect: later rules accept the same packets', [])
      : undefined;
  const sides = coverage.first.size > 0 ? coverage.first : coverage.earlier;
  // The verdict on `lo` and on established connections, which comes before most rules, is of no interest.
  const newOnly = sides.size < coverage.earlier.size;
  const [verdict] = sides;
  if (coverage.twins !== 'none') return redundant(rule, false, SAME, [...coverage.twins]);
  if (own === undefined || verdict === undefined)
    return by.length > 0
      ? dead('note', 'earlier rules decide on all its packets', by)
      : dead('note', 'no packet that it matches gets this far');
  if (sides.size === 1 && verdict === own)
    return redundant(rule, false, `${SAME}${newOnly ? ' for new connections' : ''}`, by);
  const decide = sides.size > 1 ? 'accept or drop' : DECIDE[verdict];
  return {
    id: 'shadowed-rule',
    level: 'warning',
    rule,
    reached: false,
    text: `can never match: earlier rules ${decide} its ${newOnly ? 'new connections' : 'packets'}`,
    by,
    hint: 'Move it before them, or remove it.',
  };
}

const SAME = 'can never match: earlier rules do the same';
const DECIDE: { readonly [side in Side]: string } = { accept: 'accept', refuse: 'drop' };

const redundant = (
  rule: CompiledRule,
  reached: boolean,
  text: string,
  by: readonly CompiledRule[],
): Anomaly => ({
  id: 'redundant-rule',
  level: 'note',
  rule,
  reached,
  text,
  by,
  hint: 'Remove it, unless it documents something.',
});

/** How messages name rules: those of a policy by their text and line, those of a host by their number. */
interface Naming {
  readonly rule: (rule: CompiledRule) => string;
  readonly blocker: (rule: CompiledRule) => string;
}

const wholeText = ({ chain, spec }: CompiledRule): string => `"-A ${chain} ${spec.text}"`;

const OF_POLICY: Naming = {
  rule: (rule) => `${wholeText(rule)} (${rule.table})`,
  blocker: (rule) => {
    const { location } = rule.spec;
    return `${wholeText(rule)}${location === undefined ? '' : ` at ${location.file}:${location.line}`}`;
  },
};

const LIVE: Naming = {
  rule: ({ table, chain, number, spec }) => `Rule ${number} of ${chain} (${table}, "${spec.text}")`,
  blocker: ({ chain, number, spec }) => `rule ${number} of ${chain} ("${spec.text}")`,
};

/** `Rule 5 of INPUT (filter, "-p tcp …") can never match: earlier rules drop its packets: rule 4 of INPUT ("…").` */
export const liveProblem = (anomaly: Anomaly): Problem => problemOf(anomaly, LIVE);

const MOST_NAMED = 3;

function problemOf({ id, level, rule, text, by, hint }: Anomaly, naming: Naming): Problem {
  const shown = by.slice(0, MOST_NAMED).map(naming.blocker).join(', ');
  const blockers = shown === '' ? '' : `: ${shown}${by.length > MOST_NAMED ? ' and others' : ''}`;
  return {
    id,
    level,
    message: `${naming.rule(rule)} ${text}${blockers}.`,
    hint,
    location: rule.spec.location,
  };
}

/** A line of policy makes many rules: the first problem of a kind stands for all of that line. */
function onePerLine(problems: readonly Problem[]): readonly Problem[] {
  const groups = groupBy(problems, ({ id, message, location }) =>
    location === undefined ? message : `${id} ${location.file} ${location.line} ${location.column}`,
  );
  return [...groups.values()].flatMap(([first, ...others]) =>
    first === undefined || others.length === 0
      ? (first ?? [])
      : {
          ...first,
          message: `${first.message} The same applies to ${others.length} more rules of this line.`,
        },
  );
}
