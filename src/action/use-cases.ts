/** The commands, connected to real hosts: keys stay in memory, host keys are always verified. */
import { readFile } from 'node:fs/promises';
import { adopt } from '../commands/adopt.js';
import { check } from '../commands/check.js';
import { deploy } from '../commands/deploy.js';
import { drift } from '../commands/drift.js';
import type { OpenHosts, Reader } from '../commands/inputs/fleet.js';
import { overSsh, toRead } from '../commands/inputs/open-hosts.js';
import { plan } from '../commands/plan.js';
import { report } from '../commands/report.js';
import type { HostClient } from '../host/client.js';
import { openHosts } from '../host/open.js';
import { error, failure, type Result } from '../lib/problem.js';
import { eventText } from '../report/terminal/events.js';
import type { OnEvent } from '../rollout/results/events.js';
import type { Outcomes, Plan } from '../rollout/results/model.js';
import { readPlan } from '../rollout/results/read.js';
import type { GitHubEvent } from './event/event.js';
import type { OpenUseCases, RunOptions } from './start.js';

/** Every command opens and closes its own connections; `close` is there for what is cut short. */
export const openUseCases: OpenUseCases = (options) => {
  const { inputs, event, log, cancelled } = options;
  const opened: Reader[] = [];
  const hosts = hostsOverSsh(options, opened);
  const read = toRead(inputs, hosts);
  const common = {
    policies: inputs.policies,
    acceptLockoutRisk: inputs.acceptLockoutRisk,
    commit: event.pull?.headCommit ?? event.commit,
    onEvent: logEvents(log),
    hosts: inputs.hosts,
  };
  const shard = inputs.part?.shard;
  return {
    check: () => check(common),
    plan: () => plan({ ...common, map: shard === undefined, shard }, read),
    drift: () => drift(common, read),
    adopt: () => adopt(common, read),
    report: () => report(inputs.reports),
    deploy: async (): Promise<Result<Outcomes>> => {
      const reviewed = await reviewedPlan(inputs.planFile);
      if (!reviewed.ok) return reviewed;
      return deploy(
        {
          ...common,
          owner: ownerOf(event),
          signal: cancelled(),
          part: inputs.part,
          reviewed: reviewed.value,
        },
        hosts,
      );
    },
    close: async () => {
      await Promise.all(opened.map((client) => client.close()));
    },
  };
};

/** Remembers what it opened. */
const hostsOverSsh = ({ inputs: { ssh } }: RunOptions, opened: Reader[]): OpenHosts<HostClient> => {
  const { key: text, passphrase, knownHosts } = ssh;
  return overSsh(
    (texts) => {
      const client = openHosts({
        knownHosts: texts,
        key: text === undefined ? undefined : { text, passphrase },
      });
      opened.push(client);
      return client;
    },
    knownHosts === undefined ? undefined : () => knownHosts,
  );
};

async function reviewedPlan(file: string | undefined): Promise<Result<Plan | undefined>> {
  if (file === undefined) return { ok: true, value: undefined, problems: [] };
  try {
    return readPlan(await readFile(file, 'utf8'), file);
  } catch {
    return failure(
      error('plan-unreadable', `The reviewed plan ${file} cannot be read.`, {
        hint: 'Check the input `plan`, and that the artifact with it was downloaded.',
      }),
    );
  }
}

/** For the lock on each host: who to ask. */
const ownerOf = ({ actor, repository, commit }: GitHubEvent): string =>
  `${actor || 'github-actions'}@${repository || 'github'} ${commit.slice(0, 12)}`.trim();

/** One line for each event that someone reading the log would want to see. */
const logEvents =
  (log: (line: string) => void): OnEvent =>
  (event) => {
    const text = eventText(event);
    if (text !== undefined) log(text);
  };
