/** Differences as sentences. */
import type { Difference as Told } from '../rollout/results/adoption.js';
import type { Difference } from './differences.js';

export function describeDifference(difference: Difference): Told {
  const message = sentence(difference);
  const rule = 'rules' in difference ? difference.rules[0]?.rule.text : undefined;
  return {
    message,
    ...(rule === undefined || !('chain' in difference) ? {} : { rule: `-A ${difference.chain} ${rule}` }),
    ...('families' in difference ? { families: difference.families } : {}),
  };
}

function sentence(difference: Difference): string {
  if (difference.kind === 'set')
    return [
      `The set ${difference.name}`,
      [
        ...(difference.added.length > 0 ? [`gained ${list(difference.added)}`] : []),
        ...(difference.removed.length > 0 ? [`lost ${list(difference.removed)}`] : []),
      ].join(' and '),
    ]
      .join(' ')
      .concat('.');
  const chain = difference.table === 'filter' ? difference.chain : `${difference.table} ${difference.chain}`;
  switch (difference.kind) {
    case 'added':
      return difference.above
        ? `A rule was added to ${chain}, above the policy's rules.`
        : `A rule was added to ${chain}.`;
    case 'removed':
      return `A rule was removed from ${chain}.`;
    case 'moved':
      return `A rule of ${chain} stands at another place.`;
    case 'policy':
      return `The policy of ${chain} is ${difference.policy}.`;
    case 'hook':
      return `The jump to the policy's rules in ${chain} is not as it was.`;
  }
}

const MANY = 5;

const list = (members: readonly string[]): string =>
  members.length <= MANY
    ? members.join(', ')
    : `${members.slice(0, MANY).join(', ')} and ${members.length - MANY} more`;
