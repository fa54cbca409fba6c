/** `status`: what each host runs, since when and from which commit, from the host's own record. */
import pMap from 'p-map';
import type { Result } from '../lib/problem.js';
import type { HostStatus } from '../report/terminal/outcomes.js';
import type { OnEvent } from '../rollout/results/events.js';
import { chooseHosts, type FleetOptions, type OpenHosts, type Reader, withHosts } from './inputs/fleet.js';

export interface StatusOptions extends FleetOptions {
  readonly parallel?: number;
  readonly onEvent?: OnEvent;
}

/** Reads the record of each chosen host. */
export async function status(
  options: StatusOptions,
  open: OpenHosts<Reader>,
): Promise<Result<readonly HostStatus[]>> {
  const { onEvent = () => {} } = options;
  return withHosts(await chooseHosts(options), open, ({ fleet, hosts }, client) => {
    onEvent({ kind: 'begin', hosts: hosts.map(({ name }) => name) });
    return pMap(
      hosts,
      async (host): Promise<HostStatus> => {
        onEvent({ kind: 'reading', host: host.name });
        const reading = await client.read(host);
        const words = reading.status === 'read' ? '' : reading.problem.message;
        onEvent({ kind: 'read', host: host.name, status: reading.status, words });
        return { host: host.name, reading };
      },
      { concurrency: options.parallel ?? fleet.rollout.parallel },
    );
  });
}

/** The same without the rules, for machines. */
export const statusJson = (hosts: readonly HostStatus[]): object => ({
  version: 1,
  hosts: hosts.map(({ host, reading }) => {
    if (reading.status !== 'read') return { host, status: reading.status, reason: reading.problem.message };
    const { record, boot, backend, versions, facts } = reading.state;
    return { host, status: 'read', record, boot, backend, versions, facts };
  }),
});
