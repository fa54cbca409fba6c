/**
 * What a host was doing, as a file beside its recorded rules. Such files may be published, for plans of pull requests
 * from forks: of strangers they hold the network alone.
 */
import type { Activity } from '../../host/client.js';
import type { Family } from '../../lib/family.js';
import { networkRanges, networksText } from '../../lib/ip.js';
import { isEmpty, type Ranges, subtract, union } from '../../lib/ranges.js';
import { NETWORKS } from '../../policy/builtin.js';
import { activitySchema } from './schema.js';

/** Addresses that mean something within one's own networks alone. */
export const PRIVATE: { readonly [family in Family]: Ranges } = {
  v4: union(NETWORKS.private?.v4 ?? [], NETWORKS['link-local']?.v4 ?? []),
  v6: union(NETWORKS.private?.v6 ?? [], NETWORKS['link-local']?.v6 ?? []),
};

/** The network of a customer, not of a person. */
const COARSE = { v4: 24, v6: 48 } as const;

export function activityText(activity: Activity): string {
  const flows = new Map<string, Activity['flows'][number]>();
  for (const flow of activity.flows) {
    const coarse = { ...flow, peer: coarsePeer(flow.peer) };
    const key = JSON.stringify({ ...coarse, count: 0 });
    flows.set(key, { ...coarse, count: coarse.count + (flows.get(key)?.count ?? 0) });
  }
  return `${JSON.stringify({ ...activity, flows: [...flows.values()] }, undefined, 1)}\n`;
}

function coarsePeer(peer: string): string {
  const family = peer.includes(':') ? 'v6' : 'v4';
  const isPrivate = isEmpty(subtract(networkRanges(peer, family) ?? [], PRIVATE[family]));
  if (isPrivate || peer.includes('/')) return peer;
  return networksText(networkRanges(`${peer}/${COARSE[family]}`, family) ?? [], family).join();
}

/** `undefined` where the file holds anything else: a plan does not need it. */
export function readActivityText(json: string): Activity | undefined {
  try {
    return activitySchema.safeParse(JSON.parse(json)).data;
  } catch {
    return undefined;
  }
}
