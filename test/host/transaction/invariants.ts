/** What must hold for a host after every fault, whatever the outcome. */
import { expect } from '@jest/globals';
import type { Rules } from '../../../src/lab/host-root.js';
import type { Lab, Host as LabHost } from '../../../src/lab/lab.js';
import { until } from '../../../src/lab/shell.js';
import { type TestClient, waitUntilIdle } from '../hosts.js';
import { openssh } from '../ssh/openssh.js';

export interface WatchedHost {
  readonly lab: Lab;
  readonly host: LabHost;
  /** The client that deployed to it, to compare its outcomes with the host's. */
  readonly client?: TestClient;
  /** The rules that load at boot; default: the files of netfilter-persistent. */
  readonly saved?: () => Promise<Rules>;
}

/**
 * No process, timer or lock is left; the rules of both families and the sets are those confirmed last, in the kernel and
 * on disk; a new connection is accepted over each family; the client reported nothing as confirmed that the host has not.
 */
export async function expectInvariants({
  lab,
  host,
  client,
  saved = host.savedRules,
}: WatchedHost): Promise<void> {
  await waitUntilIdle(host, 30);
  const journal = await readJournal(host);
  const confirmed =
    client?.results.filter(({ name, outcome }) => name === host.name && outcome === 'confirmed') ?? [];
  for (const { run } of confirmed) expect([host.name, ...journal.runs]).toContain(run);
  const [live, boot] = [await host.liveRules(), await saved()];
  for (const family of ['v4', 'v6'] as const) {
    if (host.addresses[family] === undefined) continue;
    const known = ownRules(journal.known[family]);
    expect([host.name, family, 'live', ...ownRules(live[family])]).toEqual([
      host.name,
      family,
      'live',
      ...known,
    ]);
    expect([host.name, family, 'saved', ...ownRules(boot[family] ?? '')]).toEqual([
      host.name,
      family,
      'saved',
      ...known,
    ]);
  }
  const known = ownSets(journal.known.sets);
  expect([host.name, 'live', ...ownSets(live.sets)]).toEqual([host.name, 'live', ...known]);
  expect([host.name, 'saved', ...ownSets(boot.sets ?? '')]).toEqual([host.name, 'saved', ...known]);
  for (const address of Object.values(host.addresses) as string[]) await canLogIn(lab, host, address);
}

/** Retries, since the rules of the test may limit the rate of connections. */
const canLogIn = (lab: Lab, host: LabHost, address: string): Promise<true> =>
  until(
    `A new connection to ${host.name} over ${address}`,
    async () =>
      (await openssh(lab, host, 'true', { address, connectSeconds: 5 })).code === 0 ? true : undefined,
    30,
  );

interface Journal {
  /** The last confirmed runs. */
  readonly runs: readonly string[];
  /** The rules confirmed last; empty if there are none. */
  readonly known: Required<Rules>;
}

/** Reads the history from the host's disk, without the agent. */
async function readJournal(host: LabHost): Promise<Journal> {
  const text = await host.must(`cd /var/lib/sallyport/known-good 2>/dev/null || exit 0
    for about in */about; do [ ! -e "$about" ] || sed -n 's/^run //p' "$about"; done
    newest=$(ls | tail -n 1); for kind in v4 v6 sets; do echo ${CUT}; [ -z "$newest" ] || cat "$newest/$kind"; done`);
  const [runs = '', v4 = '', v6 = '', sets = ''] = text.split(`${CUT}\n`);
  return { runs: runs.split('\n').filter((run) => run !== ''), known: { v4, v6, sets } };
}

const CUT = '@@@';

const ownRules = (text: string): readonly string[] =>
  text.match(/^-A (SALLYPORT-.*|INPUT -j SALLYPORT.*)$/gm) ?? [];

/** Names, types and members; the kernel chooses sizes. */
const ownSets = (text: string): readonly string[] =>
  (text.match(/^(create|add) SALLYPORT-\S+ \S+/gm) ?? []).toSorted();
