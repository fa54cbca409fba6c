/**
 * Rules without effect (the taxonomy of Al-Shaer and Hamed, by sets instead of pairs): rules that no packet reaches
 * because earlier ones together took them all, and accepting rules whose packets later ones would accept too. Of rules
 * that a host runs also those that accept more than their reader may think; those of a policy have a lint for that.
 */

import { FAMILIES, type Family } from '../../lib/family.js';
import { byLocation, type Level, note, type Problem } from '../../lib/problem.js';
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
  /** Some packet matches it. */
  readonly reached: boolean;
  /** Continues the name of the rule: `can never match: its packets are dropped before`. */
  readonly text: string;
  /** Rules that take its packets, the first few. */
  readonly by: readonly CompiledRule[];
  readonly hint?: string;
}

export interface Anomalies {
  readonly found: readonly Anomaly[];
  /** What could not be looked for, and why. */
  readonly notSearched: readonly Problem[];
}

/**
 * One problem a line of policy, by place. A spent budget leaves a note.
 * @param addresses the host's own, where they are known.
 */
export function findAnomalies(ruleset: Ruleset, addresses: readonly string[] = []): readonly Problem[] {
  const { found, notSearched } = search(FAMILIES, ruleset, { addresses }, () => []);
  return onePerLine([...found.map((anomaly) => problemOf(anomaly, OF_POLICY)), ...notSearched]).toSorted(
    byLocation,
  );
}

/** Those of rules as a host runs them, each for itself, in the order of the chains. */
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
    const name = family === 'v4' ? 'IPv4' : 'IPv6';
    const giveUp = (what: string) => (reason: string) => {
      notSearched.push(note('anomalies-not-searched', `${what} were not searched for in ${name}: ${reason}`));
    };
    const idle =
      tryProof(
        () => idleRules(ruleCoverage(compileRuleset(ruleset, family, addresses), budget)),
        giveUp('Rules without effect'),
      ) ?? [];
    const wide =
      tryProof(
        () => wideOf(family).flatMap(([step, width]) => tooWide(step, width)),
        giveUp('Allows that are too wide'),
      ) ?? [];
    const known = new Set(idle.map(({ rule: step }) => step));
    found.push(...idle, ...wide.filter(({ rule: step }) => !known.has(step)));
  }
  return { found, notSearched };
}

const tooWide = (step: CompiledRule, width: string): Anomaly => ({
  id: 'wide-allow',
  level: 'note',
  rule: step,
  reached: true,
  text: `accepts ${width}, where no earlier rule decides`,
  by: [],
  hint: NARROW,
});

/** Each can be left out by itself. A rule that hides its own double is the one that stays. */
function idleRules(sightings: ReadonlyMap<CompiledRule, RuleCoverage>): readonly Anomaly[] {
  const hiding = new Set(
    [...sightings.values()].flatMap(({ alive, hiddenBy }) => (alive ? [] : [...hiddenBy])),
  );
  return [...sightings].flatMap(([step, sighting]) =>
    complain(step, hiding.has(step) ? { ...sighting, needless: false } : sighting),
  );
}

function complain(step: CompiledRule, sighting: RuleCoverage): readonly Anomaly[] {
  const own = sideOf(step);
  const by = [...sighting.blockers];
  const dead = (level: Level, says: string, blockers: readonly CompiledRule[] = []): readonly Anomaly[] => [
    { id: 'dead-rule', level, rule: step, reached: false, text: `can never match: ${says}`, by: blockers },
  ];
  if (!sighting.possible) return dead('warning', 'its conditions exclude one another');
  if (!sighting.called) return dead('warning', `rules that lead to ${step.chain} let no such packet through`);
  if (!sighting.alive) {
    const sides = sighting.first.size > 0 ? sighting.first : sighting.earlier;
    // What `lo` and standing connections get before most rules is no news.
    const of = sides.size < sighting.earlier.size ? ' to what begins a connection' : '';
    const [verdict] = sides;
    if (sighting.twins !== 'none') return [redundant(step, false, SAME, [...sighting.twins])];
    if (own === undefined || verdict === undefined)
      return dead('note', 'no packet that it would match gets so far', by);
    if (sides.size === 1 && verdict === own) return [redundant(step, false, `${SAME}${of}`, by)];
    const done = sides.size > 1 ? 'accepted or dropped' : DONE[verdict];
    const what = of === '' ? 'its packets are' : 'what begins a connection is';
    return [
      {
        id: 'shadowed-rule',
        level: 'warning',
        rule: step,
        reached: false,
        text: `can never match: ${what} ${done} before`,
        by,
        hint: 'Move it before them, or remove it.',
      },
    ];
  }
  return own === 'accept' && sighting.needless && step.table === 'filter'
    ? [redundant(step, true, 'changes nothing: later rules accept all that it accepts', [])]
    : [];
}

