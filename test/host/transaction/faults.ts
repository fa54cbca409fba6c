/**
 * What the fault tests share. Each test is named after the fault's id, what is broken, and how it ends; the table in
 * the documentation is made of these names. Whatever a test is about, {@link expectWhole} holds of its hosts after it.
 */
import { expect, test } from '@jest/globals';
import type { Rules } from '../../../src/lab/host-root.js';
import { type HostOptions, type Lab, type Host as LabHost, openLab } from '../../../src/lab/lab.js';
import { open } from '../change.js';
import { type TestClient, testClient, waitUntilIdle } from '../hosts.js';
import { expectInvariants, type WatchedHost } from './invariants.js';

/** A test whose name tells fault and end. After it, every host that it watched must be whole. */
export const fault = (id: string, broken: string, ends: string, check: () => Promise<void>): void =>
  test(`${id} | ${broken} | ${ends}`, async () => {
    watched.length = 0;
    await check();
    await Promise.all(watched.splice(0).map(expectInvariants));
  });

/** The hosts of the test that runs; a file's tests run one after the other. */
const watched: WatchedHost[] = [];

/** From now on the host takes part in the test that runs; what is said later of the same host counts. */
export function watch(scene: WatchedHost): void {
  const at = watched.findIndex(({ host }) => host === scene.host);
  if (at >= 0) watched.splice(at, 1);
  watched.push(scene);
}

/** Both rulesets of a host, in the kernel and on disk. */
export interface Rulesets {
  readonly live: Required<Rules>;
  readonly saved: Rules;
}

export const rulesetsOf = async (host: LabHost): Promise<Rulesets> => ({
  live: await host.liveRules(),
  saved: await host.savedRules(),
});

/** Nothing changed, in the kernel and on disk, and nothing is left to change it later. */
export async function expectOld(host: LabHost, before: Rulesets): Promise<void> {
  await waitUntilIdle(host);
  expect(await rulesetsOf(host)).toEqual(before);
}

/** The new rules stand in the kernel and on disk, which agree; nothing is left to change it later. */
export async function expectNew(host: LabHost, port: number): Promise<void> {
  await waitUntilIdle(host);
  const { live, saved } = await rulesetsOf(host);
  expect(live.v4).toContain(`--dport ${port} -j ACCEPT`);
  expect(live.v6).toContain(`--dport ${port} -j ACCEPT`);
  expect({ v4: saved.v4, v6: saved.v6 }).toEqual({ v4: live.v4, v6: live.v6 });
}

/** Either all old or all new; says which. */
export async function oldOrNew(host: LabHost, before: Rulesets, port: number): Promise<'old' | 'new'> {
  await waitUntilIdle(host, 20);
  const now = await rulesetsOf(host);
  if (JSON.stringify(now) === JSON.stringify(before)) return 'old';
  await expectNew(host, port);
  return 'new';
}

/** What the host itself says about the last run. */
export const lastOutcome = async (client: TestClient, host: LabHost): Promise<string | undefined> =>
  (await client.state(host)).record.last?.outcome;

/** A lab, and hosts in it that take part in one test each. */
export interface TestLab {
  readonly lab: Lab;
  /** A new host, and a client that knows it; with rules of ours already there unless `first` is false. */
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
