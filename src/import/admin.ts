/** Derives the administrators of an imported policy: the networks that reach SSH on every host. */
import type { Family } from '../lib/family.js';
import { familyOf } from '../lib/ip.js';
import { intersect } from '../lib/ranges.js';
import { list } from '../lib/text.js';
import { inFamilies } from '../naming/address-sets.js';
import { EVERYTHING, type FamilyRanges, rangesOf, toSet } from '../policy/addresses.js';
import type { AddressSet } from '../policy/fleet.js';
import type { LockoutProof } from '../traffic/model.js';
import { proveLockout } from '../traffic/questions/lockout.js';
import type { BuiltInChain } from './draft/host.js';
import type { ImportHost } from './model.js';
import { EVERYWHERE } from './read/entry.js';

/** A host and the statements of its chains. */
interface HostChains {
  readonly host: ImportHost;
  readonly chains: readonly BuiltInChain[];
}

/** Every address, and each network from which a rule of INPUT allows SSH. */
function candidates({ host: { port }, chains }: HostChains): readonly string[] {
  const found = new Set<string>();
  for (const { family, table, chain, items } of chains) {
    if (table !== 'filter' || chain !== 'INPUT') continue;
    found.add(EVERYWHERE[family]);
    for (const { statement } of items)
      if (statement?.kind === 'rule' && statement.verb === 'allow' && includesPort(statement.services, port))
        for (const network of statement.from ?? []) found.add(network);
  }
  return [...found];
}

const includesPort = (services: readonly string[], port: number): boolean =>
  services.some((service) => {
    if (service === 'any' || service === 'tcp') return true;
    const [, from, to = from] = /^tcp\/(\d+)(?:-(\d+))?$/.exec(service) ?? [];
    return from !== undefined && Number(from) <= port && port <= Number(to);
  });

/**
 * The networks from which SSH is proved to be open on every host; empty if there are none, or if one of the hosts cannot
 * be reached over the address that SSH connects to. A host without addresses of a family does not limit that family.
 */
export function deriveAdmin(hosts: readonly HostChains[]): readonly string[] {
  let common: FamilyRanges = EVERYTHING;
  const families = new Set<Family>();
  for (const one of hosts) {
    const own = rangesOf(candidates(one).filter((network) => isProved(one.host, network)));
    const has = new Set(one.host.addresses.map(familyOf));
    for (const family of has) {
      families.add(family);
      common = { ...common, [family]: intersect(common[family], own[family]) };
    }
  }
  if (hosts.some(({ host }) => common[familyOf(host.address)].length === 0)) return [];
  const set = toSet([], inFamilies(common, [...families]));
  return set.any ? Object.values(EVERYWHERE) : [...set.v4, ...set.v6];
}

const proofOf = ({ live, addresses, port }: ImportHost, network: string): LockoutProof =>
  proveLockout(live, { admin: adminSet([network]), addresses, port }, { addresses });

const isProved = (host: ImportHost, network: string): boolean => proofOf(host, network).verdict === 'proved';

const MAX_HOSTS = 5;
const MAX_NETWORKS = 2;

/** Where {@link deriveAdmin} finds none: what happens to SSH on each of the first hosts, in sentences. */
export function whyNoAdmin(hosts: readonly HostChains[]): readonly string[] {
  const more = hosts.length - MAX_HOSTS;
  return [
    ...hosts.slice(0, MAX_HOSTS).map((one) => {
      const { host } = one;
      const named = candidates(one);
      const proved = named.filter((network) => isProved(host, network));
      if (proved.length > 0) return `${host.name} allows SSH from ${list(proved)}.`;
      const specific = named.length > 1 ? named.filter((network) => !network.endsWith('/0')) : named;
      const reasons = specific
        .slice(0, MAX_NETWORKS)
        .flatMap((network) => proofOf(host, network).reasons[0] ?? []);
      return `On ${host.name}: ${reasons.join(' ').replaceAll(/ (0\.0\.0\.0|::)\/0 /g, ' anywhere ')}`;
    }),
    ...(more > 0 ? [`${more} more hosts are not shown.`] : []),
  ];
}

/** The administrators as a set of addresses, named `admin`. */
export const adminSet = (networks: readonly string[]): AddressSet => toSet(['admin'], rangesOf(networks));
