/** Lints of a policy: findings that need no host and can be accepted. */
import { nearest } from '../../lib/nearest.js';
import { byLocation, type Problem, warning } from '../../lib/problem.js';
import type { Fleet, Host, Suppression } from '../fleet.js';
import { EXPOSURE } from './exposure.js';
import { NAMES } from './names.js';
import { RAW } from './raw.js';
import type { Finding, Lint } from './row.js';
import { RULES } from './rules.js';

export const LINTS: readonly Lint[] = [...EXPOSURE, ...RULES, ...RAW, ...NAMES];

/**
 * All findings that the policy does not accept, each once, sorted by location. A suppression in fleet.yml applies
 * everywhere; one in a role or host file applies to that file.
 */
export function lintFleet(fleet: Fleet): readonly Problem[] {
  const used = new Set<Suppression>();
  const seen = new Map<string, Problem>();
  for (const lint of LINTS)
    for (const found of lint.check(fleet)) {
      const suppression = fleet.suppressions.find((one) => suppresses(one, lint, found));
      if (suppression !== undefined) used.add(suppression);
      else {
        const { file, line, column } = found.location;
        seen.set(`${lint.id}:${file}:${line}:${column}:${found.message}`, problemOf(lint, found));
      }
    }
  const unused = fleet.suppressions.flatMap((one) => (used.has(one) ? [] : unusedSuppression(one)));
  return [...seen.values(), ...unused].toSorted(byLocation);
}

const suppresses = (suppression: Suppression, { id }: Lint, { origin }: Finding): boolean =>
  suppression.finding === id && (suppression.origin === undefined || suppression.origin === origin);

/** Whether the policy accepts a finding about a host that is not an error: in fleet.yml, in its file or a role's. */
export const isAccepted = (fleet: Fleet, host: Host, { id, level }: Problem): boolean =>
  level !== 'error' &&
  fleet.suppressions.some(
    ({ finding, origin }) =>
      finding === id && (origin === undefined || origin === host.name || host.roles.includes(origin)),
  );

const problemOf = ({ id, level }: Lint, { message, hint, location }: Finding): Problem => ({
  id,
  level,
  message,
  hint: `${hint} If intended, add accept: [{finding: ${id}, reason: …}].`,
  location,
});

/**
 * A suppression without a finding would hide a later one. The ids of findings of a plan are not known here; an id that
 * is similar to a lint's is reported as a misspelling.
 */
function unusedSuppression({ finding, location }: Suppression): readonly Problem[] {
  const ids = LINTS.map(({ id }) => id);
  if (ids.includes(finding)) {
    const hint = 'Remove it: it would hide a later finding.';
    return [warning('idle-acceptance', `No finding "${finding}" to accept here.`, { location, hint })];
  }
  const near = nearest(finding, ids);
  if (near === undefined) return [];
  return [
    warning('idle-acceptance', `Unknown finding "${finding}".`, { location, hint: `Did you mean ${near}?` }),
  ];
}
