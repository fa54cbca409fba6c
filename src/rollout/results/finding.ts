/** Problems as results hold them. */
import type { Problem } from '../../lib/problem.js';
import type { Finding } from './model.js';

/** A problem as a finding: its location is the finding's `source`. */
export const findingOf = ({ id, level, message, hint, location }: Problem): Finding => ({
  ...{ id, level, message, hint },
  source: location,
});

/** The problem that a finding was made of. */
export const problemOf = ({ source, ...rest }: Finding): Problem => ({ ...rest, location: source });
