/** Four real hosts and the program as it is delivered, for tests of what a rollout does when something fails it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { type Host, type Lab, openLab } from '../../../src/lab/lab.js';
import { collectOutput, until } from '../../../src/lab/shell.js';
import type { RolloutEvent } from '../../../src/rollout/results/events.js';
import type { Outcomes } from '../../../src/rollout/results/model.js';
import { type PolicyWords, type Program, programIn, writePolicy } from '../../cli/lab-program.js';
import { waitUntilIdle } from '../../host/hosts.js';
import { watch } from '../../host/transaction/faults.js';

export interface Deployed {
  readonly code: number;
  readonly outcomes: Outcomes;
  readonly stderr: string;
}

/** A deploy in progress. */
export interface Running {
  /** Waits until its journal holds such an event. */
  seen(what: (event: RolloutEvent) => boolean): Promise<void>;
  kill(signal: 'SIGINT' | 'SIGKILL'): void;
  readonly journal: () => readonly RolloutEvent[];
  readonly ended: Promise<Deployed>;
}

export interface FleetScene {
  readonly lab: Lab;
  readonly hosts: readonly Host[];
  readonly sallyport: Program;
  named(name: string): Host;
  /** The policy of all four with a port that it opens beside the site, and a clean deploy behind it. */
  settle(): Promise<void>;
  policy(words?: PolicyWords): void;
  deploy(...argv: readonly string[]): Promise<Deployed>;
  start(...argv: readonly string[]): Running;
  /** Of each host in order: does it run and keep a rule for the port? */
  having(port: number): Promise<readonly boolean[]>;
  close(): Promise<void>;
}

const NAMES = ['web-1', 'web-2', 'web-3', 'web-4'];

export async function openFleet(): Promise<FleetScene> {
  const lab = await openLab();
  const hosts = await Promise.all(NAMES.map((name) => lab.light({ name })));
  const sallyport = await programIn(lab);
  let runs = 0;
  const policy = (words: PolicyWords = {}): void => writePolicy(lab, hosts, words);
  const deploy = async (...argv: readonly string[]): Promise<Deployed> =>
    deployed(await sallyport('deploy', '--format', 'json', ...argv));
  return {
    lab,
    hosts,
    sallyport,
    named: (name) => {
      const found = hosts.find((host) => host.name === name);
      if (found === undefined) throw new Error(name);
      return found;
    },
    settle: async () => {
      for (const host of hosts) watch({ lab, host });
      policy();
      expect(await deploy()).toMatchObject({ code: 0 });
    },
    policy,
    deploy,
    start: (...argv) => {
      const file = join(lab.directory, `journal-${++runs}`);
      const words = ['deploy', '--format', 'json', '--journal', file, '--identity', lab.identity, ...argv];
      const child = lab.spawn(process.execPath, [sallyport.path, ...words], {
        cwd: lab.directory,
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      const journal = (): readonly RolloutEvent[] =>
        existsSync(file)
          ? readFileSync(file, 'utf8')
              .split('\n')
              .filter((line) => line !== '')
              .map((line) => JSON.parse(line))
          : [];
      return {
        seen: (what) =>
          until('The event', async () => (journal().some(what) ? true : undefined), 60).then(() => {}),
        kill: (signal) => void child.kill(signal),
        journal,
        ended: collectOutput(child).then(deployed),
      };
    },
    having: (port) =>
      Promise.all(
        hosts.map(async (host) => {
          await waitUntilIdle(host, 30);
          const [live, saved] = [await host.liveRules(), await host.savedRules()];
          const [runs, keeps] = [live, saved].map(({ v4 = '' }) => v4.includes(`--dport ${port} `));
          expect([host.name, keeps]).toEqual([host.name, runs]);
          return runs === true;
        }),
      ),
    close: () => lab.close(),
  };
}

const deployed = (ran: {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}): Deployed => ({
  code: ran.code,
  outcomes: ran.stdout === '' ? { version: 1, commit: null, hosts: [] } : JSON.parse(ran.stdout),
  stderr: ran.stderr,
});

/** `web-1 confirmed`, in the order of the rollout. */
export const short = ({ outcomes }: Deployed): readonly string[] =>
  outcomes.hosts.map(({ host, outcome }) => `${host} ${outcome}`);

/** A rule of every host. */
export const opening = (port: number, protocol = 'tcp'): string =>
  `  - {allow: ${protocol}/${port}, from: any, reason: Test ${port}}\n`;

/** A check that never holds: the host goes back in the phase verify. */
export const FAILING = "    checks: [{command: 'false'}]\n";
