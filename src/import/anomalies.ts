/** Findings about the rules that a host runs: those that can never match, change nothing, or are very wide. */
import { programOfRule } from '../compile/programs.js';
import type { Problem } from '../lib/problem.js';
import type { Rule } from '../netfilter/model.js';
import { type Anomaly, liveAnomalies, liveProblem } from '../traffic/questions/anomalies.js';
import type { ImportHost } from './model.js';

export interface LiveAnomalies {
  /** In the order of the chains. */
  readonly problems: readonly Problem[];
  /** One sentence for each rule that can be removed. Wide rules are left out: `check` reports them at their entries. */
  readonly remarks: ReadonlyMap<Rule, string>;
}

/** Rules of programs are left out, except where others hide one: a ban after the rule that accepts has no effect. */
const isReported = ({ id, rule: { chain, spec } }: Anomaly): boolean =>
  id === 'shadowed-rule' || programOfRule(chain, spec) === undefined;

/** Searches the rules of a host as it runs them. A host of unknown address is searched without one. */
export function anomaliesOf({ live, addresses, unknownAddress, families }: ImportHost): LiveAnomalies {
  const { found, notSearched } = liveAnomalies(
    live,
    { addresses: unknownAddress ? [] : addresses },
    families,
  );
  const reported = found
    .filter(isReported)
    .map((anomaly) => ({ rule: anomaly.rule.spec, problem: liveProblem(anomaly) }));
  return {
    problems: [...reported.map(({ problem }) => problem), ...notSearched],
    remarks: new Map(
      reported
        .filter(({ problem }) => problem.id !== 'wide-allow')
        .map(({ rule, problem }) => [rule, problem.message]),
    ),
  };
}
