/** `drift`: whether the hosts still run the policy, as one issue with a life of its own. */
import { createHash } from 'node:crypto';
import { SUMMARY_BUDGET } from '../../report/markdown/budget.js';
import { driftMarkdown } from '../../report/markdown/drift.js';
import { driftText } from '../../report/terminal/drift.js';
import { jsonText } from '../../report/view/json.js';
import { type DriftTotals, driftTotals, driftVerdict } from '../../report/view/totals.js';
import type { Drift, DriftItem } from '../../rollout/results/model.js';
import type { Context } from '../context.js';
import { annotate, linkTo, reportProblems, stop, summarise } from './publish.js';

/** Reports drift in the summary and in the drift issue; fails the step as `fail-on` says. */
export async function drift(context: Context): Promise<void> {
  const found = await context.useCases.drift();
  if (!found.ok) {
    await stop(context, 'Drift could not be checked', found.problems);
    return;
  }
  annotate(context, found.problems);
  const { inputs, event, runner, redact } = context;
  const { value } = found;
  const totals = driftTotals(value);
  runner.log(redact(driftText(value, { colour: true })));
  runner.output('outcome', outcomeOf(totals));
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
  await issue(context, value, totals, driftMarkdown(value, options) + WHAT_NOW);
  // A host that is being changed is looked at by the next run.
  const bad = totals.drifted + totals.unreachable + totals.error > 0;
  if (bad && inputs.failOn !== 'never') runner.fail(redact(`${driftVerdict(totals)}.`));
}

const WHAT_NOW =
  '\n<sub>A deploy restores the policy on the hosts; `command: adopt` takes the drift into the policy.</sub>\n';

function outcomeOf({ hosts, clean, drifted, unreachable, error }: DriftTotals): string {
  if (drifted > 0) return 'drifted';
  if (unreachable + error > 0) return 'failed';
  return clean === hosts ? 'clean' : 'busy';
}

const names = (drift: Drift, wanted: readonly Drift['hosts'][number]['status'][]): string =>
  drift.hosts
    .filter(({ status }) => wanted.includes(status))
    .map(({ host }) => host)
    .join(',');

async function issue(context: Context, value: Drift, totals: DriftTotals, body: string): Promise<void> {
  const { inputs, github, runner, redact, event } = context;
  if (!inputs.comment || inputs.token === '') return;
  if (outcomeOf(totals) === 'busy') {
    runner.log('Hosts are being changed at the moment: the drift issue is not updated until the next run.');
    return;
  }
  const where = inputs.environment === '' ? '' : ` (${inputs.environment})`;
  const posted = await reportProblems(
    context,
    await github.driftIssue(
      { kind: 'drift', environment: inputs.environment, state: digest(value) },
      {
        clean: totals.clean === totals.hosts,
        title: redact(`Firewall drift${where}`),
        body: redact(body),
        summary: `${driftVerdict(totals)}. [Run](${event.runUrl})`,
        drifted: value.hosts.filter(({ status }) => status === 'drifted').map(({ host }) => host),
        hosts: value.hosts.map(({ host }) => host),
      },
    ),
  );
  if (posted?.url !== undefined) runner.output('comment-url', posted.url);
  if (posted !== undefined)
    runner.log(`Drift issue ${posted.action}${posted.url === undefined ? '' : `: ${posted.url}`}`);
}

/** Over what drifted, not over policy lines, wording, or hosts that are unreachable at times. */
function digest(value: Drift): string {
  const facts = (items: readonly DriftItem[]) =>
    items.map(({ kind, family, message, rule }) => [kind, family, message, rule]);
  const drifted = value.hosts
    .filter(({ status }) => status === 'drifted')
    .map(({ host, live, saved, boot }) => [host, facts(live), facts(saved), facts(boot)]);
  return `sha256:${createHash('sha256').update(jsonText(drifted)).digest('hex').slice(0, 32)}`;
}
