/** References by name, with the location of each for problems. */
import type { SourceLocation } from '../../lib/problem.js';
import type { Source } from '../files/yaml.js';

/** Names that a key refers to, with the location of each. */
export interface NameRefs {
  readonly texts: readonly string[];
  readonly at: (index: number) => SourceLocation;
}

/** The names under a key that takes one name or a list. */
export const nameRefs = (
  source: Source,
  container: object,
  key: string,
  value: string | readonly string[],
): NameRefs =>
  typeof value === 'string'
    ? { texts: [value], at: () => source.at(container, key) }
    : { texts: value, at: (index) => source.at(value, index) };
