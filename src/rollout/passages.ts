/** Hosts of the fleet that others are reached through. What breaks on one of them cuts off the rest. */
import type { Fleet, Host } from '../policy/fleet.js';

/** The hosts whose connection goes through `passage`. */
export function hostsBehind({ hosts }: Fleet, passage: Host): readonly Host[] {
  const names = namesOf(passage);
  return hosts.filter(({ ssh }) => ssh.bastions.some(({ host }) => names.includes(host)));
}

export function passagesOf({ hosts }: Fleet): ReadonlySet<string> {
  const bastions = new Set(hosts.flatMap(({ ssh }) => ssh.bastions.map(({ host }) => host)));
  const passages = hosts.filter((host) => namesOf(host).some((name) => bastions.has(name)));
  return new Set(passages.map(({ name }) => name));
}

/** What a policy may call it where it names a bastion. */
const namesOf = ({ name, address, addresses }: Host): readonly string[] => [name, address, ...addresses];
