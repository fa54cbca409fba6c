/** The lints of a policy. */
import type { Problem } from '../../problem.js';
import type { Fleet } from '../fleet.js';

export const lintFleet = (_fleet: Fleet): readonly Problem[] => [];
