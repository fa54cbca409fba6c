/** `report`: what several jobs delivered, published as if one had done it all. */
import { hasErrors, type Problem } from '../../lib/problem.js';
import type { Context } from '../context.js';
import { publishOutcomes } from './deploy.js';
import { publishPlan } from './plan.js';
import { annotate, stop } from './publish.js';

/** Joins the reports of shards, and publishes them as one plan or deploy. */
export async function report(context: Context): Promise<void> {
  const merged = await context.useCases.report();
  if (!merged.ok) return incomplete(context, merged.problems);
  const { value, problems } = merged;
  if (value.kind === 'plan') await publishPlan(context, { ok: true, value: value.value, problems });
  else {
    annotate(context, problems);
    await publishOutcomes(context, value.value);
  }
  // Regardless of `fail-on`: a shard that was not delivered was not checked.
  if (hasErrors(problems))
    context.runner.fail(
      problems
        .map(({ message }) => message)
        .join(' ')
        .slice(0, 1000),
    );
}

/** On a pull request the comment must not go on showing an older plan. */
async function incomplete(context: Context, problems: readonly Problem[]): Promise<void> {
  if (context.event.pull !== undefined) return publishPlan(context, { ok: false, problems });
  await stop(context, 'The reports could not be joined', problems);
}
