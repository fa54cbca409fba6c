/** Small policies, compiled, as the map takes them. */
import { compileHost } from '../../src/compile/rules/compile.js';
import { formatProblem } from '../../src/lib/problem.js';
import type { MapHost } from '../../src/map/context.js';
import { type MapResult, mapFleet } from '../../src/map/fleet-map.js';
import type { MapEdge } from '../../src/map/model.js';
import type { Fleet } from '../../src/policy/fleet.js';
import { readFleet } from '../../src/policy/resolve/fleet.js';

/** Three web servers of which one is locked, a database, and a host without a role. */
export const TIERS: Readonly<Record<string, string>> = {
  'fleet.yml': 'version: 1\nssh: {user: deploy}\nadmin: [admin]\n',
  'networks.yml': `networks:
  admin: [203.0.113.0/28, "2001:db8:a::/48"]
  monitoring: 10.20.30.0/24
  office: 10.20.0.0/16
`,
  'roles/web.yml': 'input:\n  - {allow: web, from: any, reason: The site}\n',
  'roles/db.yml': 'input:\n  - {allow: postgres, from: "role:web", reason: Orders}\n',
  'hosts/all.yml': `hosts:
  web-1: {addresses: [192.0.2.1, "2001:db8::1"], roles: [web]}
  web-2: {addresses: [192.0.2.2, "2001:db8::2"], roles: [web]}
  db-1: {addresses: [192.0.2.9, "2001:db8::9"], roles: [db]}
  bastion: {addresses: [192.0.2.20]}
`,
};

export function fleetOf(files: Readonly<Record<string, string>> = TIERS): Fleet {
  const named = new Map(Object.entries(files).map(([path, text]) => [`policies/${path}`, text]));
  const read = readFleet(named, 'policies', { today: '2027-01-01' });
  if (!read.ok) throw new Error(read.problems.map(formatProblem).join('\n'));
  return read.value;
}

export const hostsOf = (fleet: Fleet): readonly MapHost[] =>
  fleet.hosts.map((host) => {
    const compiled = compileHost(fleet, host);
    if (!compiled.ok) throw new Error(compiled.problems.map(formatProblem).join('\n'));
    return { host, ruleset: compiled.value };
  });

export function mapOf(
  more: Readonly<Record<string, string>> = {},
  before?: Readonly<Record<string, string>>,
): MapResult {
  const fleet = fleetOf({ ...TIERS, ...more });
  if (before === undefined) return mapFleet(fleet, hostsOf(fleet));
  const earlier = fleetOf({ ...TIERS, ...before });
  return mapFleet(fleet, hostsOf(fleet), { fleet: earlier, hosts: hostsOf(earlier) });
}

/** `+ role web → role db: postgres (policies/roles/db.yml:2)`, one line an edge. */
export const linesOf = ({ map }: MapResult): readonly string[] => map.edges.map(lineOf);

const SIGN = { added: '+ ', removed: '- ', changed: '~ ' } as const;

function lineOf({
  from,
  to,
  service,
  change,
  families,
  hosts,
  part,
  conditional,
  blocked,
  rules,
}: MapEdge): string {
  const words = [
    ...(families.length === 1 ? families : []),
    ...(hosts ?? []),
    ...(part ? ['part'] : []),
    ...(conditional ? ['conditional'] : []),
    ...(blocked ? ['blocked'] : []),
    ...rules.map(({ file, line }) => `${file.replace('policies/', '')}:${line}`),
  ];
  return `${change === undefined ? '' : SIGN[change]}${from} → ${to}: ${service} (${words.join(' ')})`;
}
