/** Reasons of imported rules: their comment, else the rules they come from. */

import { isOwned } from '../../compile/names.js';
import { COMMENT_BYTES } from '../../compile/rules/fragment.js';
import { CONTROL } from '../../policy/values.js';
import type { DraftRule } from '../draft/join.js';
import type { Origin } from '../read/flatten.js';
import { HOOK_OF } from '../read/statement.js';

/**
 * The reason of an entry.
 * @param also further hosts with the same rules
 */
export function reasonOf({ statement, origins }: DraftRule, host: string, also: readonly string[]): string {
  const comment = statement.kind === 'raw' ? origins[0]?.rule.comment : statement.comment;
  const written = comment === undefined ? '' : readable(comment, origins[0]);
  if (written !== '') return written;
  const others =
    also.length === 0 ? '' : ` (and ${also.slice(0, 3).join(', ')}${also.length > 3 ? ', …' : ''})`;
  const from =
    origins.length === 0 && statement.kind === 'rule'
      ? `the policy of ${HOOK_OF[statement.direction]}`
      : rulesText(origins);
  return `Imported from ${host}${others}: ${from}`;
}

/** A comment without the characters that a reason may not contain; it may be empty. */
export const plainComment = (comment: string): string => comment.replace(CONTROL, ' ').trim();

/** Comments of owned chains begin with the role or host of the rule, which is removed. */
function readable(comment: string, origin: Origin | undefined): string {
  const owned = origin !== undefined && [origin.chain, origin.rule.target?.name ?? ''].some(isOwned);
  const text = plainComment(comment);
  return (owned ? text.replace(/^[A-Za-z0-9._-]+: /, '') : text).slice(0, COMMENT_BYTES);
}

/** `INPUT rules 3 to 5 and LOGDROP rule 2`; of rules in both families only those of the first. */
function rulesText(origins: readonly Origin[]): string {
  const [first] = origins;
  if (first === undefined) return 'no rule of its own';
  const chains = new Map<string, number[]>();
  for (const { table, chain, number, family } of origins) {
    if (family !== first.family) continue;
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
  if (sorted.length === 2) return `rules ${first} and ${last}`;
  return last - first === sorted.length - 1 ? `rules ${first} to ${last}` : `rules ${sorted.join(', ')}`;
}
