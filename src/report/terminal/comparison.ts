/** Two rulesets side by side as terminal text: which traffic opens and closes, then the rules. */

import { count, grouped } from '../../lib/text.js';
import type { Plan } from '../../rollout/results/model.js';
import { diffGroups } from '../view/group.js';
import { planTotals } from '../view/totals.js';
import { paint, type TextOptions } from './paint.js';
import { rulesBlock, trafficBlocks } from './plan.js';

/** @param plan One "host": the new ruleset against the old one. */
export function comparisonText(plan: Plan, options: TextOptions): string {
  const colours = paint(options);
  const parts = [
    `${colours.bold(`${comparisonVerdict(plan)}.`)}\n`,
    ...trafficBlocks(plan, colours, options),
    ...diffGroups(plan).map((group) => rulesBlock({ ...group, hosts: [] }, colours, options)),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

/** `The same traffic, the same rules`; `Opens 1 and closes 2 kinds of traffic`. */
export function comparisonVerdict(plan: Plan): string {
  const { traffic, changed } = planTotals(plan);
  const [only] = plan.hosts;
  if (only?.traffic?.equal === true)
    return `The same traffic, proved for every packet; ${changed > 0 ? 'the rules differ' : 'the rules are the same'}`;
  const parts = [
    ...(traffic.opened > 0 ? [`opens ${grouped(traffic.opened)}`] : []),
    ...(traffic.possiblyOpened > 0 ? [`possibly opens ${grouped(traffic.possiblyOpened)}`] : []),
    ...(traffic.closed > 0 ? [`closes ${grouped(traffic.closed)}`] : []),
    ...(traffic.possiblyClosed > 0 ? [`possibly closes ${grouped(traffic.possiblyClosed)}`] : []),
    ...(traffic.answeredDifferently > 0
      ? [`refuses ${count(traffic.answeredDifferently, 'kind')} of traffic in another way`]
      : []),
  ];
  const said = parts.length === 0 ? 'no difference of traffic was found' : parts.join(', ');
  const why =
    only?.traffic?.proved === false ? `; not proved: ${only.traffic.why ?? 'a budget ended the proof'}` : '';
  const more = only?.traffic?.omitted ?? 0;
  const cut = more > 0 ? `, and ${count(more, 'row')} more than can be listed` : '';
  return `${said.charAt(0).toUpperCase()}${said.slice(1)}${cut}${why}`;
}
