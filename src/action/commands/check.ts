/** `check`: everything that needs no host. */
import { SUMMARY_BUDGET } from '../../report/markdown/budget.js';
import { problemsMarkdown } from '../../report/markdown/problems.js';
import type { Context } from '../context.js';
import { annotate, comment, linkTo, stop, summarise } from './publish.js';

/** @param note Why there is no plan, when a pull request would otherwise have one. */
export async function check(context: Context, note?: string): Promise<void> {
  const { event, inputs, runner, useCases } = context;
  const checked = await useCases.check();
  const marker = { kind: 'plan', environment: inputs.environment, state: 'none' } as const;
  if (!checked.ok) {
    const report = await stop(context, 'The firewall policy has problems', checked.problems);
    return comment(context, event.pull?.number, marker, report);
  }
  annotate(context, checked.problems);
  runner.output('outcome', 'checked');
  const heading = 'Firewall policy checked';
  const why = note === undefined ? '' : `\n> [!NOTE]\n> ${note}\n`;
  const options = { linkTo: linkTo(context) };
  await summarise(
    context,
    problemsMarkdown(heading, checked.problems, { ...options, budget: SUMMARY_BUDGET }) + why,
  );
  if (note !== undefined) runner.log(note);
  await comment(
    context,
    event.pull?.number,
    marker,
    problemsMarkdown(heading, checked.problems, options) + why,
  );
}
