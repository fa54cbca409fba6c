/** Numbers over what was taken into the policy, and the sentence that says what they mean. */

import { count } from '../../lib/text.js';
import type { Adoption } from '../../rollout/results/adoption.js';

export interface AdoptionTotals {
  readonly taken: number;
  readonly left: number;
  /** Hosts of which nothing is known. */
  readonly unread: number;
}

export function adoptionTotals({ hosts }: Adoption): AdoptionTotals {
  const sum = (of: 'taken' | 'left'): number => hosts.reduce((total, host) => total + host[of].length, 0);
  return {
    taken: sum('taken'),
    left: sum('left'),
    unread: hosts.filter(({ status }) => status !== 'read').length,
  };
}

/** `Takes 3 differences into the policy; 1 is left`, without a full stop. */
export function adoptionVerdict(adoption: Adoption): string {
  const { taken, left, unread } = adoptionTotals(adoption);
  return [
    taken === 0 ? 'Nothing to take into the policy' : `Takes ${count(taken, 'difference')} into the policy`,
    ...(left === 0 ? [] : [`${left} ${left === 1 ? 'is' : 'are'} left`]),
    ...(unread === 0 ? [] : [`${count(unread, 'host')} could not be read`]),
  ].join('; ');
}
