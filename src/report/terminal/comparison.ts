/** Two rulesets side by side as terminal text: which traffic opens and closes, then the rules. */
import type { Plan } from '../../rollout/results/model.js';
import { comparisonSections, comparisonVerdict } from '../view/comparison-view.js';
import { paint, type TextOptions } from './paint.js';
import { sectionBlocks } from './plan.js';

/** @param plan One "host": the new ruleset against the old one. */
export function comparisonText(plan: Plan, options: TextOptions): string {
  const colours = paint(options);
  const blocks = comparisonSections(plan).flatMap((section) => sectionBlocks(section, colours, options));
  return [`${colours.bold(`${comparisonVerdict(plan)}.`)}\n`, ...blocks].join('\n');
}
