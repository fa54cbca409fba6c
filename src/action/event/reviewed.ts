/** `reviewed`: which run holds the plan that was reviewed, so that the deploy can be held to it. */

import { stop } from '../commands/publish.js';
import type { Context } from '../context.js';

/** A push without a plan is told so in the log; when GitHub does not answer, the step fails and nothing is deployed. */
export async function reviewed(context: Context): Promise<void> {
  const { event, github, runner } = context;
  runner.output('reviewed-run', '');
  if (event.name !== 'push') {
    runner.log('Not a push: what is deployed by hand is held to no plan.');
    return;
  }
  const found = await github.reviewedRun(event.commit);
  if (!found.ok) {
    await stop(context, 'The reviewed plan could not be looked for', found.problems);
    return;
  }
  if (found.value === undefined) {
    runner.log(
      'No plan of a pull request leads to this commit, or it has expired: the deploy is held to none.',
    );
    return;
  }
  runner.log(`The reviewed plan: ${event.serverUrl}/${event.repository}/actions/runs/${found.value}`);
  runner.output('reviewed-run', String(found.value));
}
