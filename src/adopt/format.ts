/** Differences as sentences. */
import { list } from '../lib/text.js';
import type { Difference as DescribedDifference } from '../rollout/results/adoption.js';
import type { Difference } from './differences.js';

/** A difference as the result of an adoption has it. */
export function describeDifference(difference: Difference): DescribedDifference {
  const message = sentence(difference);
  if (difference.kind === 'set') return { message };
  const rule = 'rules' in difference ? difference.rules[0]?.rule.text : undefined;
  return {
    message,
    rule: rule === undefined ? undefined : `-A ${difference.chain} ${rule}`,
    families: difference.families,
  };
}

function sentence(difference: Difference): string {
  if (difference.kind === 'set')
    return `The set ${difference.name} ${membersChange('gained', difference.added, 'lost', difference.removed, MAX_MEMBERS)}.`;
  const chain = difference.table === 'filter' ? difference.chain : `${difference.table} ${difference.chain}`;
  switch (difference.kind) {
    case 'added':
      return `A rule was added to ${chain}${difference.above ? ", above the policy's rules" : ''}.`;
    case 'removed':
      return `A rule was removed from ${chain}.`;
    case 'moved':
      return `A rule was moved in ${chain}.`;
    case 'policy':
      return `The policy of ${chain} is ${difference.policy}.`;
    case 'entry-jump':
      return `The jump to the policy's rules in ${chain} was changed.`;
  }
}

const MAX_MEMBERS = 6;

/** `gained 192.0.2.1 and lost 192.0.2.7 and 192.0.2.8`; of each at most `max`. */
export const membersChange = (
  gain: string,
  added: readonly string[],
  lose: string,
  removed: readonly string[],
  max?: number,
): string =>
  [
    added.length > 0 ? `${gain} ${list(added, max)}` : '',
    removed.length > 0 ? `${lose} ${list(removed, max)}` : '',
  ]
    .filter((part) => part !== '')
    .join(' and ');
