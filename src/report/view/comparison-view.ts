/** What a comparison of two rulesets shows: a plan of one "host", the new ruleset against the old one. */
import { count } from '../../lib/text.js';
import type { Plan } from '../../rollout/results/model.js';
import { type PlanSection, planView } from './plan-view.js';
import { capital, planTotals, trafficCounts } from './totals.js';

/** Traffic and rules; all else is in the verdict. */
export const comparisonSections = (plan: Plan): readonly PlanSection[] =>
  planView(plan, 'terminal').sections.flatMap((section): readonly PlanSection[] => {
    if (section.kind === 'traffic') return [section];
    if (section.kind !== 'rules') return [];
    return [{ ...section, items: section.items.map((item) => ({ ...item, hosts: [] })) }];
  });

/** `The same traffic, proved for every packet; the rules are the same`; `Opens 1, closes 2`. No full stop. */
export function comparisonVerdict(plan: Plan): string {
  const { traffic, changed } = planTotals(plan);
  const found = plan.hosts[0]?.traffic;
  if (found?.equal === true)
    return `The same traffic, proved for every packet; ${changed > 0 ? 'the rules differ' : 'the rules are the same'}`;
  const parts = [
    ...trafficCounts(traffic),
    ...(traffic.answeredDifferently > 0
      ? [`answers ${count(traffic.answeredDifferently, 'kind')} of traffic differently`]
      : []),
  ];
  const changes = parts.length === 0 ? 'No difference in traffic found' : capital(parts.join(', '));
  const more = found?.omitted ? `, and ${count(found.omitted, 'row')} more than can be listed` : '';
  const why = found?.proved === false ? `; not proved: ${found.why ?? 'the proof was stopped'}` : '';
  return changes + more + why;
}
