/** Which hosts a selector means: `web-1`, `role:web`, `all`, or several joined by commas. */
import { nearest } from '../lib/nearest.js';
import { error, type Problem, type Result } from '../lib/problem.js';
import type { Fleet, Host } from './fleet.js';

/**
 * The hosts in the order of the fleet, each once; without a selector all of them.
 * A name that nothing has is a problem, so that a typing error never means "no hosts".
 */
export function selectHosts(fleet: Fleet, selector: string | undefined): Result<readonly Host[]> {
  if (selector === undefined) return { ok: true, value: fleet.hosts, problems: [] };
  const problems: Problem[] = [];
  const chosen = new Set<string>();
  for (const part of selector.split(',').map((text) => text.trim())) {
    const found = fleet.hosts.filter((host) => matches(host, part));
    for (const host of found) chosen.add(host.name);
    if (found.length === 0) problems.push(nothing(fleet, part));
  }
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, value: fleet.hosts.filter(({ name }) => chosen.has(name)), problems };
}

const matches = (host: Host, part: string): boolean =>
  part === 'all' || (part.startsWith('role:') ? host.roles.includes(part.slice(5)) : host.name === part);

function nothing(fleet: Fleet, part: string): Problem {
  const known = [
    ...fleet.hosts.map(({ name }) => name),
    ...[...fleet.roles.keys()].map((name) => `role:${name}`),
    'all',
  ];
  const near = nearest(part, known);
  const message =
    part.startsWith('role:') && fleet.roles.has(part.slice(5))
      ? `No host has the role ${part.slice(5)}.`
      : `The selector "${part}" names no host.`;
  return error(
    'undefined-host',
    message,
    undefined,
    near === undefined || near === part
      ? 'Write host names or role:NAME, joined by commas.'
      : `Did you mean ${near}?`,
  );
}