const SAME = 'can never match: earlier rules do the same';

const redundant = (
  step: CompiledRule,
  reached: boolean,
  says: string,
  by: readonly CompiledRule[],
): Anomaly => ({
  id: 'redundant-rule',
  level: 'note',
  rule: step,
  reached,
  text: says,
  by,
  hint: 'Remove it, or keep it where it says something to people.',
});

const DONE: { readonly [side in Side]: string } = { accept: 'accepted', refuse: 'dropped' };

/** How rules are called: those of a policy by their text and line, those of a host by their number. */
interface Calling {
  readonly rule: (step: CompiledRule) => string;
  readonly blocker: (step: CompiledRule) => string;
}

const wholeText = ({ chain, spec: rule }: CompiledRule): string => `"-A ${chain} ${rule.text}"`;

const OF_POLICY: Calling = {
  rule: (step) => `${wholeText(step)} (${step.table})`,
  blocker: (step) => {
    const { location } = step.spec;
    return `${wholeText(step)}${location === undefined ? '' : ` at ${location.file}:${location.line}`}`;
  },
};

const LIVE: Calling = {
  rule: ({ table, chain, number, spec: rule }) => `Rule ${number} of ${chain} (${table}, "${rule.text}")`,
  blocker: ({ chain, number, spec: rule }) => `rule ${number} of ${chain} ("${rule.text}")`,
};

/** `Rule 5 of INPUT (filter, "-p tcp …") can never match: its packets are dropped before, by rule 4 of INPUT ("…").` */
export const liveProblem = (anomaly: Anomaly): Problem => problemOf(anomaly, LIVE);

function problemOf({ id, level, rule: step, text: says, by, hint }: Anomaly, calling: Calling): Problem {
  const { location } = step.spec;
  return {
    id,
    level,
    message: `${calling.rule(step)} ${says}${earlierRules(by, calling, id === 'redundant-rule' ? ': ' : ', by ')}.`,
    ...(hint === undefined ? {} : { hint }),
    ...(location === undefined ? {} : { location }),
  };
}

const MOST_NAMED = 3;

function earlierRules(by: readonly CompiledRule[], { blocker }: Calling, link: string): string {
  const shown = by.slice(0, MOST_NAMED);
  if (shown.length === 0) return '';
  return `${link}${shown.map(blocker).join(', ')}${by.length > shown.length ? ' and others' : ''}`;
}

/** A line of policy makes many rules: the first finding of a kind stands for all of that line. */
function onePerLine(problems: readonly Problem[]): readonly Problem[] {
  const found = new Map<string, Problem & { count: number }>();
  for (const problem of problems) {
    const { location } = problem;
    const key =
      location === undefined
        ? problem.message
        : `${problem.id} ${location.file} ${location.line} ${location.column}`;
    const known = found.get(key);
    if (known === undefined) found.set(key, { ...problem, count: 1 });
    else known.count++;
  }
  return [...found.values()].map(({ count, ...problem }) =>
    count === 1
      ? problem
      : { ...problem, message: `${problem.message} So it is with ${count - 1} more rules of this line.` },
  );
}
