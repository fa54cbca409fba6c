/** The plans of hosts put together under one digest. */
import { createHash } from 'node:crypto';
import type { HostPlan, Plan } from './model.js';

/** A plan of these hosts, in this order. */
export const planOf = (hosts: readonly HostPlan[], commit?: string): Plan => ({
  version: 1,
  commit: commit ?? null,
  digest: planDigest(hosts),
  hosts,
});

/** `sha256:…` over every host's live and next digests; the order of the hosts does not matter. */
function planDigest(hosts: readonly HostPlan[]): string {
  const lines = hosts
    .map(({ host, status, live, next }) => `${host} ${live ?? status} ${next ?? status}\n`)
    .toSorted();
  return `sha256:${createHash('sha256').update(lines.join('')).digest('hex')}`;
}
