/** Policies for the tests of compile/: written as users write them, read by policy/. */
import { compileHost } from '../../src/compile/rules/compile.js';
import { formatProblem, type Result } from '../../src/lib/problem.js';
import type { Ruleset } from '../../src/netfilter/model.js';
import type { Fleet, Host } from '../../src/policy/fleet.js';
import { readFleet } from '../../src/policy/load.js';

const FLEET = `
version: 1
ssh: {user: deploy}
admin: [admin]
`;

const many = (count: number): string =>
  Array.from({ length: count }, (_, index) => `192.0.2.${index * 2}, "2001:db8:bad:${index}::/64"`).join(
    ', ',
  );

const NETWORKS = `
networks:
  admin: [203.0.113.0/28, "2001:db8:a::/48"]
  app: [10.10.0.0/16, "2001:db8:10::/48"]
  monitoring: 10.20.30.0/24
  lan: 192.168.1.0/24
  blocklist: [${many(70)}]
`;

/** Files that a test adds or writes anew, by their path in the policy: `hosts/h.yml`. */
export type Files = { readonly [path: string]: string };

/** A fleet with one host `h` (unless files say otherwise), which is what `host` says besides its address. */
export function fleetOf(host: string, files: Files = {}): Fleet {
  const texts = {
    'fleet.yml': FLEET,
    'networks.yml': NETWORKS,
    'hosts/h.yml': `address: 192.0.2.10\naddresses: [192.0.2.10, "2001:db8::10"]\n${host}`,
    ...files,
  };
  const fleet = readFleet(
    new Map(Object.entries(texts).map(([path, text]) => [`policies/${path}`, text])),
    'policies',
    { today: '2026-07-01' },
  );
  return unwrap(fleet);
}

export function hostOf(fleet: Fleet, name = 'h'): Host {
  const host = fleet.hosts.find((each) => each.name === name);
  if (host === undefined) throw new Error(`no host ${name}`);
  return host;
}

export function unwrap<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'));
  return result.value;
}

export const compiled = (host: string, files: Files = {}): Ruleset => {
  const fleet = fleetOf(host, files);
  return unwrap(compileHost(fleet, hostOf(fleet)));
};

/** The rules of one chain, as text. */
export const rulesIn = (
  ruleset: Ruleset,
  chain: string,
  family: 'v4' | 'v6' = 'v4',
  table = 'filter',
): readonly string[] =>
  ruleset[family]
    .find(({ name }) => name === table)
    ?.chains.find(({ name }) => name === chain)
    ?.rules.map(({ text }) => text) ?? [];
