/** `compare OLD NEW`: the rules and the traffic of any two rulesets, without a host or a policy. */

import type { Family } from '../lib/family.js';
import type { Result } from '../lib/problem.js';
import { diffSets, diffTables } from '../netfilter/diff.js';
import type { RuleDiff, SetDiff } from '../netfilter/model.js';
import type { TrafficDiff } from '../traffic/model.js';
import { compareTraffic } from '../traffic/questions/compare.js';
import { type RulesFile, readRulesFile } from './inputs/rules-file.js';

export interface Comparison extends TrafficDiff {
  readonly rules: { readonly v4: RuleDiff; readonly v6: RuleDiff };
  readonly sets: readonly SetDiff[];
}

export interface CompareOptions {
  readonly family?: Family;
  /** The host's own addresses, for rules that match them by type. */
  readonly addresses?: readonly string[];
}

/** Compares two rulesets: rules, sets and traffic. */
export function compare(
  old: RulesFile,
  next: RulesFile,
  { family, addresses }: CompareOptions = {},
): Result<Comparison> {
  const [before, after] = [readRulesFile(old, family), readRulesFile(next, family)];
  const problems = [...before.problems, ...after.problems];
  if (!before.ok || !after.ok) return { ok: false, problems };
  return {
    ok: true,
    value: {
      ...compareTraffic(before.value, after.value, { addresses }),
      rules: {
        v4: diffTables(before.value.v4, after.value.v4),
        v6: diffTables(before.value.v6, after.value.v6),
      },
      sets: diffSets(before.value.sets, after.value.sets),
    },
    problems,
  };
}
