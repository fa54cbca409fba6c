/** Which machine it is that answers for a host: a name may have come to lead to another one, and a clone answers like the first. */
import { createHash } from 'node:crypto';
import type { HostState } from '../../host/client.js';
import { error, type Problem } from '../../lib/problem.js';
import { list } from '../../lib/text.js';
import type { Fleet, Host } from '../../policy/fleet.js';

/**
 * The machine as a plan may show it. machine-id(5): it must not be exposed as it is, so what is shown is a hash that
 * nobody else makes of it. `undefined` where the host has no machine-id, or nothing but recorded rules is known.
 */
export function machineOf({ recorded, facts: { machineId, hostname } }: HostState): string | undefined {
  if (recorded === true || machineId === '') return undefined;
  const hash = createHash('sha256').update(['sallyport', machineId, hostname].join('\0')).digest('hex');
  return `sha256:${hash}`;
}

/** What is deployed to a machine is kept on it under the host's name: where that is another host, the way there is wrong. */
export function deployedAsAnotherHost(
  fleet: Fleet,
  host: Host,
  { facts, record }: HostState,
): readonly Problem[] {
  const { current } = record;
  if (current?.host === undefined || current.host === host.name) return [];
  // A clone that got an identity of its own is a new machine; a host that the policy no longer has was renamed.
  if (current.machineId !== facts.machineId || !fleet.hosts.some(({ name }) => name === current.host))
    return [];
  return [
    error(
      'machine-of-another-host',
      `The machine that answers for ${host.name} (${host.address}, "${facts.hostname}") was last deployed as ${current.host}.`,
      host.location,
      `Check the addresses of both. If it is a copy of ${current.host}, give it a machine-id of its own, or remove /var/lib/sallyport/known-good on it.`,
    ),
  ];
}

interface ReadHost {
  readonly host: Host;
  readonly state: HostState;
}

/**
 * Hosts that one machine answers for: what is deployed to the one would be undone by the other. By host name, an error
 * each. Copies that kept the machine-id have another name or another kernel (random(4): boot_id is of one boot).
 */
export function sharedMachines(answered: readonly ReadHost[]): ReadonlyMap<string, Problem> {
  const byMachine = new Map<string, ReadHost[]>();
  for (const one of answered) {
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
    host.location,
    'Keep one of them in the policy, with all of its addresses; or mend the address that leads to the wrong machine.',
  );
