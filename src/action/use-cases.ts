/** The commands with real hosts in their hands: keys stay in memory, host keys are always verified. */
import { readFile } from 'node:fs/promises';
import { adopt } from '../commands/adopt.js';
import { check } from '../commands/check.js';
import { deploy } from '../commands/deploy.js';
import { drift } from '../commands/drift.js';
import type { OpenHosts, Reader } from '../commands/inputs/fleet.js';
import { knownHostsTexts } from '../commands/inputs/known-hosts.js';
import { plan } from '../commands/plan.js';
import { report } from '../commands/report.js';
import type { HostClient } from '../host/client.js';
import { openHosts } from '../host/open.js';
import { error, type Result } from '../lib/problem.js';
import type { OnEvent } from '../rollout/results/events.js';
import type { Outcomes, Plan } from '../rollout/results/model.js';
import { readPlan } from '../rollout/results/read.js';
import { recording, snapshotClient } from '../rollout/results/snapshots.js';
import type { GitHubEvent } from './event/event.js';
import type { OpenUseCases, RunOptions } from './start.js';

/** Every command opens and closes its own connections; `close` is there for what is cut short. */
export const openUseCases: OpenUseCases = (commission) => {
  const { inputs, event, log, cancelled } = commission;
  const opened: Reader[] = [];
  const hosts = remembering(overSsh(commission), opened);
  const read = recordedInto(inputs.save, inputs.state === undefined ? hosts : recorded(inputs.state));
  const common = {
    policies: inputs.policies,
    acceptLockoutRisk: inputs.acceptLockoutRisk,
    commit: event.pull?.headCommit ?? event.commit,
    onEvent: telling(log),
    ...(inputs.hosts === undefined ? {} : { hosts: inputs.hosts }),
  };
  const shard = inputs.part?.shard;
  return {
    check: () => check(common),
    plan: () =>
      plan({ ...common, map: shard === undefined, ...(shard === undefined ? {} : { shard }) }, read),
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
          ...(inputs.part === undefined ? {} : { part: inputs.part }),
          ...(reviewed.value === undefined ? {} : { reviewed: reviewed.value }),
        },
        hosts,
      );
    },
    close: async () => {
      await Promise.all(opened.map((port) => port.close()));
    },
  };
};

const overSsh =
  ({ inputs: { ssh } }: RunOptions): OpenHosts<HostClient> =>
  async (chosen) => {
    const known =
      ssh.knownHosts === undefined
        ? await knownHostsTexts(chosen)
        : ({ ok: true, value: [ssh.knownHosts], problems: [] } as const);
    if (!known.ok) return known;
    const { key: text, passphrase } = ssh;
    const key =
      text === undefined ? {} : { key: { text, ...(passphrase === undefined ? {} : { passphrase }) } };
    return { ...known, value: openHosts({ knownHosts: known.value, ...key }) };
  };

const recorded =
  (directory: string): OpenHosts<Reader> =>
  async () => ({ ok: true, value: snapshotClient(directory), problems: [] });

/** Beside what is done with it, every state that was read goes into a folder. */
function recordedInto(directory: string | undefined, open: OpenHosts<Reader>): OpenHosts<Reader> {
  if (directory === undefined) return open;
  return async (chosen) => {
    const port = await open(chosen);
    return port.ok ? { ...port, value: recording(port.value, directory) } : port;
  };
}

function remembering(open: OpenHosts<HostClient>, opened: Reader[]): OpenHosts<HostClient> {
  return async (chosen) => {
    const port = await open(chosen);
    if (port.ok) opened.push(port.value);
    return port;
  };
}

async function reviewedPlan(file: string | undefined): Promise<Result<Plan | undefined>> {
  if (file === undefined) return { ok: true, value: undefined, problems: [] };
  try {
    return readPlan(await readFile(file, 'utf8'), file);
  } catch {
    return {
      ok: false,
      problems: [
        error(
          'plan-unreadable',
          `The reviewed plan ${file} cannot be read.`,
          undefined,
          'Check the input `plan`, and that the artifact with it was downloaded.',
        ),
      ],
    };
  }
}

/** For the lock on each host: who to ask. */
const ownerOf = ({ actor, repository, commit }: GitHubEvent): string =>
  `${actor || 'github-actions'}@${repository || 'github'} ${commit.slice(0, 12)}`.trim();

/** One line a step that someone reading the log would want to see. */
const telling =
  (log: (line: string) => void): OnEvent =>
  (event) => {
    switch (event.kind) {
      case 'read':
        log(`${event.host}: ${event.status}${event.words === '' ? '' : `: ${event.words}`}`);
        return;
      case 'wave':
        log(`${event.wave === 0 ? 'Canary' : `Wave ${event.wave}`}: ${event.hosts.join(', ')}`);
        return;
      case 'outcome': {
        const { host, outcome, phase, reason, seconds } = event.outcome;
        const why = reason === '' ? '' : ` (${phase}: ${reason})`;
        log(`${host}: ${outcome} after ${seconds.toFixed(1)} s${why}`);
        return;
      }
      case 'soak':
        log(`Waiting ${event.seconds} s, then every changed host is asked again.`);
        return;
      case 'stopped':
        log(event.reason);
        return;
      case 'begin':
      case 'reading':
      case 'phase':
    }
  };
