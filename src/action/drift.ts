/** `drift`: whether the hosts still run the policy, as one issue with a life of its own. */
import { createHash } from 'node:crypto';
import { jsonText } from '../report/json.js';
import { SUMMARY_BUDGET } from '../report/markdown/budget.js';
import { driftMarkdown } from '../report/markdown/drift.js';
import { driftText } from '../report/terminal/drift.js';
import { driftTotals, driftVerdict } from '../report/totals.js';
import type { Drift } from '../rollout/model.js';
import type { Context } from './ports.js';
import { annotate, linkTo, stop, summarise, told } from './publish.js';

export async function drift(context: Context): Promise<void> {
  const found = await context.useCases.drift();
  if (!found.ok) {
    await stop(context, 'Drift could not be looked for', found.problems);
    return;
  }
  annotate(context, found.problems);
  const { inputs, event, runner, redact } = context;
  const { value } = found;
  const totals = driftTotals(value);
  const clean = totals.clean === totals.hosts;
  runner.log(redact(driftText(value, { colour: true })));
  runner.output('outcome', clean ? 'clean' : totals.drifted > 0 ? 'drifted' : 'failed');
  runner.output('drifted-hosts', names(value, ['drifted']));
  runner.output('unreachable-hosts', names(value, ['unreachable', 'error']));
  runner.output('json', await runner.file('drift.json', redact(jsonText(value))));
  const options = {
    ...(inputs.environment === '' ? {} : { environment: inputs.environment }),
    linkTo: linkTo(context),
    elsewhere: `the [job summary](${event.runUrl})`,
  };
  await summarise(
    context,
    driftMarkdown(value, { ...options, budget: SUMMARY_BUDGET, elsewhere: 'the JSON report' }),
  );
  await issue(context, value, clean, driftMarkdown(value, options));
  if (!clean && inputs.failOn !== 'never') runner.fail(redact(`${driftVerdict(totals)}.`));
}

const names = (drift: Drift, wanted: readonly Drift['hosts'][number]['status'][]): string =>
  drift.hosts
    .filter(({ status }) => wanted.includes(status))
    .map(({ host }) => host)
    .join(',');

async function issue(context: Context, value: Drift, clean: boolean, body: string): Promise<void> {
  const { inputs, github, runner, redact, event } = context;
  if (!inputs.comment || inputs.token === '') return;
  const verdict = driftVerdict(driftTotals(value));
  const where = inputs.environment === '' ? '' : ` (${inputs.environment})`;
  const posted = await told(
    context,
    await github.driftIssue(
      { kind: 'drift', environment: inputs.environment, state: digest(value) },
      {
        clean,
        title: redact(`Firewall drift${where}`),
        body: redact(body),
        summary: `${verdict}. [Run](${event.runUrl})`,
      },
    ),
  );
  if (posted?.url !== undefined) runner.output('comment-url', posted.url);
}

/** Over what drifted, not over how it is told, and not over hosts that are only out of reach at times. */
function digest(value: Drift): string {
  const drifted = value.hosts
    .filter(({ status }) => status === 'drifted')
    .map(({ host, live, saved, boot }) => ({ host, live, saved, boot }));
  return `sha256:${createHash('sha256').update(jsonText(drifted)).digest('hex').slice(0, 32)}`;
}
