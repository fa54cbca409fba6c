/** Bastions that are hosts of the fleet: what breaks on one of them cuts off the hosts behind it. */
import type { Fleet, Host } from '../../policy/fleet.js';

/** The hosts whose SSH connection goes through this bastion. */
export function hostsBehind({ hosts }: Fleet, bastion: Host): readonly Host[] {
  const names = namesOf(bastion);
  return hosts.filter(({ ssh }) => ssh.bastions.some(({ host }) => names.includes(host)));
}

/** Names of the bastions, in the order in which they may be changed: a host before the bastions that it is behind. */
export function bastionsOf(fleet: Fleet): ReadonlySet<string> {
  const targets = new Set(fleet.hosts.flatMap(({ ssh }) => ssh.bastions.map(({ host }) => host)));
  const bastions = fleet.hosts.filter((host) => namesOf(host).some((name) => targets.has(name)));
  const [seen, ordered] = [new Set<Host>(), new Set<string>()];
  const visit = (bastion: Host): void => {
    if (seen.has(bastion)) return;
    seen.add(bastion);
    const behind = new Set(hostsBehind(fleet, bastion));
    for (const other of bastions) if (behind.has(other)) visit(other);
    ordered.add(bastion.name);
  };
  for (const bastion of bastions) visit(bastion);
  return ordered;
}

/** By which a policy may name it as a bastion. */
const namesOf = ({ name, address, addresses }: Host): readonly string[] => [name, address, ...addresses];
