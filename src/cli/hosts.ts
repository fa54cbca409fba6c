/** The way to the hosts: over SSH with the person's key, or a folder of recorded states. */
import type { OpenHosts, Reader } from '../commands/inputs/fleet.js';
import type { HostClient } from '../host/client.js';
import { type Io, readText } from './io.js';
import { chooseKey } from './key.js';
import type { SshOptions } from './options.js';

/** Loaded only once the policy is known to be sound. */
export const overSsh =
  (io: Io, { identity, knownHosts }: SshOptions): OpenHosts<HostClient> =>
  async (chosen) => {
    const { openHosts } = await import('../host/open.js');
    const { knownHostsTexts } = await import('../commands/inputs/known-hosts.js');
    const known =
      knownHosts === undefined
        ? await knownHostsTexts(chosen)
        : ({ ok: true, value: [await readText(io, knownHosts)], problems: [] } as const);
    if (!known.ok) return known;
    const key = await chooseKey(io, identity);
    return { ...known, value: openHosts({ knownHosts: known.value, ...key }) };
  };

export interface StateOptions {
  readonly state?: string;
  readonly save?: string;
}

/** For commands that read only: `--state` instead of the hosts, `--save` beside them. */
export const toRead =
  (io: Io, options: SshOptions & StateOptions): OpenHosts<Reader> =>
  async (chosen) => {
    const { recording, snapshotClient: snapshotPort } = await import('../rollout/results/snapshots.js');
    const { state, save } = options;
    const opened =
      state === undefined
        ? await overSsh(io, options)(chosen)
        : ({ ok: true, value: snapshotPort(state), problems: [] } as const);
    if (!opened.ok || save === undefined) return opened;
    return { ...opened, value: recording(opened.value, save) };
  };
