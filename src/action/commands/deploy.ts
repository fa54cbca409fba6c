/** `deploy`: after a merge, the canary and then the fleet; the result goes back to where it was reviewed. */
import { error, type Problem } from '../../lib/problem.js';
import { SUMMARY_BUDGET } from '../../report/markdown/budget.js';
import { outcomesMarkdown } from '../../report/markdown/outcomes.js';
import { outcomesText } from '../../report/terminal/outcomes.js';
import { jsonText } from '../../report/view/json.js';
import { allDeployed, outcomesVerdict } from '../../report/view/outcomes-view.js';
import type { Outcomes } from '../../rollout/results/model.js';
import type { Context } from '../context.js';
import { annotate, comment, reportProblems, stop, summarise } from './publish.js';

/** Deploys, and reports to the summary, the merged pull request and the deployment; refuses a commit that is not the newest of its branch. */
export async function deploy(context: Context): Promise<void> {
  const stale = await superseded(context);
  if (stale !== undefined) {
    await stop(context, 'Not deployed', [stale]);
    return;
  }
  const deployment = await begin(context);
  const deployed = await context.useCases.deploy();
  if (!deployed.ok) {
    const report = await stop(context, 'Not deployed', deployed.problems);
    await writeBack(context, report);
    return end(context, deployment, false, 'No host was changed.');
  }
  annotate(context, deployed.problems);
  try {
    await publishOutcomes(context, deployed.value);
  } finally {
    await end(context, deployment, allDeployed(deployed.value), outcomesVerdict(deployed.value));
  }
}

/**
 * Jobs that were started again, or that waited in a queue, must not take the fleet back to an older policy. The branch
 * is the one that the run is for, else the default one. When GitHub does not answer, the commit at hand counts as the
 * newest: what is deployed is always a reviewed state.
 */
async function superseded(context: Context): Promise<Problem | undefined> {
  const { event, github, inputs } = context;
  if (inputs.token === '') return undefined;
  const branch = /^refs\/heads\/(.+)$/.exec(event.ref)?.[1] ?? event.defaultBranch;
  const head = await reportProblems(context, await github.branchHead(branch));
  if (head === undefined || head === event.commit) return undefined;
  return error(
    'superseded',
    `Commit ${event.commit.slice(0, 12)} is not the newest of ${branch}, which is at ${head.slice(0, 12)}.`,
    { hint: 'The run of the newest commit deploys it; this run changed nothing.' },
  );
}

/** Log, outputs, summary, and the note on the merged pull request. */
export async function publishOutcomes(context: Context, outcomes: Outcomes): Promise<void> {
  const { inputs, event, runner, redact } = context;
  const good = allDeployed(outcomes);
  const failed = outcomes.hosts.filter(({ outcome }) => outcome !== 'confirmed' && outcome !== 'unchanged');
  const changed = outcomes.hosts.filter(({ outcome }) => outcome === 'confirmed').length;
  runner.log(redact(outcomesText(outcomes, { colour: true })));
  runner.output('outcome', !good ? 'failed' : changed > 0 ? 'deployed' : 'unchanged');
  runner.output('changed', String(changed));
  runner.output('failed-hosts', failed.map(({ host }) => host).join(','));
  const unreachable = failed.filter(({ outcome }) => outcome === 'unreachable');
  runner.output('unreachable-hosts', unreachable.map(({ host }) => host).join(','));
  const options = {
    ...(inputs.environment === '' ? {} : { environment: inputs.environment }),
    elsewhere: `the [job summary](${event.runUrl})`,
  };
  await summarise(
    context,
    outcomesMarkdown(outcomes, { ...options, budget: SUMMARY_BUDGET, elsewhere: 'the JSON report' }),
  );
  await writeBack(context, outcomesMarkdown(outcomes, options));
  runner.output('json', await runner.file('deploy.json', redact(jsonText(outcomes))));
  if (!good) runner.fail(redact(`${outcomesVerdict(outcomes)}.`));
}

/** Of jobs that share a rollout, the one that puts their reports together writes. */
async function writeBack(context: Context, markdown: string): Promise<void> {
  const { event, github, inputs } = context;
  if (inputs.part !== undefined) return;
  if (!inputs.comment || inputs.token === '') return;
  const pull = await reportProblems(context, await github.mergedPull(event.commit));
  await comment(
    context,
    pull,
    { kind: 'deploy', environment: inputs.environment, state: event.commit },
    markdown,
  );
}

/** Jobs with `environment:` get their deployment from GitHub itself; this is for those without. */
async function begin(context: Context): Promise<number | undefined> {
  const { event, github, inputs } = context;
  if (!inputs.deployment || inputs.part !== undefined || inputs.token === '') return undefined;
  const environment = inputs.environment || 'production';
  return reportProblems(context, await github.startDeployment(environment, event.commit, event.runUrl));
}

async function end(
  context: Context,
  deployment: number | undefined,
  good: boolean,
  words: string,
): Promise<void> {
  if (deployment === undefined) return;
  const { event, github, redact } = context;
  const state = good ? 'success' : 'failure';
  await reportProblems(
    context,
    await github.finishDeployment(deployment, state, redact(words), event.runUrl),
  );
}
