/** How commands reach hosts: over SSH with verified host keys, or through a folder of recorded states. */
import { recording, snapshotClient } from '../../rollout/snapshots/snapshots.js';
import type { OpenHosts, Reader } from './fleet.js';
import { knownHostsTexts } from './known-hosts.js';

/**
 * Over SSH.
 * @param connect opens a client from the texts of known_hosts files; called once the policy is known to be valid
 * @param knownHosts the text of the known_hosts file to use instead of those that the policy names
 */
export const overSsh =
  <C>(
    connect: (knownHosts: readonly string[]) => C | Promise<C>,
    knownHosts?: () => string | Promise<string>,
  ): OpenHosts<C> =>
  async (chosen) => {
    const known =
      knownHosts === undefined
        ? await knownHostsTexts(chosen)
        : ({ ok: true, value: [await knownHosts()], problems: [] } as const);
    return known.ok ? { ...known, value: await connect(known.value) } : known;
  };

/** Folders of recorded states: to read instead of the hosts, and to write what was read into. */
export interface StateFolders {
  readonly state?: string;
  readonly save?: string;
}

/** For commands that only read. */
export function toRead({ state, save }: StateFolders, hosts: OpenHosts<Reader>): OpenHosts<Reader> {
  const open: OpenHosts<Reader> =
    state === undefined ? hosts : async () => ({ ok: true, value: snapshotClient(state), problems: [] });
  if (save === undefined) return open;
  return async (chosen) => {
    const opened = await open(chosen);
    return opened.ok ? { ...opened, value: recording(opened.value, save) } : opened;
  };
}
