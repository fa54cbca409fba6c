/** The reason of an imported rule: its own comment, else where it comes from. */

import { isOwned } from '../../compile/names.js';
import { COMMENT_BYTES } from '../../compile/rules/fragment.js';
import { CONTROL } from '../../policy/values.js';
import type { DraftRule } from '../draft/join.js';
import type { Origin } from '../read/flatten.js';
import type { Direction } from '../read/statement.js';

/** @param also hosts that have the same rules */
export function reasonOf({ statement, origins }: DraftRule, host: string, also: readonly string[]): string {
  const comment = statement.kind === 'raw' ? origins[0]?.rule.comment : statement.comment;
  const written = comment === undefined ? '' : readable(comment, origins[0]);
  if (written !== '') return written;
  const others =
    also.length === 0 ? '' : ` (and ${also.slice(0, 3).join(', ')}${also.length > 3 ? ', …' : ''})`;
  const places =
    origins.length === 0 && statement.kind === 'rule'
      ? chainPolicy(statement.direction)
      : locationsOf(origins);
  return `Imported from ${host}${others}: ${places}`;
}

const chainPolicy = (direction: Direction): string => `the policy of ${direction.toUpperCase()}`;

/** What of a comment a policy takes as a reason; it may be nothing. */
export const plainComment = (comment: string): string => comment.replace(CONTROL, ' ').trim();

/** A comment of ours begins with the role or host that it came from. */
function readable(comment: string, origin: Origin | undefined): string {
  const own = origin !== undefined && isOwned(origin.rule.target?.name ?? origin.chain) ? origin : undefined;
  const ours = own !== undefined || (origin !== undefined && isOwned(origin.chain));
  const text = plainComment(comment);
  return (ours ? text.replace(/^[A-Za-z0-9._-]+: /, '') : text).slice(0, COMMENT_BYTES);
}

/** `INPUT rules 3 to 5 and LOGDROP rule 2`; of both families the numbers of the first. */
function locationsOf(origins: readonly Origin[]): string {
  const [first] = origins;
  if (first === undefined) return 'no rule of its own';
  const some = origins.filter(({ family }) => family === first.family);
  const chains = new Map<string, number[]>();
  for (const { table, chain, number } of some) {
    const name = table === 'filter' ? chain : `${table} ${chain}`;
    chains.set(name, [...(chains.get(name) ?? []), number]);
  }
  const family = origins.every((origin) => origin.family === 'v6') ? ' of IPv6' : '';
  return [...chains].map(([chain, numbers]) => `${chain} ${numbersOf(numbers)}${family}`).join(' and ');
}

function numbersOf(numbers: readonly number[]): string {
  const sorted = [...new Set(numbers)].toSorted((a, b) => a - b);
  const [first = 0] = sorted;
  const last = sorted.at(-1) ?? first;
  if (sorted.length === 1) return `rule ${first}`;
  const row = last - first === sorted.length - 1;
  if (sorted.length === 2) return `rules ${first} and ${last}`;
  return row ? `rules ${first} to ${last}` : `rules ${sorted.join(', ')}`;
}
