/** `plan`: what a pull request changes, as a comment, a summary, annotations and outputs. */
import type { Marker } from '../../github/client.js';
import type { Problem, Result } from '../../lib/problem.js';
import { count } from '../../lib/text.js';
import { planPage } from '../../report/html/plan.js';
import { type Budget, SUMMARY_BUDGET } from '../../report/markdown/budget.js';
import { mapMarkdown } from '../../report/markdown/map.js';
import { planMarkdown } from '../../report/markdown/plan.js';
import { planText } from '../../report/terminal/plan.js';
import { findingRows } from '../../report/view/group.js';
import { jsonText } from '../../report/view/json.js';
import { type PlanTotals, planTotals, planVerdict } from '../../report/view/totals.js';
import { problemOf } from '../../rollout/results/finding.js';
import type { Plan } from '../../rollout/results/model.js';
import type { Context } from '../context.js';
import type { FailOn } from '../inputs.js';
import { annotate, comment, linkTo, mayWrite, reportProblems, stop, summarise } from './publish.js';

/** Plans, and reports to the summary, the comment, labels and annotations; fails the step as `fail-on` says. */
export async function plan(context: Context): Promise<void> {
  const planned = await context.useCases.plan();
  return context.inputs.part?.shard === undefined ? publishPlan(context, planned) : deliver(context, planned);
}

/** A shard hands its part on. The job that puts the parts together comments, annotates and judges. */
async function deliver(context: Context, planned: Result<Plan>): Promise<void> {
  if (!planned.ok) {
    await stop(context, 'The firewall plan could not be made', planned.problems);
    return;
  }
  const { value } = planned;
  context.runner.log(context.redact(planText(value, { colour: true })));
  await output(context, value, planTotals(value));
  await summarise(
    context,
    planMarkdown(value, { budget: SUMMARY_BUDGET, elsewhere: 'the JSON report', linkTo: linkTo(context) }),
  );
}

/** A whole plan: comment, labels, summary, annotations, outputs, and the verdict of the check. */
export async function publishPlan(context: Context, planned: Result<Plan>): Promise<void> {
  const { inputs, event, runner, redact } = context;
  const pull = event.pull?.number;
  if (!planned.ok) {
    const report = await stop(context, 'The firewall plan could not be made', planned.problems);
    return comment(context, pull, marker(context, 'none'), report);
  }
  const { value } = planned;
  const totals = planTotals(value);
  runner.log(redact(planText(value, { colour: true })));
  annotate(context, [...planned.problems, ...findings(value)]);
  await output(context, value, totals);
  const options = {
    ...(inputs.environment === '' ? {} : { environment: inputs.environment }),
    linkTo: linkTo(context),
    elsewhere: `the [job summary](${event.runUrl})`,
    policy: planned.problems,
  };
  await summarise(
    context,
    planMarkdown(value, { ...options, budget: SUMMARY_BUDGET, elsewhere: 'the JSON report' }),
  );
  await drawMap(context, value);
  await comment(context, pull, marker(context, value.digest), planMarkdown(value, options));
  await label(context, pull, totals);
  const reason = failure(totals, planned.problems, inputs.failOn);
  if (reason !== undefined) runner.fail(redact(reason));
}

/** Beside the plan, within what GitHub takes of a job summary. */
const MAP_BUDGET: Budget = { units: 40_000, bytes: 45_000 };

async function drawMap(context: Context, { map }: Plan): Promise<void> {
  if (map === undefined) return;
  const options = { collapsed: true, linkTo: linkTo(context), budget: MAP_BUDGET };
  await summarise(context, mapMarkdown(map, map.notes, options));
}

const marker = ({ inputs }: Context, state: string): Marker => ({
  kind: 'plan',
  environment: inputs.environment,
  state,
});

/** One annotation for each line of the policy, however many hosts it is about. */
const findings = (value: Plan): readonly Problem[] =>
  findingRows(value.hosts).map(({ finding, hosts }) => {
    const whose = hosts.length === 1 ? hosts[0] : `${hosts.length} hosts`;
    return problemOf({ ...finding, message: `${finding.message} (${whose})` });
  });

async function output({ runner, redact }: Context, value: Plan, totals: PlanTotals): Promise<void> {
  runner.output('outcome', totals.changed > 0 ? 'changed' : 'unchanged');
  runner.output('changed', String(totals.changed));
  runner.output('opened', String(totals.traffic.opened));
  runner.output('closed', String(totals.traffic.closed));
  runner.output('possibly-opened', String(totals.traffic.possiblyOpened));
  runner.output('possibly-closed', String(totals.traffic.possiblyClosed));
  runner.output('digest', value.digest);
  const unread = value.hosts.filter(({ status }) => status === 'unreachable' || status === 'error');
  runner.output('unreachable-hosts', unread.map(({ host }) => host).join(','));
  runner.output('json', await runner.file('plan.json', redact(jsonText(value))));
  runner.output('html', await runner.file('plan.html', redact(planPage(value))));
}

const LABELS = {
  opened: 'firewall:opens-traffic',
  closed: 'firewall:closes-traffic',
  lockout: 'firewall:lockout-risk',
} as const;

async function label(
  context: Context,
  pull: number | undefined,
  { traffic, lockout }: PlanTotals,
): Promise<void> {
  const { inputs, event, github } = context;
  if (!inputs.labels || pull === undefined || !mayWrite(event) || inputs.token === '') return;
  const wanted = [
    ...(traffic.opened + traffic.possiblyOpened > 0 ? [LABELS.opened] : []),
    ...(traffic.closed + traffic.possiblyClosed > 0 ? [LABELS.closed] : []),
    ...(lockout.violated.length + lockout.accepted.length > 0 ? [LABELS.lockout] : []),
  ];
  await reportProblems(context, await github.setLabels(pull, wanted, Object.values(LABELS)));
}

/** Why the check is red, by `fail-on`; each level includes the ones before it. */
function failure(totals: PlanTotals, policy: readonly Problem[], failOn: FailOn): string | undefined {
  const found = (level: 'error' | 'warning'): number =>
    totals.findings[level] + policy.filter((one) => one.level === level).length;
  const unread = totals.unreachable + totals.error;
  const errors = found('error') + totals.lockout.violated.length + unread;
  const warnings = errors + found('warning') + totals.lockout.notProven.length + totals.unproved.length;
  const opened = warnings + totals.traffic.opened + totals.traffic.possiblyOpened;
  const counts: { readonly [level in FailOn]: number } = {
    error: errors,
    warning: warnings,
    opened,
    never: 0,
  };
  if (counts[failOn] === 0) return undefined;
  const levels = (['error', 'warning'] as const)
    .filter((level) => found(level) > 0)
    .map((level) => count(found(level), level));
  return `${[planVerdict(totals), ...(levels.length === 0 ? [] : [levels.join(', ')])].join('; ')}.`;
}
