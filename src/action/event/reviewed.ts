/** `reviewed`: finds the run that has the reviewed plan, to which the deploy is then bound. */
import { stop } from '../commands/publish.js';
import type { Context } from '../context.js';

/** Sets the output `reviewed-run`. A push without a plan is logged; when GitHub does not answer, the step fails and nothing is deployed. */
export async function reviewed(context: Context): Promise<void> {
  const { event, github, runner } = context;
  runner.output('reviewed-run', '');
  if (event.name !== 'push') {
    runner.log('Not a push: a manual deploy is not bound to a reviewed plan.');
    return;
  }
  const found = await github.reviewedRun(event.commit);
  if (!found.ok) {
    await stop(context, 'The reviewed plan could not be looked up', found.problems);
    return;
  }
  if (found.value === undefined) {
    runner.log(
      'There is no plan of a pull request for this commit, or it has expired: the deploy is not bound to a plan.',
    );
    return;
  }
  runner.log(`The reviewed plan: ${event.serverUrl}/${event.repository}/actions/runs/${found.value}`);
  runner.output('reviewed-run', String(found.value));
}
