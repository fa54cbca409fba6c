/** Who reaches SSH on every host already: the administrators of the policy, unless they are named. */
import type { Family } from '../lib/family.js';
import { EVERYTHING, type FamilyRanges, rangesOf, subtractRanges, toSet } from '../policy/addresses.js';
import type { LockoutProof } from '../traffic/model.js';
import { proveLockout } from '../traffic/questions/lockout.js';
import type { BuiltInChain } from './draft/host.js';
import type { ImportHost } from './model.js';

const EVERYWHERE: { readonly [family in Family]: string } = { v4: '0.0.0.0/0', v6: '::/0' };

/** Everything, and the networks from which a rule of INPUT lets SSH in. */
function candidates(chains: readonly BuiltInChain[], port: number): readonly string[] {
  const found = new Set<string>();
  for (const { family, table, chain, items } of chains) {
    if (table !== 'filter' || chain !== 'INPUT') continue;
    found.add(EVERYWHERE[family]);
    for (const { statement } of items) {
      if (statement?.kind !== 'rule' || statement.verb !== 'allow') continue;
      if (statement.services.some((service) => reaches(service, port)))
        for (const network of statement.from ?? [EVERYWHERE[family]]) found.add(network);
    }
  }
  return [...found];
}

function reaches(service: string, port: number): boolean {
  if (service === 'any' || service === 'tcp') return true;
  const [, from, to = from] = /^tcp\/(\d+)(?:-(\d+))?$/.exec(service) ?? [];
  return from !== undefined && Number(from) <= port && port <= Number(to);
}

/** What is in both. */
const common = (a: FamilyRanges, b: FamilyRanges): FamilyRanges =>
  subtractRanges(a, subtractRanges(EVERYTHING, b));

/**
 * The networks from which SSH is proved to be reached on every host; empty when there are none. A family of which a
 * host has no address is none of its business.
 */
export function deriveAdmin(
  hosts: readonly (readonly [ImportHost, readonly BuiltInChain[]])[],
): readonly string[] {
  let all: FamilyRanges = EVERYTHING;
  for (const [host, chains] of hosts) {
    const proved = candidates(chains, host.port).filter((network) => isProved(host, network));
    const own = rangesOf(proved);
    const has = (family: Family): boolean =>
      host.addresses.some((address) => address.includes(':') === (family === 'v6'));
    all = common(all, {
      v4: has('v4') ? own.v4 : EVERYTHING.v4,
      v6: has('v6') ? own.v6 : EVERYTHING.v6,
    });
  }
  const families = (['v4', 'v6'] as const).filter((family) =>
    hosts.some(([host]) => host.addresses.some((address) => address.includes(':') === (family === 'v6'))),
  );
  // Nobody is an administrator who cannot come the way that deploys come.
  if (hosts.some(([host]) => all[sshFamily(host)].length === 0)) return [];
  const set = toSet([], {
    v4: families.includes('v4') ? all.v4 : [],
    v6: families.includes('v6') ? all.v6 : [],
  });
  return set.any ? Object.values(EVERYWHERE) : [...set.v4, ...set.v6];
}

/** The family by which SSH connects. */
const sshFamily = ({ address }: ImportHost): Family => (address.includes(':') ? 'v6' : 'v4');

function proofOf({ live, addresses, port }: ImportHost, network: string): LockoutProof {
  const admin = toSet([], rangesOf([network]));
  return proveLockout(live, { admin, addresses, port }, { addresses });
}

const isProved = (host: ImportHost, network: string): boolean => proofOf(host, network).verdict === 'proved';

/** Hosts of which it is told why, and networks of each. */
const MAX_HOSTS = 5;
const MAX_NETWORKS = 2;

/** Where {@link deriveAdmin} finds none: what becomes of SSH on each host, in sentences. */
export function whyNoAdmin(
  hosts: readonly (readonly [ImportHost, readonly BuiltInChain[]])[],
): readonly string[] {
  const more = hosts.length - MAX_HOSTS;
  return [
    ...hosts.slice(0, MAX_HOSTS).map(([host, chains]) => {
      const named = candidates(chains, host.port);
      const proved = named.filter((network) => isProved(host, network));
      if (proved.length > 0) return `${host.name} lets in ${proved.join(', ')}.`;
      const asked = named.length > 1 ? named.filter((network) => !network.endsWith('/0')) : named;
      const reasons = asked
        .slice(0, MAX_NETWORKS)
        .flatMap((network) => proofOf(host, network).reasons[0] ?? []);
      return `On ${host.name}: ${reasons.join(' ').replaceAll(/ (0\.0\.0\.0|::)\/0 /g, ' anywhere ')}`;
    }),
    ...(more > 0 ? [`There are ${more} more hosts.`] : []),
  ];
}

export const adminSet = (networks: readonly string[]) => toSet(['admin'], rangesOf(networks));
