/** The policy of a command: loaded, with the hosts chosen, and linted where it is about to be applied. */
import type { HostClient } from '../../host/client.js';
import { hasErrors, type Problem, type Result } from '../../lib/problem.js';
import type { Fleet, Host } from '../../policy/fleet.js';
import { lintFleet } from '../../policy/lint/lint.js';
import { loadFleet } from '../../policy/load.js';
import { selectHosts } from '../../policy/select.js';

export interface FleetOptions {
  /** The folder with the policy. */
  readonly policies: string;
  /** Host names and `role:NAME`, separated by commas; absent is all. */
  readonly hosts?: string;
  /** `YYYY-MM-DD`; default: this day, UTC. */
  readonly today?: string;
}

export interface Chosen {
  readonly fleet: Fleet;
  readonly hosts: readonly Host[];
}

/** Opens a client for the hosts of a fleet; passed in by the entry points. */
export type OpenHosts<P = HostClient> = (chosen: Chosen) => Promise<Result<P>>;
export type Reader = Pick<HostClient, 'read' | 'close'>;

/** Loads the policy and chooses the hosts. */
export async function chooseHosts({ policies, hosts, today }: FleetOptions): Promise<Result<Chosen>> {
  const loaded = await loadFleet(policies, { today });
  if (!loaded.ok) return loaded;
  const selected = selectHosts(loaded.value, hosts);
  const problems = [...loaded.problems, ...selected.problems];
  return selected.ok
    ? { ok: true, value: { fleet: loaded.value, hosts: selected.value }, problems }
    : { ok: false, problems };
}

/** As {@link chooseHosts}, for commands that connect to hosts: a lint of level error is a failure. */
export async function chooseSound(options: FleetOptions): Promise<Result<Chosen>> {
  const chosen = await chooseHosts(options);
  if (!chosen.ok) return chosen;
  const problems = [...chosen.problems, ...lintFleet(chosen.value.fleet)];
  return hasErrors(problems) ? { ok: false, problems } : { ...chosen, problems };
}

/** Opens a client, runs `work` with it, and always closes it. */
export async function withHosts<P extends Pick<HostClient, 'close'>, T>(
  chosen: Result<Chosen>,
  open: OpenHosts<P>,
  work: (chosen: Chosen, client: P) => Promise<T>,
): Promise<Result<T>> {
  if (!chosen.ok) return chosen;
  const opened = await open(chosen.value);
  const problems: readonly Problem[] = [...chosen.problems, ...opened.problems];
  if (!opened.ok) return { ok: false, problems };
  try {
    return { ok: true, value: await work(chosen.value, opened.value), problems };
  } finally {
    await opened.value.close();
  }
}
