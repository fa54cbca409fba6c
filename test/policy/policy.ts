/** A small policy for tests to change in one place. */
import { formatProblem, type Problem } from '../../src/lib/problem.js';
import type { Fleet } from '../../src/policy/fleet.js';
import { readFleet } from '../../src/policy/load.js';

export const TODAY = '2026-06-15';

export const BASE: Readonly<Record<string, string>> = {
  'fleet.yml': 'version: 1\nssh: {user: deploy}\nadmin: [admin]\n',
  'networks.yml': `networks:
  admin: 203.0.113.0/24
  app: [10.10.0.0/16, "2001:db8:10::/48"]
  six: "2001:db8:6::/48"
`,
  'roles/web.yml': 'input:\n  - allow: https\n    reason: The site\n',
  'hosts/web-1.yml': 'addresses: [192.0.2.10, "2001:db8:1::10"]\nroles: [web]\n',
};

/** Reads the base with files added, replaced or, by `undefined`, removed. */
export function read(changes: Readonly<Record<string, string | undefined>> = {}) {
  const files = Object.entries({ ...BASE, ...changes }).flatMap(([path, text]) =>
    text === undefined ? [] : [[`policies/${path}`, text] as const],
  );
  return readFleet(new Map(files), 'policies', { today: TODAY });
}

/** Problems as text, without the folder. */
export const problemLines = (problems: readonly Problem[]): readonly string[] =>
  problems.map((problem) => formatProblem(problem).replace(/^policies\//, ''));

/** The fleet of `read`; throws on any error. */
export function fleetOf(changes: Readonly<Record<string, string | undefined>> = {}): Fleet {
  const result = read(changes);
  if (!result.ok) throw new Error(problemLines(result.problems).join('\n'));
  return result.value;
}

/** A host file with these lines after its addresses. */
export const host = (rules: string, more = ''): string =>
  `addresses: [192.0.2.10, "2001:db8:1::10"]\n${more}${rules}`;
