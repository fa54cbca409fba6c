/** Names for what a rule names: built-in services and networks where these are exactly the same, else the fleet's own. */
import { addressKey, withoutFullPrefix } from '../../naming/address-sets.js';
import { nameTerms } from '../../naming/service-names.js';
import { rangesOf } from '../../policy/addresses.js';
import { NETWORKS } from '../../policy/builtin.js';
import type { Names } from '../read/entry.js';

/** The same text for networks that are together the same addresses. */
export const keyOfNetworks = (networks: readonly string[]): string => addressKey(rangesOf(networks));

const BUILT_IN_NETWORKS: ReadonlyMap<string, string> = new Map(
  Object.entries(NETWORKS).map(([name, ranges]) => [addressKey(ranges), name]),
);

/** A name whose addresses may change later, such as `admin`, must not replace every address. */
const isEverywhere = (networks: readonly string[]): boolean =>
  networks.some((network) => network.endsWith('/0'));

/** Whether a built-in network is exactly the addresses of the key. */
export const isBuiltInNetwork = (key: string): boolean => BUILT_IN_NETWORKS.has(key);

/**
 * Creates the names that entries are written with.
 * @param networks the key of their addresses → name, of the fleet
 * @param interfaces kernel name → the policy's name
 * @param services terms, in order and with a space between them → name
 */
export const namesFrom = (
  networks: ReadonlyMap<string, string>,
  interfaces: ReadonlyMap<string, string>,
  services: ReadonlyMap<string, string> = new Map(),
): Names => ({
  addresses: (list) => {
    const key = keyOfNetworks(list);
    const name = isEverywhere(list) ? undefined : (networks.get(key) ?? BUILT_IN_NETWORKS.get(key));
    return name === undefined ? list.map(withoutFullPrefix) : [name];
  },
  services: (terms) => {
    const name = services.get(terms.join(' '));
    return name === undefined ? nameTerms(terms) : [name];
  },
  interface: (kernelName) => (kernelName === 'lo' ? 'lo' : (interfaces.get(kernelName) ?? kernelName)),
});
