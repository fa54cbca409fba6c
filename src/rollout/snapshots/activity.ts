/**
 * What a host was doing, as a file beside its recorded rules. Such files may be published, for plans of pull requests
 * from forks: addresses outside of private networks are stored as networks.
 */
import * as z from 'zod';
import type { Activity } from '../../host/client.js';
import type { Family } from '../../lib/family.js';
import { networkRanges, networksText } from '../../lib/ip.js';
import { isEmpty, type Ranges, subtract, union } from '../../lib/ranges.js';
import { NETWORKS } from '../../policy/builtin.js';

/** Private and link-local addresses: they identify nobody outside of one's own networks. */
export const PRIVATE: { readonly [family in Family]: Ranges } = {
  v4: union(NETWORKS.private?.v4 ?? [], NETWORKS['link-local']?.v4 ?? []),
  v6: union(NETWORKS.private?.v6 ?? [], NETWORKS['link-local']?.v6 ?? []),
};

/** Prefix length of what is stored: the network of a customer, not of a person. */
const COARSE = { v4: 24, v6: 48 } as const;

/** The text of an `.activity` file: JSON, with public peers as networks, and the counts of equal flows added up. */
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

const protocol = z.enum(['tcp', 'udp']);
const activitySchema = z.object({
  tracked: z.boolean(),
  flows: z.array(
    z.object({
      direction: z.enum(['in', 'out']),
      ...{ protocol, peer: z.string(), port: z.number(), count: z.number() },
    }),
  ),
  more: z.boolean(),
  listening: z.array(z.object({ protocol, port: z.number(), families: z.array(z.enum(['v4', 'v6'])) })),
}) satisfies z.ZodType<Activity>;

/** The activity in an `.activity` file; `undefined` where it holds anything else: a plan does not need it. */
export function readActivityText(json: string): Activity | undefined {
  try {
    return activitySchema.safeParse(JSON.parse(json)).data;
  } catch {
    return undefined;
  }
}
