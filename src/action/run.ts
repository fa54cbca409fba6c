/** Runs the command of an event. */
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
  'No SSH key was given, as on a pull request from a fork, so the hosts were not read: the policy was checked, and there is no plan. Recorded states (`state:`) give such pull requests a plan.';

const HANDLERS: { readonly [command in Command]: (context: Context) => Promise<void> } = {
  check: (context) => check(context),
  plan: (context) => (canReadHosts(context) ? plan(context) : check(context, NO_SECRETS)),
  deploy,
  drift,
  adopt,
  report,
  reviewed,
};

/** Only a pull request may run without a key: elsewhere a missing key is an error. */
const canReadHosts = ({ inputs, event }: Context): boolean =>
  event.pull === undefined || inputs.ssh.key !== undefined || inputs.state !== undefined;

/** Runs the command of the event; problems fail the step. */
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
  const redacted = { ...context, useCases: withRedaction(context) };
  // Drift is about the branch, whatever the run followed: its policy has been reviewed.
  const known = command.value === 'drift' ? redacted : await ofFork(redacted);
  if (known !== undefined) await HANDLERS[command.value](known);
}

/** The use cases, with every secret removed from their results. */
function withRedaction({ useCases, redact }: Context): UseCases {
  return {
    check: async () => redactAll(await useCases.check(), redact),
    plan: async () => redactAll(await useCases.plan(), redact),
    deploy: async () => redactAll(await useCases.deploy(), redact),
    drift: async () => redactAll(await useCases.drift(), redact),
    // The command itself checks what it writes into policy files.
    adopt: () => useCases.adopt(),
    report: async () => redactAll(await useCases.report(), redact),
  };
}
