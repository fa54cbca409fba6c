/** From an event to its command. */
import { adopt } from './commands/adopt.js';
import { check } from './commands/check.js';
import { deploy } from './commands/deploy.js';
import { drift } from './commands/drift.js';
import { ofFork } from './commands/fork.js';
import { plan } from './commands/plan.js';
import { stop } from './commands/publish.js';
import { report } from './commands/report.js';
import type { Context, UseCases } from './context.js';
import { type Command, commandOf } from './event/event.js';
import { reviewed } from './event/reviewed.js';
import { redactAll } from './secrets.js';

const NO_SECRETS =
  'No SSH key was given, as on a pull request from a fork, so the hosts were not read and there is no plan: the policy was checked, and that is all. Recorded states (`state:`) give such pull requests a plan.';

const HANDLERS: { readonly [command in Command]: (context: Context) => Promise<void> } = {
  check: (context) => check(context),
  plan: (context) => (canReadHosts(context) ? plan(context) : check(context, NO_SECRETS)),
  deploy,
  drift,
  adopt,
  report,
  reviewed,
};

/** Only a pull request may go without: elsewhere a missing key is a mistake that must be seen. */
const canReadHosts = ({ inputs, event }: Context): boolean =>
  event.pull === undefined || inputs.ssh.key !== undefined || inputs.state !== undefined;

export async function run(context: Context): Promise<void> {
  const command = commandOf(context.event, context.inputs.command);
  if (!command.ok) {
    await stop(context, 'Nothing was done', command.problems);
    return;
  }
  if (command.value === undefined) {
    context.runner.log('Nothing to do: the pull request is closed.');
    return;
  }
  context.runner.log(`${context.event.name}: ${command.value}`);
  const discreetly = { ...context, useCases: discreet(context) };
  // Drift is about the branch, whatever the run followed: its policy has been reviewed.
  const known = command.value === 'drift' ? discreetly : await ofFork(discreetly);
  if (known !== undefined) await HANDLERS[command.value](known);
}

/** The use cases, with every secret taken out of what they answer. */
function discreet({ useCases, redact }: Context): UseCases {
  return {
    check: async () => redactAll(await useCases.check(), redact),
    plan: async () => redactAll(await useCases.plan(), redact),
    deploy: async () => redactAll(await useCases.deploy(), redact),
    drift: async () => redactAll(await useCases.drift(), redact),
    // What goes into files of the policy is looked through by the command itself.
    adopt: () => useCases.adopt(),
    report: async () => redactAll(await useCases.report(), redact),
  };
}
