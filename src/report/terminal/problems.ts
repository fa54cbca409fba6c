/** Problems as terminal text: `file:line:column: message`, which editors and terminals turn into links. */
import { byLocation, formatProblem, type Problem } from '../../lib/problem.js';
import { visible } from '../../lib/visible.js';
import { paint, type TextOptions } from './paint.js';

/** All of them, in the order of their places, one line each. */
export function problemsText(problems: readonly Problem[], options: TextOptions): string {
  const colours = paint(options);
  const colour = { error: colours.red, warning: colours.yellow, note: colours.cyan };
  return problems
    .toSorted(byLocation)
    .map((problem) => `${colour[problem.level](visible(formatProblem(problem)))}\n`)
    .join('');
}
