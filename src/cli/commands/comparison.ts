/** The report of `compare` in each format. */
import type { Comparison } from '../../commands/compare.js';
import { fence } from '../../report/markdown/escape.js';
import { comparisonText } from '../../report/terminal/comparison.js';
import type { TextOptions } from '../../report/terminal/paint.js';
import { comparisonVerdict } from '../../report/view/comparison-view.js';
import { jsonText } from '../../report/view/json.js';
import type { Plan } from '../../rollout/results/model.js';
import type { Format } from '../options.js';

/** The report of `compare`. @param next the name of the new ruleset */
export function comparisonReport(
  comparison: Comparison,
  name: string,
  format: Format,
  paint: TextOptions,
): string {
  const plan = asPlan(comparison, name);
  if (format === 'json') return jsonText(comparison);
  if (format === 'text') return comparisonText(plan, paint);
  return `## ${comparisonVerdict(plan)}\n\n${fence(comparisonText(plan, { colour: false }), 'diff')}\n`;
}

/** The reports know plans: one of a single host, the new ruleset against the old one. */
const asPlan = ({ rules, sets, ...traffic }: Comparison, name: string): Plan => ({
  version: 1,
  commit: null,
  digest: '',
  hosts: [
    {
      host: name,
      status: rules.v4.text + rules.v6.text === '' && sets.length === 0 ? 'unchanged' : 'changed',
      rules,
      sets,
      traffic,
      findings: [],
    },
  ],
});
