/** What is to be said of the rules of a host as it runs them: what can never match, changes nothing, or is very wide. */
import { programOfRule } from '../compile/programs.js';
import type { Problem } from '../lib/problem.js';
import type { Rule } from '../netfilter/model.js';
import { type Anomaly, liveAnomalies, liveProblem } from '../traffic/questions/anomalies.js';
import type { ImportHost } from './model.js';

export interface LiveAnomalies {
  /** In the order of the chains. */
  readonly problems: readonly Problem[];
  /** Sentences about those that can be left out: `check` tells of wide ones where they stand. */
  readonly remarks: ReadonlyMap<Rule, string>;
}

/** A program's rules are its own affair, unless others hide one: a ban behind the rule that accepts bans nobody. */
const isTold = ({ id, rule: { chain, spec: rule } }: Anomaly): boolean =>
  id === 'shadowed-rule' || programOfRule(chain, rule) === undefined;

export function anomaliesOf({ live, addresses, unknownAddress, families }: ImportHost): LiveAnomalies {
  const own = unknownAddress ? [] : addresses;
  const { found, notSearched } = liveAnomalies(live, { addresses: own }, families);
  const told = found
    .filter(isTold)
    .map((anomaly) => ({ rule: anomaly.rule.spec, problem: liveProblem(anomaly) }));
  return {
    problems: [...told.map(({ problem }) => problem), ...notSearched],
    remarks: new Map(
      told
        .filter(({ problem }) => problem.id !== 'wide-allow')
        .map(({ rule, problem }) => [rule, problem.message]),
    ),
  };
}
