/** Whether the machine that answers for a host is the right one: an address may lead to another one, or to a clone. */
import { createHash } from 'node:crypto';
import type { HostState } from '../../host/client.js';
import { error, type Problem } from '../../lib/problem.js';
import { list } from '../../lib/text.js';
import type { Fleet, Host } from '../../policy/fleet.js';

/**
 * An id of the machine that may be published: `sha256:…` of its machine-id, which must not be exposed (machine-id(5)),
 * and its hostname. `undefined` where the host has no machine-id, and for recorded states.
 */
export function machineOf({ recorded, facts: { machineId, hostname } }: HostState): string | undefined {
  if (recorded === true || machineId === '') return undefined;
  const hash = createHash('sha256').update(['sallyport', machineId, hostname].join('\0')).digest('hex');
  return `sha256:${hash}`;
}

/** An error where the known-good record on the machine is that of another host: the address is wrong. */
export function deployedAsAnotherHost(
  fleet: Fleet,
  host: Host,
  { facts, record }: HostState,
): readonly Problem[] {
  const { current } = record;
  if (current?.host === undefined || current.host === host.name) return [];
  // A clone with its own machine-id is a new machine; a host that is no longer in the policy was renamed.
  if (current.machineId !== facts.machineId || !fleet.hosts.some(({ name }) => name === current.host))
    return [];
  return [
    error(
      'machine-of-another-host',
      `The machine that answers for ${host.name} (${host.address}, "${facts.hostname}") was last deployed as ${current.host}.`,
      {
        location: host.location,
        hint: `Check the addresses of both. If it is a copy of ${current.host}, give it a machine-id of its own, or remove /var/lib/sallyport/known-good on it.`,
      },
    ),
  ];
}

interface ReadHost {
  readonly host: Host;
  readonly state: HostState;
}

/**
 * An error for each host, by name, whose machine answers for another host as well: the deploys would undo each other.
 * Clones with the same machine-id differ in their hostname or boot_id, which random(4) makes for each boot.
 */
export function sharedMachines(hosts: readonly ReadHost[]): ReadonlyMap<string, Problem> {
  const byMachine = new Map<string, ReadHost[]>();
  for (const one of hosts) {
    const [machine, boot] = [machineOf(one.state), one.state.drops?.now.boot];
    if (machine === undefined || boot === undefined) continue;
    const key = `${machine} ${boot}`;
    byMachine.set(key, [...(byMachine.get(key) ?? []), one]);
  }
  return new Map(
    [...byMachine.values()]
      .filter(({ length }) => length > 1)
      .flatMap((same) => same.map(({ host }) => [host.name, sharedMachineError(host, same)] as const)),
  );
}

const sharedMachineError = (host: Host, same: readonly ReadHost[]): Problem =>
  error(
    'one-machine',
    `${list(
      same.map(({ host: { name } }) => name),
      4,
    )} are one machine: "${same[0]?.state.facts.hostname ?? ''}" answers for each of them.`,
    {
      location: host.location,
      hint: 'Keep one of them in the policy, with all of its addresses; or fix the address that leads to the wrong machine.',
    },
  );
