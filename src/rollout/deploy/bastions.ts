/** Hosts of the fleet that others are reached through. What breaks on one of them cuts off the rest. */
import type { Fleet, Host } from '../../policy/fleet.js';

/** The hosts whose connection goes through `passage`. */
export function hostsBehind({ hosts }: Fleet, passage: Host): readonly Host[] {
  const names = namesOf(passage);
  return hosts.filter(({ ssh }) => ssh.bastions.some(({ host }) => names.includes(host)));
}

/** In the order in which they may be changed: whoever is reached through another one comes before it. */
export function bastionsOf(fleet: Fleet): ReadonlySet<string> {
  const bastions = new Set(fleet.hosts.flatMap(({ ssh }) => ssh.bastions.map(({ host }) => host)));
  const passages = fleet.hosts.filter((host) => namesOf(host).some((name) => bastions.has(name)));
  const [seen, ordered] = [new Set<Host>(), new Set<string>()];
  const visit = (passage: Host): void => {
    if (seen.has(passage)) return;
    seen.add(passage);
    const behind = new Set(hostsBehind(fleet, passage));
    for (const other of passages) if (behind.has(other)) visit(other);
    ordered.add(passage.name);
  };
  for (const passage of passages) visit(passage);
  return ordered;
}

/** What a policy may call it where it names a bastion. */
const namesOf = ({ name, address, addresses }: Host): readonly string[] => [name, address, ...addresses];
