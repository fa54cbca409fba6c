/** `command: adopt`: a pull request that takes changes made by hand on the hosts into the policy. */
import { adoptionPatch } from '../../commands/adopt.js';
import { error, type Problem } from '../../lib/problem.js';
import { adoptionMarkdown } from '../../report/markdown/adoption.js';
import { SUMMARY_BUDGET } from '../../report/markdown/budget.js';
import { adoptionText } from '../../report/terminal/adoption.js';
import { jsonText } from '../../report/view/json.js';
import { adoptionTotals, adoptionVerdict } from '../../report/view/totals.js';
import type { AdoptedFile, Adoption } from '../../rollout/results/adoption.js';
import type { Context } from '../context.js';
import { redactAll } from '../secrets.js';
import { annotate, reportProblems, stop, summarise } from './publish.js';

/** Runs `command: adopt`: opens or updates the pull request, and writes the summary, the patch and the outputs. */
export async function adopt(context: Context): Promise<void> {
  const { inputs, event, runner, redact } = context;
  const adopted = await context.useCases.adopt();
  if (!adopted.ok) {
    await stop(context, 'Drift could not be taken into the policy', adopted.problems);
    return;
  }
  annotate(context, redactAll(adopted.problems, redact));
  const { files } = adopted.value;
  const leak = files.find((file) => gainsSecret(file, redact));
  if (leak !== undefined) {
    await stop(context, 'Drift could not be taken into the policy', [secretInRules(leak)]);
    return;
  }
  const value: Adoption = { ...redactAll({ ...adopted.value, files: [] }, redact), files };
  const totals = adoptionTotals(value);
  runner.log(adoptionText(value, { colour: true }));
  runner.output('outcome', files.length > 0 ? 'adopted' : 'unchanged');
  runner.output('changed', String(value.hosts.filter(({ taken }) => taken.length > 0).length));
  runner.output(
    'unreachable-hosts',
    value.hosts
      .filter(({ status }) => status !== 'read')
      .map(({ host }) => host)
      .join(','),
  );
  runner.output('json', await runner.file('adopt.json', jsonText(value)));
  if (files.length > 0) runner.output('patch', await runner.file('adopt.patch', adoptionPatch(value)));
  const options = inputs.environment === '' ? {} : { environment: inputs.environment };
  await summarise(
    context,
    adoptionMarkdown(value, { ...options, budget: SUMMARY_BUDGET, elsewhere: 'the JSON report' }),
  );
  // While a host cannot be read, an open pull request is not closed.
  if (files.length > 0 || totals.unread === 0)
    await open(
      context,
      value,
      adoptionMarkdown(value, { ...options, elsewhere: `the [job summary](${event.runUrl})` }),
    );
  if (totals.unread > 0 && inputs.failOn !== 'never') runner.fail(`${adoptionVerdict(value)}.`);
}

/** Whether a file gains a secret of this job from the rules of a host. */
const gainsSecret = ({ before, after }: AdoptedFile, redact: (text: string) => string): boolean =>
  redact(after).split('***').length > redact(before).split('***').length;

const secretInRules = ({ path }: AdoptedFile): Problem =>
  error(
    'secret-in-rules',
    `A rule of a host contains a secret of this job, which would be written to ${path}.`,
    { hint: 'Remove it from the host, and replace the secret.' },
  );

async function open(context: Context, value: Adoption, body: string): Promise<void> {
  const { inputs, event, github, runner } = context;
  if (!inputs.comment) return;
  if (inputs.token === '') {
    runner.log('No github-token given: the change is only in the patch.');
    return;
  }
  const outside = value.files.find(({ path }) => path.startsWith('/') || path.startsWith('..'));
  if (outside !== undefined) {
    runner.log(`${outside.path} is not in this repository: the change is only in the patch.`);
    return;
  }
  const where = inputs.environment === '' ? '' : ` (${inputs.environment})`;
  const posted = await reportProblems(
    context,
    await github.adoptPull(
      { kind: 'adopt', environment: inputs.environment, state: event.commit },
      {
        base: event.defaultBranch,
        commit: event.commit,
        title: context.redact(`Take firewall drift into the policy${where}`),
        body,
        files: value.files.map(({ path, after }) => ({ path, text: after })),
      },
    ),
  );
  if (posted === undefined) runner.log('The change is in the file named by the output `patch`.');
  if (posted?.url !== undefined) runner.output('comment-url', posted.url);
  if (posted !== undefined)
    runner.log(`Pull request ${posted.action}${posted.url === undefined ? '' : `: ${posted.url}`}`);
}
