/**
 * Shared by the fault tests. Each is named by the id of a fault, what fails, and how it ends; docs/safety.md has a table
 * of these names. After each test {@link expectInvariants} is checked for its hosts.
 */
import { expect, test } from '@jest/globals';
import type { Rules } from '../../../src/lab/host-root.js';
import { type HostOptions, type Lab, type Host as LabHost, openLab } from '../../../src/lab/lab.js';
import { open } from '../change.js';
import { type TestClient, testClient, waitUntilIdle } from '../hosts.js';
import { expectInvariants, type WatchedHost } from './invariants.js';

/** Defines a fault test. After it the invariants must hold for every host that it watched. */
export const fault = (id: string, broken: string, ends: string, check: () => Promise<void>): void =>
  test(`${id} | ${broken} | ${ends}`, async () => {
    watched.length = 0;
    await check();
    await Promise.all(watched.splice(0).map(expectInvariants));
  });

/** The hosts of the running test; the tests of a file run one after the other. */
const watched: WatchedHost[] = [];

/** Checks the invariants of this host after the running test; a later call for the same host replaces this one. */
export function watch(watchedHost: WatchedHost): void {
  const at = watched.findIndex(({ host }) => host === watchedHost.host);
  if (at >= 0) watched.splice(at, 1);
  watched.push(watchedHost);
}

/** The rules of a host, in the kernel and on disk. */
export interface Rulesets {
  readonly live: Required<Rules>;
  readonly saved: Rules;
}

export const rulesetsOf = async (host: LabHost): Promise<Rulesets> => ({
  live: await host.liveRules(),
  saved: await host.savedRules(),
});

/** Expects the old rules, in the kernel and on disk, and no transaction in progress. */
export async function expectOld(host: LabHost, before: Rulesets): Promise<void> {
  await waitUntilIdle(host);
  expect(await rulesetsOf(host)).toEqual(before);
}

/** Expects the new rules, in the kernel and on disk, and no transaction in progress. */
export async function expectNew(host: LabHost, port: number): Promise<void> {
  await waitUntilIdle(host);
  const { live, saved } = await rulesetsOf(host);
  expect(live.v4).toContain(`--dport ${port} -j ACCEPT`);
  expect(live.v6).toContain(`--dport ${port} -j ACCEPT`);
  expect({ v4: saved.v4, v6: saved.v6 }).toEqual({ v4: live.v4, v6: live.v6 });
}

/** Expects either all old or all new rules; returns which. */
export async function oldOrNew(host: LabHost, before: Rulesets, port: number): Promise<'old' | 'new'> {
  await waitUntilIdle(host, 20);
  const now = await rulesetsOf(host);
  if (JSON.stringify(now) === JSON.stringify(before)) return 'old';
  await expectNew(host, port);
  return 'new';
}

/** The outcome of the last run, as the host reports it. */
export const lastOutcome = async (client: TestClient, host: LabHost): Promise<string | undefined> =>
  (await client.state(host)).record.last?.outcome;

/** A lab, with a new host for each test. */
export interface TestLab {
  readonly lab: Lab;
  /** Starts a host, and deploys to it unless `first` is false. */
  host(options?: Partial<HostOptions>, kind?: 'light' | 'systemd', first?: boolean): Promise<TestHost>;
  close(): Promise<void>;
}

export interface TestHost {
  readonly host: LabHost;
  readonly client: TestClient;
}

export async function openTestLab(): Promise<TestLab> {
  const lab = await openLab();
  const clients: TestClient[] = [];
  let count = 0;
  return {
    lab,
    host: async (options = {}, kind = 'light', first = true) => {
      const host = await lab[kind]({ name: `host-${++count}`, ...options });
      const client = testClient(lab);
      clients.push(client);
      watch({ lab, host, client });
      if (first) expect((await client.deploy(host, open(80))).result).toMatchObject({ outcome: 'confirmed' });
      return { host, client };
    },
    close: async () => {
      await Promise.all(clients.map((client) => client.close()));
      await lab.close();
    },
  };
}
