/** Which roles a host has: those that it names, and those that these include. */
import { error, type Problem, type SourceLocation } from '../../lib/problem.js';
import { undefinedName } from '../names.js';
import type { NameRefs } from './refs.js';

/** Role → the roles that it includes. */
type Includes = ReadonlyMap<string, NameRefs | undefined>;

/** The named roles, each directly before those it includes and only once. Reports undefined names. */
export function expandRoles(
  named: NameRefs | undefined,
  includes: Includes,
  problems: Problem[],
): readonly string[] {
  const found: string[] = [];
  const visit = (refs: NameRefs | undefined): void => {
    for (const [index, name] of (refs?.texts ?? []).entries()) {
      if (found.includes(name)) continue;
      if (includes.has(name)) {
        found.push(name);
        visit(includes.get(name));
      } else {
        const location = refs?.at(index) as SourceLocation;
        problems.push(undefinedName('role', name, includes.keys(), location, `Add roles/${name}.yml.`));
      }
    }
  };
  visit(named);
  return found;
}

/** One problem for each cycle of includes. */
export function roleCycles(includes: Includes): readonly Problem[] {
  const problems: Problem[] = [];
  const done = new Set<string>();
  const visit = (name: string, parents: readonly string[]): void => {
    const refs = includes.get(name);
    const path = [...parents, name];
    for (const [index, next] of (refs?.texts ?? []).entries()) {
      if (path.includes(next)) {
        const cycle = [...path.slice(path.indexOf(next)), next].join(' → ');
        const message = `Circular role reference: ${cycle}.`;
        problems.push(
          error('role-cycle', message, { location: refs?.at(index), hint: 'Remove one of them.' }),
        );
      } else if (!done.has(next)) visit(next, path);
    }
    done.add(name);
  };
  for (const name of includes.keys()) if (!done.has(name)) visit(name, []);
  return problems;
}
