/** `rollback HOST`: back to a state that was good. */
import { randomUUID } from 'node:crypto';
import { error, type Result } from '../problem.js';
import type { Outcomes } from '../rollout/model.js';
import { type RollbackOptions, rollbackHost } from '../rollout/rollback.js';
import { type Chosen, chooseHosts, type FleetOptions, type OpenPort, withHosts } from './fleet.js';

export interface RollbackCommand extends Omit<FleetOptions, 'hosts'>, RollbackOptions {
  /** The one host. */
  readonly host: string;
  readonly owner: string;
}

export async function rollback(options: RollbackCommand, open: OpenPort): Promise<Result<Outcomes>> {
  const chosen = oneHost(await chooseHosts({ ...options, hosts: options.host }));
  const run = { run: randomUUID(), commit: '', owner: options.owner };
  return withHosts(chosen, open, ({ fleet, hosts: [host] }, port) =>
    host === undefined
      ? Promise.resolve({ version: 1, commit: null, hosts: [] })
      : rollbackHost(fleet, host, port, run, options),
  );
}

function oneHost(chosen: Result<Chosen>): Result<Chosen> {
  if (!chosen.ok || chosen.value.hosts.length === 1) return chosen;
  return {
    ok: false,
    problems: [
      error(
        'one-host',
        `A rollback is of one host; this names ${chosen.value.hosts.length}.`,
        undefined,
        'To take a whole fleet back, revert the commit and deploy it.',
      ),
    ],
  };
}
