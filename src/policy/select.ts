/** Selects hosts by `web-1`, `role:web`, `all`, or several of these separated by commas. */
import { nearest } from '../lib/nearest.js';
import { error, type Problem, type Result } from '../lib/problem.js';
import type { Fleet, Host } from './fleet.js';

/**
 * The selected hosts in the order of the fleet, each once; without a selector all of them.
 * An unknown name is a problem, so that a typing error never means "no hosts".
 */
export function selectHosts(fleet: Fleet, selector: string | undefined): Result<readonly Host[]> {
  if (selector === undefined) return { ok: true, value: fleet.hosts, problems: [] };
  const problems: Problem[] = [];
  const chosen = new Set<string>();
  for (const part of selector.split(',').map((text) => text.trim())) {
    const found = fleet.hosts.filter((host) => matches(host, part));
    for (const host of found) chosen.add(host.name);
    if (found.length === 0) problems.push(noHost(fleet, part));
  }
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, value: fleet.hosts.filter(({ name }) => chosen.has(name)), problems };
}

const matches = (host: Host, part: string): boolean =>
  part === 'all' || (part.startsWith('role:') ? host.roles.includes(part.slice(5)) : host.name === part);

function noHost(fleet: Fleet, part: string): Problem {
  const known = [
    ...fleet.hosts.map(({ name }) => name),
    ...[...fleet.roles.keys()].map((name) => `role:${name}`),
    'all',
  ];
  const near = nearest(part, known);
  const message =
    part.startsWith('role:') && fleet.roles.has(part.slice(5))
      ? `Role "${part.slice(5)}" has no hosts.`
      : `No host matches "${part}".`;
  const hint =
    near === undefined || near === part
      ? 'Write host names or role:NAME, separated by commas.'
      : `Did you mean ${near}?`;
  return error('undefined-host', message, { hint });
}
