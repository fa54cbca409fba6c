/** Hosts over SSH, with the key of the person at the terminal. */
import type { OpenHosts } from '../commands/inputs/fleet.js';
import { overSsh } from '../commands/inputs/open-hosts.js';
import type { HostClient } from '../host/client.js';
import { type Io, readText } from './io.js';
import { chooseKey } from './key.js';
import type { SshOptions } from './options.js';

/** Asks for the passphrase of a key, and loads what connects, only once the policy is known to be valid. */
export const hostsOverSsh = (io: Io, { identity, knownHosts }: SshOptions): OpenHosts<HostClient> =>
  overSsh(
    async (texts) => {
      const { openHosts } = await import('../host/open.js');
      return openHosts({ knownHosts: texts, ...(await chooseKey(io, identity)) });
    },
    knownHosts === undefined ? undefined : () => readText(io, knownHosts),
  );
