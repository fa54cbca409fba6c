/** What must hold of a host after every fault, whatever became of the change. */
import { expect } from '@jest/globals';
import type { Rules } from '../../../src/lab/host-root.js';
import type { Lab, Host as LabHost } from '../../../src/lab/lab.js';
import { until } from '../../../src/lab/shell.js';
import { type TestClient, waitUntilIdle } from '../hosts.js';
import { openssh } from '../ssh/openssh.js';

export interface WatchedHost {
  readonly lab: Lab;
  readonly host: LabHost;
  /** Who deployed to it, where what that client was told is to be compared. */
  readonly client?: TestClient;
  /** What loads at boot; default: the files of netfilter-persistent. */
  readonly saved?: () => Promise<Rules>;
}

/**
 * Nothing runs, waits or is locked; the rules of both families, and the sets, are those that were confirmed last, in the
 * kernel and on disk; a new connection gets in over each family; the client called nothing confirmed that the host did not.
 */
export async function expectInvariants({
  lab,
  host,
  client,
  saved = host.savedRules,
}: WatchedHost): Promise<void> {
  await waitUntilIdle(host, 30);
  const journal = await readJournal(host);
  const said =
    client?.said.filter(({ name, outcome }) => name === host.name && outcome === 'confirmed') ?? [];
  for (const { run } of said) expect([host.name, ...journal.runs]).toContain(run);
  const [live, boot] = [await host.liveRules(), await saved()];
  for (const family of ['v4', 'v6'] as const) {
    if (host.addresses[family] === undefined) continue;
    const known = rulesOfOurs(journal.known[family]);
    expect([host.name, family, 'live', ...rulesOfOurs(live[family])]).toEqual([
      host.name,
      family,
      'live',
      ...known,
    ]);
    expect([host.name, family, 'saved', ...rulesOfOurs(boot[family] ?? '')]).toEqual([
      host.name,
      family,
      'saved',
      ...known,
    ]);
  }
  const known = setsOfOurs(journal.known.sets);
  expect([host.name, 'live', ...setsOfOurs(live.sets)]).toEqual([host.name, 'live', ...known]);
  expect([host.name, 'saved', ...setsOfOurs(boot.sets ?? '')]).toEqual([host.name, 'saved', ...known]);
  for (const address of Object.values(host.addresses) as string[]) await logsIn(lab, host, address);
}

/** A rule of the test may limit how often one gets in, so that the first try is not the only one. */
const logsIn = (lab: Lab, host: LabHost, address: string): Promise<true> =>
  until(
    `A new connection to ${host.name} over ${address}`,
    async () =>
      (await openssh(lab, host, 'true', { address, connectSeconds: 5 })).code === 0 ? true : undefined,
    30,
  );

interface Journal {
  /** Of the changes that were confirmed, the last ones. */
  readonly runs: readonly string[];
  /** What was confirmed last; empty when nothing ever was. */
  readonly known: Required<Rules>;
}

/** Read from the host's disk, not asked of the agent. */
async function readJournal(host: LabHost): Promise<Journal> {
  const said = await host.must(`cd /var/lib/sallyport/known-good 2>/dev/null || exit 0
    for about in */about; do [ ! -e "$about" ] || sed -n 's/^run //p' "$about"; done
    newest=$(ls | tail -n 1); for kind in v4 v6 sets; do echo ${CUT}; [ -z "$newest" ] || cat "$newest/$kind"; done`);
  const [runs = '', v4 = '', v6 = '', sets = ''] = said.split(`${CUT}\n`);
  return { runs: runs.split('\n').filter((run) => run !== ''), known: { v4, v6, sets } };
}

const CUT = '@@@';

const rulesOfOurs = (text: string): readonly string[] =>
  text.match(/^-A (SALLYPORT-.*|INPUT -j SALLYPORT.*)$/gm) ?? [];

/** Names, types and members; sizes are the kernel's. */
const setsOfOurs = (text: string): readonly string[] =>
  (text.match(/^(create|add) SALLYPORT-\S+ \S+/gm) ?? []).toSorted();
