/** Which roles a host has: the ones it names, and the ones that those include. */
import { error, type Problem, type SourceLocation } from '../../lib/problem.js';
import { undefinedName } from '../names.js';
import type { NameRefs } from './networks.js';

export interface RoleNames {
  /** What each role includes. */
  readonly includes: ReadonlyMap<string, NameRefs | undefined>;
}

/** Each role directly before those it includes; the first mention counts. Undefined names and circles are reported. */
export function expandRoles(
  named: NameRefs | undefined,
  { includes }: RoleNames,
  report: (problem: Problem) => void,
): readonly string[] {
  const found: string[] = [];
  const visit = (terms: NameRefs | undefined): void => {
    for (const [index, name] of (terms?.texts ?? []).entries()) {
      if (found.includes(name)) continue;
      if (!includes.has(name)) {
        report(
          undefinedName(
            'role',
            name,
            includes.keys(),
            terms?.at(index) as SourceLocation,
            `Add roles/${name}.yml.`,
          ),
        );
        continue;
      }
      found.push(name);
      visit(includes.get(name));
    }
  };
  visit(named);
  return found;
}

/** One problem for each circle of includes. */
export function roleCycles({ includes }: RoleNames): readonly Problem[] {
  const problems: Problem[] = [];
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): void => {
    const terms = includes.get(name);
    for (const [index, next] of (terms?.texts ?? []).entries()) {
      const way = [...path, name];
      if (way.includes(next)) {
        const cycle = [...way.slice(way.indexOf(next)), next].join(' → ');
        problems.push(
          error(
            'role-cycle',
            `The roles include each other in a circle: ${cycle}.`,
            terms?.at(index),
            'Take one out.',
          ),
        );
      } else if (!done.has(next)) visit(next, way);
    }
    done.add(name);
  };
  for (const name of includes.keys()) if (!done.has(name)) visit(name, []);
  return problems;
}
