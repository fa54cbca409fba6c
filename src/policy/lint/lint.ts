/** The lints of a policy: what can be told without any host, and is no error but worth a reviewer's eye. */
import { nearest } from '../../lib/nearest.js';
import { byLocation, type Problem } from '../../lib/problem.js';
import type { Fleet, Host, Suppression } from '../fleet.js';
import { EXPOSURE } from './exposure.js';
import { NAMES } from './names.js';
import { RAW } from './raw.js';
import type { Found, Lint } from './row.js';
import { RULES } from './rules.js';

export const LINTS: readonly Lint[] = [...EXPOSURE, ...RULES, ...RAW, ...NAMES];

/**
 * All findings that the policy does not accept, each once, in the order of their places. An acceptance in fleet.yml
 * holds everywhere; one of a role or a host holds for what that role or host says.
 */
export function lintFleet(fleet: Fleet): readonly Problem[] {
  const accepting = new Set<Suppression>();
  const seen = new Map<string, Problem>();
  for (const lint of LINTS)
    for (const found of lint.check(fleet)) {
      const acceptance = fleet.acceptances.find((one) => accepts(one, lint, found));
      if (acceptance !== undefined) accepting.add(acceptance);
      else {
        const { file, line, column } = found.location;
        seen.set(`${lint.id}:${file}:${line}:${column}:${found.message}`, problemOf(lint, found));
      }
    }
  const idle = fleet.acceptances.filter((one) => isOurs(one) && !accepting.has(one)).map(idleProblem);
  const misspelt = fleet.acceptances.flatMap(misspeltProblem);
  return [...seen.values(), ...idle, ...misspelt].toSorted(byLocation);
}

const accepts = (acceptance: Suppression, { id }: Lint, { origin }: Found): boolean =>
  acceptance.finding === id && (acceptance.origin === undefined || acceptance.origin === origin);

/** Whether the policy accepts a finding about one host that is no error: in fleet.yml, in its own file or a role's. */
export const isAccepted = (fleet: Fleet, host: Host, { id, level }: Problem): boolean =>
  level !== 'error' &&
  fleet.acceptances.some(
    ({ finding, origin }) =>
      finding === id && (origin === undefined || origin === host.name || host.roles.includes(origin)),
  );

const isOurs = ({ finding }: Suppression): boolean => LINTS.some(({ id }) => id === finding);

const problemOf = ({ id, level }: Lint, { message, hint, location }: Found): Problem => ({
  id,
  level,
  message,
  hint: `${hint} If it is meant: accept: [{finding: ${id}, reason: …}].`,
  location,
});

/** An acceptance that outlives its finding would hide the next one. */
const idleProblem = ({ finding, location }: Suppression): Problem => ({
  id: 'idle-acceptance',
  level: 'warning',
  message: `There is no finding ${finding} here to accept.`,
  hint: 'Remove it, so that it does not hide a later one.',
  location,
});

/** Findings of a plan are known to other rooms; what is one slip away from a lint is meant to be one. */
function misspeltProblem(acceptance: Suppression): readonly Problem[] {
  const near = nearest(
    acceptance.finding,
    LINTS.map(({ id }) => id),
  );
  if (near === undefined || isOurs(acceptance)) return [];
  return [
    {
      id: 'idle-acceptance',
      level: 'warning',
      message: `There is no finding ${acceptance.finding} to accept.`,
      hint: `Did you mean ${near}?`,
      location: acceptance.location,
    },
  ];
}
