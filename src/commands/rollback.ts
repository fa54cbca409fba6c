/** `rollback HOST`: back to a state that was good. */
import { randomUUID } from 'node:crypto';
import { error, failure, type Result } from '../lib/problem.js';
import { type RollbackOptions, rollbackHost } from '../rollout/deploy/rollback.js';
import type { Outcomes } from '../rollout/results/model.js';
import { type Chosen, chooseHosts, type FleetOptions, type OpenHosts, withHosts } from './inputs/fleet.js';

export interface RollbackCommand extends Omit<FleetOptions, 'hosts'>, RollbackOptions {
  /** The one host. */
  readonly host: string;
  readonly owner: string;
}

/** Rolls one host back to a known-good state. */
export async function rollback(options: RollbackCommand, open: OpenHosts): Promise<Result<Outcomes>> {
  const chosen = oneHost(await chooseHosts({ ...options, hosts: options.host }));
  const run = { run: randomUUID(), commit: '', owner: options.owner };
  return withHosts(chosen, open, ({ fleet, hosts: [host] }, client) =>
    host === undefined
      ? Promise.resolve({ version: 1, commit: null, hosts: [] })
      : rollbackHost(fleet, host, client, run, options),
  );
}

function oneHost(chosen: Result<Chosen>): Result<Chosen> {
  if (!chosen.ok || chosen.value.hosts.length === 1) return chosen;
  return failure(
    error('one-host', `rollback takes one host; ${chosen.value.hosts.length} were given.`, {
      hint: 'To roll back a whole fleet, revert the commit and deploy it.',
    }),
  );
}
