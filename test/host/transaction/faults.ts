/**
 * What the fault tests share. Each test is named after the fault's id, what is broken, and how it ends; the table in
 * the documentation is made of these names. Whatever a test is about, {@link expectWhole} holds of its hosts after it.
 */
import { expect, test } from '@jest/globals';
import { type HostOptions, type Lab, type Host as LabHost, openLab } from '../../../src/lab/lab.js';
import type { Rules } from '../../../src/lab/seat.js';
import { open } from '../change.js';
import { type Client, clientOf, quiet } from '../hosts.js';
import { expectWhole, type Watched } from './invariants.js';

/** A test whose name tells fault and end. After it, every host that it watched must be whole. */
export const fault = (id: string, broken: string, ends: string, check: () => Promise<void>): void =>
  test(`${id} | ${broken} | ${ends}`, async () => {
    watched.length = 0;
    await check();
    await Promise.all(watched.splice(0).map(expectWhole));
  });

/** The hosts of the test that runs; a file's tests run one after the other. */
const watched: Watched[] = [];

/** From now on the host takes part in the test that runs; what is said later of the same host counts. */
export function watch(scene: Watched): void {
  const at = watched.findIndex(({ host }) => host === scene.host);
  if (at >= 0) watched.splice(at, 1);
  watched.push(scene);
}

/** Both rulesets of a host, in the kernel and on disk. */
export interface Stand {
  readonly live: Required<Rules>;
  readonly saved: Rules;
}

export const standOf = async (host: LabHost): Promise<Stand> => ({
  live: await host.liveRules(),
  saved: await host.savedRules(),
});

/** Nothing changed, in the kernel and on disk, and nothing is left to change it later. */
export async function expectOld(host: LabHost, before: Stand): Promise<void> {
  await quiet(host);
  expect(await standOf(host)).toEqual(before);
}

/** The new rules stand in the kernel and on disk, which agree; nothing is left to change it later. */
export async function expectNew(host: LabHost, port: number): Promise<void> {
  await quiet(host);
  const { live, saved } = await standOf(host);
  expect(live.v4).toContain(`--dport ${port} -j ACCEPT`);
  expect(live.v6).toContain(`--dport ${port} -j ACCEPT`);
  expect({ v4: saved.v4, v6: saved.v6 }).toEqual({ v4: live.v4, v6: live.v6 });
}

/** Either all old or all new; says which. */
export async function oldOrNew(host: LabHost, before: Stand, port: number): Promise<'old' | 'new'> {
  await quiet(host, 20);
  const now = await standOf(host);
  if (JSON.stringify(now) === JSON.stringify(before)) return 'old';
  await expectNew(host, port);
  return 'new';
}

/** What the host itself says about the last run. */
export const lastOutcome = async (client: Client, host: LabHost): Promise<string | undefined> =>
  (await client.state(host)).record.last?.outcome;

/** A lab, and hosts in it that take part in one test each. */
export interface Scenes {
  readonly lab: Lab;
  /** A new host, and a client that knows it; with rules of ours already there unless `first` is false. */
  host(options?: Partial<HostOptions>, kind?: 'light' | 'whole', first?: boolean): Promise<Scene>;
  close(): Promise<void>;
}

export interface Scene {
  readonly host: LabHost;
  readonly client: Client;
}

export async function openScenes(): Promise<Scenes> {
  const lab = await openLab();
  const clients: Client[] = [];
  let count = 0;
  return {
    lab,
    host: async (options = {}, kind = 'light', first = true) => {
      const host = await lab[kind]({ name: `host-${++count}`, ...options });
      const client = clientOf(lab);
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
