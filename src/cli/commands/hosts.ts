/** Commands that reach hosts: plan, deploy, drift, status, rollback. */
import type { Command } from 'commander';
import type { Io } from '../io.js';
import {
  type Act,
  examples,
  PLAN_FORMATS,
  type PolicyOptions,
  positive,
  waves,
  withHosts,
  withOutput,
  withPolicy,
  withRisk,
  withShard,
  withSsh,
} from '../options.js';
import type {
  DeployArguments,
  DriftArguments,
  PlanArguments,
  RollbackArguments,
  StatusArguments,
} from './run-hosts.js';

const withState = (command: Command): Command =>
  command.option(
    '--state <dir>',
    'a folder of recorded states (HOST.v4, HOST.v6, HOST.sets), read instead of the hosts',
  );

/** What runs them is loaded with them. */
const runner = () => import('./run-hosts.js');

/** Defines `plan`, `deploy`, `drift`, `status` and `rollback`. */
export function defineHostCommands(program: Command, act: Act, io: Io): void {
  definePlan(program, act, io);
  defineDeploy(program, act, io);
  const drift = withOutput(
    withState(
      withSsh(
        withHosts(
          program
            .command('drift')
            .summary('do live, saved and boot rules still match the policy? (reads only)')
            .description(
              'Compares the policy with what each host runs now, with its saved files, and with what would load at its next boot. Rules that Sallyport does not manage are counted and otherwise ignored. The exit status is 2 when a host drifted, 1 when one could not be read.',
            ),
        ),
      ),
    ),
  );
  examples(drift, 'sallyport drift', 'sallyport drift --hosts role:web --format markdown --output drift.md');
  act(drift, async (options: DriftArguments) => (await runner()).runDrift(options, io));

  const status = withOutput(
    withSsh(
      withHosts(
        program
          .command('status')
          .summary('what each host runs, since when and from which commit (reads only)')
          .description('Shows the last confirmed change of each host, and an unfinished one.'),
      ),
    ),
    ['text', 'json'],
  );
  examples(status, 'sallyport status', 'sallyport status --hosts web-1 --format json');
  act(status, async (options: StatusArguments) => (await runner()).runStatus(options, io));

  const rollback = withOutput(
    withRisk(
      withSsh(
        withPolicy(
          program
            .command('rollback')
            .summary('take one host back to a known-good state')
            .description(
              'Each host keeps the last ten states that it confirmed; 1 is the newest. A rollback is a transaction like a deploy: rehearsed, confirmed over a new connection, saved.',
            )
            .argument('<host>', 'one host of the policy')
            .option(
              '--to <n>',
              'number of the known-good state (default: the one before the current)',
              positive,
            )
            .option('-y, --yes', 'do not ask'),
        ),
      ),
    ),
  );
  examples(rollback, 'sallyport rollback web-1', 'sallyport rollback web-1 --to 3');
  act(rollback, async (host: string, options: Omit<PolicyOptions, 'hosts'> & RollbackArguments) =>
    (await runner()).runRollback(host, options, io),
  );
}

function definePlan(program: Command, act: Act, io: Io): void {
  const plan = withShard(
    withOutput(
      withState(
        withRisk(
          withSsh(
            withHosts(
              program
                .command('plan')
                .summary(
                  'what would change on the hosts, and which traffic that opens or closes (reads only)',
                )
                .description(
                  'Reads every host and compares it with the policy: the rules that change, the traffic that opens and closes, whether SSH stays reachable, and what a reviewer should know. Nothing is changed. The exit status is 1 when a host could not be read or the plan must not be deployed.',
                )
                .option('--save <dir>', 'also record the state of every host in this directory')
                .option('--exit-code', 'exit with 2 when something would change'),
            ),
          ),
        ),
      ),
      PLAN_FORMATS,
    ),
    'only the i-th of n shards of the hosts; `sallyport report` joins them',
  );
  examples(
    plan,
    'sallyport plan',
    'sallyport plan --hosts role:web,db-1 --format markdown --output plan.md',
    'sallyport plan --format json --output plan.json     # for deploy --plan',
    'sallyport plan --save states && sallyport plan --state states',
    'sallyport plan --shard 1/4 --format json --output plans/1.json     # and so on, then: report plans',
  );
  act(plan, async (options: PlanArguments) => (await runner()).runPlan(options, io));
}

function defineDeploy(program: Command, act: Act, io: Io): void {
  const deploy = withShard(
    withOutput(
      withRisk(
        withSsh(
          withHosts(
            program
              .command('deploy')
              .summary('change the hosts: the canary first, then in waves, each with a rollback')
              .description(
                'Reads every host first; if one must not be changed, none is. Then it deploys to the canary, waits, and goes on wave by wave. Each host rehearses the change, arms its own rollback, applies, and keeps the new rules only when a new SSH connection confirms them in time. Hosts that are up to date are not changed. Ctrl-C begins no further host.',
              )
              .option(
                '--plan <file>',
                'deploy only this reviewed plan.json, and only to hosts that have not changed since',
              )
              .option(
                '--wave <wave>',
                'only this part of the rollout: canary, 1, 2+ (the second wave and all after it), or bastions',
                waves,
              )
              .option('--journal <file>', 'append every event to this file, one JSON object per line')
              .option('-y, --yes', 'do not ask'),
          ),
        ),
      ),
    ),
    'only the i-th of n shards of the hosts after the canary, which must be deployed already',
  );
  examples(
    deploy,
    'sallyport deploy --hosts web-1',
    'sallyport deploy --plan plan.json --yes',
    'sallyport deploy --wave canary && sallyport deploy --shard 1/4     # and so on, in other jobs',
  );
  act(deploy, async (options: DeployArguments) => (await runner()).runDeploy(options, io));
}
