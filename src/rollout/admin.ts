/** Whether an address is in a set of networks. */
import { applyMask, parseAddress, prefixMask } from '../lib/address.js';
import { FAMILIES } from '../lib/family.js';
import type { AddressSet } from '../policy/fleet.js';

/** @param address One address of either family, as SSH_CONNECTION gives it (an IPv4-mapped one counts as IPv4). */
export function includesAddress(set: AddressSet, address: string): boolean {
  if (set.any) return true;
  const bare = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  return FAMILIES.some((family) => {
    const words = parseAddress(bare, family);
    if (words === undefined) return false;
    return set[family].some((network) => {
      const [base = '', length = ''] = network.split('/');
      const mask = prefixMask(Number(length), family);
      return String(applyMask(words, mask)) === String(parseAddress(base, family));
    });
  });
}
